"""What must hold for any day: nothing is lost between calls and marts, and ratios can be had at any coarser grain."""

from __future__ import annotations

import math
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dictionary import TABLES, ratios_of
from pipelines.metrics import CALL_COLUMNS, LEG_COLUMNS, call_metrics_daily, call_volume_hourly, transfer_metrics_daily
from tests.support.examples import examples
from tests.support.frames import DAY, at, call, frame, leg

OUTCOMES = ("completed", "failed", "no_answer", "busy", "voicemail", "canceled", "in_progress", "unknown")
TRANSFER_OUTCOMES = ("success", "failed", "pending", "unknown")

seconds = st.none() | st.sampled_from([0.0, 9.9, 10.0, 600.0, 1800.0]) | st.floats(0.001, 5000)
money = st.none() | st.floats(0, 1000)
counts = st.none() | st.integers(0, 1000)
dimensions = {
    "agent_id": st.sampled_from([None, "", "agent_1", "agent_2"]),
    "direction": st.sampled_from([None, "inbound", "outbound"]),
}
# Minutes apart, so that ends meet starts and hours often.
minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: at("00:00") + timedelta(minutes=minute))


@st.composite
def calls(draw: st.DrawFn) -> dict[str, object]:
    return call(
        created_at=draw(minutes),
        started_at=draw(st.none() | minutes),
        ended_at=draw(st.none() | minutes),
        outcome=draw(st.sampled_from(OUTCOMES)),
        is_root=draw(st.sampled_from([True, True, True, False])),
        deleted_at=draw(st.sampled_from([None, None, None, at("23:00")])),
        is_transferred=draw(st.booleans()),
        duration_seconds=draw(seconds),
        cost=draw(money),
        turn_count=draw(st.none() | st.integers(-5, 100)),
        message_count=draw(counts),
        user_word_count=draw(counts),
        agent_word_count=draw(counts),
        seconds_to_transfer=draw(seconds),
        **{name: draw(values) for name, values in dimensions.items()},
    )


@st.composite
def legs(draw: st.DrawFn) -> dict[str, object]:
    return leg(
        transfer_outcome=draw(st.sampled_from(TRANSFER_OUTCOMES)),
        transfer_type=draw(st.sampled_from([None, "warm", "cold"])),
        deleted_at=draw(st.sampled_from([None, None, None, at("23:00")])),
        duration_seconds=draw(seconds),
        cost=draw(money),
        seconds_to_transfer=draw(seconds),
        **{name: draw(values) for name, values in dimensions.items()},
    )


def days() -> st.SearchStrategy[list[dict[str, object]]]:
    return st.lists(calls(), max_size=12)


