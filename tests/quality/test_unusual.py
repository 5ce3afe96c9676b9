"""What counts as unusual: each limit from both sides, and nothing where there is too little to go by."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines.quality.anomalies import DAILY_ANOMALY_CHECKS, DayFigures, Finding, full_scan, quiet_days, rejected_items

MONDAY = date(2026, 3, 2)


def judged(name: str, figures: DayFigures, history: dict[date, DayFigures] | None = None) -> Finding:
    warning = next(warning for warning in DAILY_ANOMALY_CHECKS if warning.name == name)
    return warning.judge(MONDAY, figures, history or {})


def days_before(count: int, *figures: DayFigures) -> dict[date, DayFigures]:
    """Give the days before the Monday figures, which take turns."""
    return {MONDAY - timedelta(days=back): figures[back % len(figures)] for back in range(1, count + 1)}


def mondays(*calls: int | None) -> dict[date, DayFigures]:
    """Give the Mondays before calls, the last one first; the days between have one call."""
    known = days_before(7 * len(calls), DayFigures(calls=1))
    for weeks, count in enumerate(calls, start=1):
        known.pop(MONDAY - timedelta(weeks=weeks))
        if count is not None:
            known[MONDAY - timedelta(weeks=weeks)] = DayFigures(calls=count)
    return known


def priced(price: float, *, minutes: float = 100) -> DayFigures:
    return DayFigures(calls=50, cost_rated=price * minutes, seconds_rated=60 * minutes)


def missing(count: int, calls: int = 100) -> DayFigures:
    return DayFigures(calls=calls, cost_missing_calls=count)


@pytest.mark.parametrize(("count", "usual"), [(0, True), (1, False)])
def test_a_single_unknown_word_is_told(count, usual):
    found = judged("outcome_values_known", DayFigures(unknown_words=count))
    assert (found.usual, found.figures) == (usual, {"unknown words": count})


@pytest.mark.parametrize(("count", "usual"), [(0, True), (15, True), (16, False), (100, False)])
def test_costs_may_be_missing_as_often_as_before(count, usual):
    history = days_before(9, missing(4), missing(5), missing(6))  # of which the median is 5 %
    assert judged("missing_cost_share_normal", missing(count), history).usual is usual


@pytest.mark.parametrize(
    ("price", "usual"), [(0.10, True), (0.076, True), (0.074, False), (0.249, True), (0.251, False)]
)
def test_a_minute_may_cost_what_it_cost_before_give_or_take_a_quarter(price, usual):
    history = days_before(28, priced(0.1), priced(0.2))
    found = judged("cost_per_minute_normal", priced(price), history)
    assert found.usual is usual
    assert "0.1000 to 0.2000" in found.words


@pytest.mark.parametrize("name", ["missing_cost_share_normal", "cost_per_minute_normal"])
def test_costs_are_held_against_days_before_not_after_and_not_long_ago(name):
    odd = DayFigures(calls=100, cost_missing_calls=90, cost_rated=90.0, seconds_rated=6000.0)
    plain = DayFigures(calls=100, cost_missing_calls=1, cost_rated=1.0, seconds_rated=6000.0)
    history = days_before(28, plain)
    history |= {MONDAY + timedelta(days=ahead): odd for ahead in range(40)}
    history |= {MONDAY - timedelta(days=back): odd for back in range(29, 80)}
    assert judged(name, plain, history).usual
    assert not judged(name, odd, history).usual


@pytest.mark.parametrize("name", ["missing_cost_share_normal", "cost_per_minute_normal"])
def test_with_less_than_a_week_to_go_by_costs_are_not_judged(name):
    odd = DayFigures(calls=100, cost_missing_calls=90, cost_rated=90.0, seconds_rated=6000.0)
    plain = DayFigures(calls=100, cost_missing_calls=1, cost_rated=1.0, seconds_rated=6000.0)
    found = judged(name, odd, days_before(6, plain))
    assert found.usual
    assert "too few to judge" in found.words
    assert not judged(name, odd, days_before(7, plain)).usual


@pytest.mark.parametrize("name", ["missing_cost_share_normal", "cost_per_minute_normal"])
def test_a_few_calls_are_neither_judged_nor_history(name):
    few = DayFigures(calls=19, cost_missing_calls=19, cost_rated=9.0, seconds_rated=599.0)
    assert judged(name, few, days_before(28, missing(0), priced(0.1))).usual
    plain = DayFigures(calls=100, cost_missing_calls=1, cost_rated=1.0, seconds_rated=6000.0)
    assert "too few to judge" in judged(name, plain, days_before(28, few)).words


@pytest.mark.parametrize(("calls", "usual"), [(50, True), (49, False), (0, False), (1000, True)])
def test_a_day_has_half_the_calls_of_its_weekday_or_more(calls, usual):
    found = judged("call_volume_normal", DayFigures(calls=calls), mondays(100, 90, 110, 100, 100))
    assert (found.usual, found.figures) == (usual, {"calls": calls, "usually": 100})


@pytest.mark.parametrize(
    ("history", "says"),
    [
        (mondays(100, 100, 100), "only 3 of the same weekday before"),
        ({}, "only 0 of the same weekday before"),
        (mondays(19, 19, 19, 19), "is 19"),
        (mondays(None, None, None, None, 100), "is 0"),
    ],
)
def test_no_calls_are_usual_on_a_weekday_with_few_or_an_unknown_number(history, says):
    found = judged("call_volume_normal", DayFigures(calls=0), history)
    assert found.usual
    assert says in found.words


def test_a_day_that_is_not_over_is_not_held_against_whole_ones():
    found = judged("call_volume_normal", DayFigures(calls=0, is_over=False), mondays(100, 100, 100, 100))
    assert (found.usual, found.words) == (True, "The day is not over.")


def test_recent_days_without_calls_are_named_though_nothing_is_built_of_them():
    every_day = {MONDAY - timedelta(days=back): DayFigures(calls=100) for back in range(70)}
    assert quiet_days(every_day, MONDAY).usual
    lost = {day: figures for day, figures in every_day.items() if day not in (date(2026, 3, 1), date(2026, 2, 25))}
    found = quiet_days(lost, MONDAY)
    assert not found.usual
    assert found.words.endswith(": 2026-02-25, 2026-03-01.")
    assert quiet_days(lost, MONDAY, [date(2026, 3, 1)]).words.endswith(": 2026-02-25."), "the other waits to be built"
    assert quiet_days(every_day | {MONDAY: DayFigures(calls=0)}, MONDAY).usual, "today is not over"
    long_ago = {day: figures for day, figures in every_day.items() if day != date(2026, 2, 22)}
    assert quiet_days(long_ago, MONDAY).usual
    assert quiet_days({}, MONDAY).usual


def test_rejected_items_are_told_for_a_week():
    assert rejected_items({}, MONDAY).usual
    assert rejected_items({MONDAY - timedelta(days=7): 5, MONDAY: 0}, MONDAY).usual
    found = rejected_items({MONDAY - timedelta(days=6): 2, MONDAY: 1}, MONDAY)
    assert (found.usual, found.figures) == (False, {"rejected items": 3})


def test_the_last_full_scan_counts():
    started = datetime(2026, 3, 2, 2, 23, tzinfo=UTC)
    assert full_scan(None).usual
    assert full_scan((started, True)).usual
    found = full_scan((started, False))
    assert not found.usual
    assert "2026-03-02 02:23 UTC" in found.words
