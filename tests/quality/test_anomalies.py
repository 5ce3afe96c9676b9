"""What counts as an anomaly: each threshold from both sides, and none with too little history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines.quality.anomalies import (
    DAILY_ANOMALY_CHECKS,
    AnomalyResult,
    DayMetrics,
    check_full_scan,
    check_recent_call_volume,
    check_rejected_items,
)

MONDAY = date(2026, 3, 2)


def evaluated(name: str, figures: DayMetrics, history: dict[date, DayMetrics] | None = None) -> AnomalyResult:
    check = next(check for check in DAILY_ANOMALY_CHECKS if check.name == name)
    return check.evaluate(MONDAY, figures, history or {})


def days_before(count: int, *figures: DayMetrics) -> dict[date, DayMetrics]:
    """Give the days before the Monday figures, in turn."""
    return {MONDAY - timedelta(days=back): figures[back % len(figures)] for back in range(1, count + 1)}


def mondays(*calls: int | None) -> dict[date, DayMetrics]:
    """Give the Mondays before these numbers of calls, the last one first; the days between have one call."""
    known = days_before(7 * len(calls), DayMetrics(calls=1))
    for weeks, count in enumerate(calls, start=1):
        known.pop(MONDAY - timedelta(weeks=weeks))
        if count is not None:
            known[MONDAY - timedelta(weeks=weeks)] = DayMetrics(calls=count)
    return known


def priced(price: float, *, minutes: float = 100) -> DayMetrics:
    return DayMetrics(calls=50, cost_rated=price * minutes, seconds_rated=60 * minutes)


def missing(count: int, calls: int = 100) -> DayMetrics:
    return DayMetrics(calls=calls, cost_missing_calls=count)


@pytest.mark.parametrize(("count", "normal"), [(0, True), (1, False)])
def test_a_single_unknown_word_is_reported(count, normal):
    found = evaluated("outcome_values_known", DayMetrics(unknown_words=count))
    assert (found.passed, found.metrics) == (normal, {"unknown words": count})


@pytest.mark.parametrize(("count", "normal"), [(0, True), (15, True), (16, False), (100, False)])
def test_costs_may_be_missing_as_often_as_before(count, normal):
    history = days_before(9, missing(4), missing(5), missing(6))  # of which the median is 5 %
    assert evaluated("missing_cost_share_normal", missing(count), history).passed is normal


@pytest.mark.parametrize(
    ("price", "normal"), [(0.10, True), (0.076, True), (0.074, False), (0.249, True), (0.251, False)]
)
def test_a_minute_may_cost_what_it_cost_before_give_or_take_a_quarter(price, normal):
    history = days_before(28, priced(0.1), priced(0.2))
    found = evaluated("cost_per_minute_normal", priced(price), history)
    assert found.passed is normal
    assert "0.1000 to 0.2000" in found.description


@pytest.mark.parametrize("name", ["missing_cost_share_normal", "cost_per_minute_normal"])
def test_costs_are_compared_with_recent_days_before_only(name):
    odd = DayMetrics(calls=100, cost_missing_calls=90, cost_rated=90.0, seconds_rated=6000.0)
    plain = DayMetrics(calls=100, cost_missing_calls=1, cost_rated=1.0, seconds_rated=6000.0)
    history = days_before(28, plain)
    history |= {MONDAY + timedelta(days=ahead): odd for ahead in range(40)}
    history |= {MONDAY - timedelta(days=back): odd for back in range(29, 80)}
    assert evaluated(name, plain, history).passed
    assert not evaluated(name, odd, history).passed


@pytest.mark.parametrize("name", ["missing_cost_share_normal", "cost_per_minute_normal"])
def test_with_less_than_a_week_of_history_costs_are_not_checked(name):
    odd = DayMetrics(calls=100, cost_missing_calls=90, cost_rated=90.0, seconds_rated=6000.0)
    plain = DayMetrics(calls=100, cost_missing_calls=1, cost_rated=1.0, seconds_rated=6000.0)
    found = evaluated(name, odd, days_before(6, plain))
    assert found.passed
    assert "too few for a comparison" in found.description
    assert not evaluated(name, odd, days_before(7, plain)).passed


@pytest.mark.parametrize("name", ["missing_cost_share_normal", "cost_per_minute_normal"])
def test_a_few_calls_are_neither_checked_nor_compared_with(name):
    few = DayMetrics(calls=19, cost_missing_calls=19, cost_rated=9.0, seconds_rated=599.0)
    assert evaluated(name, few, days_before(28, missing(0), priced(0.1))).passed
    plain = DayMetrics(calls=100, cost_missing_calls=1, cost_rated=1.0, seconds_rated=6000.0)
    assert "too few for a comparison" in evaluated(name, plain, days_before(28, few)).description


@pytest.mark.parametrize(("calls", "normal"), [(50, True), (49, False), (0, False), (1000, True)])
def test_a_day_has_half_the_calls_of_its_weekday_or_more(calls, normal):
    found = evaluated("call_volume_normal", DayMetrics(calls=calls), mondays(100, 90, 110, 100, 100))
    assert (found.passed, found.metrics) == (normal, {"calls": calls, "median": 100})


@pytest.mark.parametrize(
    ("history", "says"),
    [
        (mondays(100, 100, 100), "only 3 such weekdays before"),
        ({}, "only 0 such weekdays before"),
        (mondays(19, 19, 19, 19), "is 19"),
        (mondays(None, None, None, None, 100), "is 0"),
    ],
)
def test_no_calls_are_normal_on_a_weekday_with_few_or_an_unknown_number(history, says):
    found = evaluated("call_volume_normal", DayMetrics(calls=0), history)
    assert found.passed
    assert says in found.description


def test_a_day_that_is_not_over_is_not_compared():
    found = evaluated("call_volume_normal", DayMetrics(calls=0, is_over=False), mondays(100, 100, 100, 100))
    assert (found.passed, found.description) == (True, "The day is not over.")


def test_recent_days_without_calls_are_reported_though_nothing_is_built_for_them():
    every_day = {MONDAY - timedelta(days=back): DayMetrics(calls=100) for back in range(70)}
    assert check_recent_call_volume(every_day, MONDAY).passed
    lost = {day: figures for day, figures in every_day.items() if day not in (date(2026, 3, 1), date(2026, 2, 25))}
    found = check_recent_call_volume(lost, MONDAY)
    assert not found.passed
    assert found.description.endswith(": 2026-02-25, 2026-03-01.")
    assert check_recent_call_volume(lost, MONDAY, [date(2026, 3, 1)]).description.endswith(": 2026-02-25."), (
        "the other waits to be built"
    )
    assert check_recent_call_volume(every_day | {MONDAY: DayMetrics(calls=0)}, MONDAY).passed, "today is not over"
    long_ago = {day: figures for day, figures in every_day.items() if day != date(2026, 2, 22)}
    assert check_recent_call_volume(long_ago, MONDAY).passed
    assert check_recent_call_volume({}, MONDAY).passed


def test_rejected_items_are_reported_for_a_week():
    assert check_rejected_items({}, MONDAY).passed
    assert check_rejected_items({MONDAY - timedelta(days=7): 5, MONDAY: 0}, MONDAY).passed
    found = check_rejected_items({MONDAY - timedelta(days=6): 2, MONDAY: 1}, MONDAY)
    assert (found.passed, found.metrics) == (False, {"rejected items": 3})


def test_the_last_full_scan_counts():
    started = datetime(2026, 3, 2, 2, 23, tzinfo=UTC)
    assert check_full_scan(None).passed
    assert check_full_scan((started, True)).passed
    found = check_full_scan((started, False))
    assert not found.passed
    assert "2026-03-02 02:23 UTC" in found.description