def total(values: list[float | None]) -> float | None:
    """Add what is known, null where nothing is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def assert_totals(mart: pl.DataFrame, expected: dict[str, float | None]) -> None:
    totals = {name: total(mart[name].to_list()) for name in expected}
    assert {name for name in totals if totals[name] is None} == {name for name in expected if expected[name] is None}
    known = {name: value for name, value in expected.items() if value is not None}
    assert {name: totals[name] for name in known} == pytest.approx(known, rel=1e-9)


def counted(day: list[dict[str, object]]) -> list[dict[str, object]]:
    return [row for row in day if row["is_root"] and row["deleted_at"] is None]


def rated(row: dict[str, object]) -> bool:
    return row["cost"] is not None and (row["duration_seconds"] or 0) > 0


@settings(max_examples=examples(60))
@given(days())
def test_sums_over_the_marts_of_calls_are_sums_over_calls(day):
    everything = frame("calls", *day)
    daily = call_metrics_daily(everything.select(CALL_COLUMNS))
    hourly = call_volume_hourly(everything, day=DAY, timezone="UTC")
    rows = counted(day)
    expected = {
        "calls": len(rows) or None,
        "cost": total([row["cost"] for row in rows]),
        "cost_rated": total([row["cost"] for row in rows if rated(row)]),
        "seconds_rated": total([row["duration_seconds"] for row in rows if rated(row)]),
        "duration_seconds": total([row["duration_seconds"] for row in rows if row["is_connected"]]),
    }
    only_daily = {
        "cost_zero_duration": total([row["cost"] for row in rows if not row["duration_seconds"]]),
        "turns": total([row["turn_count"] for row in rows]),
        "messages": total([row["message_count"] for row in rows]),
        "agent_words": total([row["agent_word_count"] for row in rows]),
        "seconds_to_transfer": total([row["seconds_to_transfer"] for row in rows]),
    }
    assert_totals(hourly, expected)
    assert_totals(daily, expected | only_daily)


@settings(max_examples=examples(60))
@given(days())
def test_parts_add_up_to_their_whole_in_every_row(day):
    daily = call_metrics_daily(frame("calls", *day))
    buckets = [name for name in daily.columns if name.startswith(("duration_le", "duration_gt"))]
    outcomes = ["completed", "failed", "no_answer", "busy", "voicemail", "canceled"]
    assert len(buckets) == 8
    for row in daily.rows(named=True):
        assert sum(row[name] for name in buckets) == row["duration_calls"]
        assert sum(row[f"{name}_calls"] for name in outcomes) == row["terminal_calls"]
        parts = (row["cost_rated"] or 0) + (row["cost_zero_duration"] or 0)
        assert (row["cost"] or 0) == pytest.approx(parts, rel=1e-9)


@settings(max_examples=examples(60))
@given(days(), st.sets(st.sampled_from(TABLES["call_metrics_daily"].key)))
def test_summed_numerators_and_denominators_give_the_ratio_of_the_rows_at_any_grain(day, grain):
    everything = frame("calls", *day)
    fine = call_metrics_daily(everything)
    # The coarser grain from the calls themselves: all that is left out of it is made one value.
    flat = [name for name in TABLES["call_metrics_daily"].key if name not in grain]
    coarse = call_metrics_daily(everything.with_columns(pl.lit("all").alias(name) for name in flat))
    assert_rolls_up("call_metrics_daily", fine, coarse, sorted(grain))


@settings(max_examples=examples(60))
@given(st.lists(legs(), max_size=12), st.sets(st.sampled_from(TABLES["transfer_metrics_daily"].key)))
def test_the_same_holds_for_transfers(day, grain):
    everything = frame("transfer_legs", *day).select(LEG_COLUMNS)
    fine = transfer_metrics_daily(everything)
    flat = [name for name in TABLES["transfer_metrics_daily"].key if name not in grain]
    coarse = transfer_metrics_daily(everything.with_columns(pl.lit("all").alias(name) for name in flat))
    assert fine["legs"].sum() == sum(row["deleted_at"] is None for row in day)
    assert_rolls_up("transfer_metrics_daily", fine, coarse, sorted(grain))


def assert_rolls_up(table: str, fine: pl.DataFrame, coarse: pl.DataFrame, grain: list[str]) -> None:
    for group in coarse.rows(named=True):
        rows = [row for row in fine.rows(named=True) if all(row[name] == group[name] for name in grain)]
        for ratio in ratios_of(TABLES[table]):
            above = total([row[ratio.numerator] for row in rows])
            below = [total([row[name] for row in rows]) for name in ratio.denominator]
            if above is None or None in below or not sum(below):
                assert group[ratio.name] is None
            else:
                assert group[ratio.name] == pytest.approx(ratio.factor * above / sum(below), rel=1e-9)


@settings(max_examples=examples(100))
@given(days())
def test_peak_concurrency_is_the_most_calls_alive_at_any_minute_of_the_hour(day):
    hourly = call_volume_hourly(frame("calls", *day), day=DAY, timezone="UTC")
    spans = [row for row in counted(day) if row["started_at"] and row["ended_at"]]
    for hour in hourly.rows(named=True):
        beginning = at("00:00") + timedelta(hours=hour["hour_utc"])
        same = [row for row in spans if (row["agent_id"], row["direction"]) == (hour["agent_id"], hour["direction"])]
        alive = [
            sum(row["started_at"] <= beginning + timedelta(minutes=minute) < row["ended_at"] for row in same)
            for minute in range(60)
        ]
        assert hour["peak_concurrency"] == max(alive)
