"""The marts of a day, worked out by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from pipelines.dictionary.schemas import polars_schema
from pipelines.metrics import (
    CALL_COLUMNS,
    HOURLY_CALL_COLUMNS,
    LEG_COLUMNS,
    call_metrics_daily,
    call_volume_hourly,
    transfer_metrics_daily,
)
from tests.support.frames import DAY, at, call, frame, leg


def metrics(*rows: dict[str, object]) -> pl.DataFrame:
    return call_metrics_daily(frame("calls", *rows).select(CALL_COLUMNS))


def test_a_day_worked_out_by_hand():
    day = metrics(
        call("a", duration_seconds=60.0, cost=0.10, turn_count=4, message_count=3, user_word_count=10),
        call(
            "b", duration_seconds=600.0, cost=0.60, is_transferred=True, seconds_to_transfer=45.0, agent_word_count=30
        ),
        call("c", duration_seconds=5.0, cost=None, outcome="failed", summary="Hung up.", extractions='{"a": null}'),
        call("d", duration_seconds=0.0, cost=0.02, outcome="no_answer", summary=" \t\x1f", extractions="{ }"),
        call("e", duration_seconds=None, cost=0.03, outcome="in_progress"),
        call("f", duration_seconds=40.0, cost=0.01, outcome="voicemail"),
        call("g", duration_seconds=12.0, cost=0.05, outcome="unknown"),
    )
    row = day.row(0, named=True)
    counts = {
        "calls": 7,
        "terminal_calls": 5,
        "connected_calls": 4,
        "connected_terminal_calls": 3,
        "completed_calls": 2,
        "failed_calls": 1,
        "no_answer_calls": 1,
        "busy_calls": 0,
        "voicemail_calls": 1,
        "canceled_calls": 0,
        "unknown_outcome_calls": 1,
        "transferred_calls": 1,
        "contained_calls": 2,
        "short_calls": 1,
        "cost_missing_calls": 1,
        "summary_calls": 1,
        "extraction_calls": 1,
        "duration_calls": 4,
        "turn_calls": 1,
        "seconds_to_transfer_calls": 1,
        "duration_le_10": 1,
        "duration_le_30": 1,
        "duration_le_60": 1,
        "duration_le_120": 0,
        "duration_le_300": 0,
        "duration_le_600": 1,
        "duration_le_1800": 0,
        "duration_gt_1800": 0,
        "messages": 3,
        "user_words": 10,
        "agent_words": 30,
        "turns": 4,
    }
    sums = {
        "duration_seconds": 677.0,
        "cost": 0.81,
        "cost_rated": 0.76,
        "seconds_rated": 712.0,
        "cost_zero_duration": 0.05,
        "seconds_to_transfer": 45.0,
    }
    ratios = {
        "cost_per_minute": 0.76 / (712 / 60),
        "average_duration_seconds": 677 / 4,
        "connect_rate": 4 / 7,
        "completion_rate": 2 / 5,
        "transfer_rate": 1 / 4,
        "transfer_rate_all": 1 / 7,
        "containment_rate": 2 / 3,
        "short_call_rate": 1 / 4,
        "agent_word_share": 30 / 40,
    }
    assert day.height == 1
    assert {name: row[name] for name in counts} == counts
    assert {name: row[name] for name in sums | ratios} == pytest.approx(sums | ratios)


def test_children_and_deleted_calls_do_not_count():
    day = metrics(call("a"), call("b", is_root=False, parent_call_id="a"), call("c", deleted_at=at("13:00")))
    assert day["calls"].to_list() == [1]
    assert metrics(call("c", deleted_at=at("13:00"))).height == 0


def test_rows_are_by_dimension_sorted_with_nulls_first_and_nulls_are_one_group():
    day = metrics(
        call("a", agent_id="agent_2"),
        call("b", agent_id=None),
        call("c", agent_id="agent_1", provider=None),
        call("d", agent_id=None),
        call("e", agent_id="agent_1", provider="sip"),
    )
    rows = day.select("agent_id", "provider", "calls").rows()
    assert rows == [(None, "twilio", 2), ("agent_1", None, 1), ("agent_1", "sip", 1), ("agent_2", "twilio", 1)]


def test_a_sum_of_nothing_is_null_and_a_sum_of_zeros_is_zero():
    nothing = metrics(call(duration_seconds=None, cost=None, outcome="busy")).row(0, named=True)
    sums = ["duration_seconds", "cost", "cost_rated", "seconds_rated", "cost_zero_duration", "messages", "user_words"]
    sums += ["agent_words", "turns", "seconds_to_transfer"]
    assert {name: nothing[name] for name in sums} == dict.fromkeys(sums)
    zeros = call(duration_seconds=0.0, cost=0.0, is_transferred=True, seconds_to_transfer=0.0)
    zeros |= {"message_count": 0, "user_word_count": 0, "agent_word_count": 0, "turn_count": 0}
    known = metrics(zeros).row(0, named=True)
    assert {name: known[name] for name in sums} == dict.fromkeys(sums, 0) | {"cost_rated": None, "seconds_rated": None}


def test_a_ratio_without_denominator_is_null():
    row = metrics(call(duration_seconds=0.0, outcome="unknown", user_word_count=0, agent_word_count=0)).row(
        0, named=True
    )
    empty = ["cost_per_minute", "average_duration_seconds", "completion_rate", "transfer_rate", "containment_rate"]
    empty += ["short_call_rate", "agent_word_share"]
    assert {name: row[name] for name in empty} == dict.fromkeys(empty)
    assert (row["connect_rate"], row["transfer_rate_all"]) == (0.0, 0.0)


def test_a_quotient_too_large_to_be_a_number_is_null():
    assert metrics(call(cost=1e308, duration_seconds=1e-300))["cost_per_minute"].to_list() == [None]


def test_the_bounds_of_the_duration_buckets_belong_to_the_lower_bucket():
    lengths = [10.0, 10.5, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 1800.5]
    row = metrics(*(call(str(length), duration_seconds=length) for length in lengths)).row(0, named=True)
    buckets = [row[name] for name in row if name.startswith(("duration_le", "duration_gt"))]
    assert buckets == [1, 2, 1, 1, 1, 1, 1, 1]


def test_a_transferred_call_of_no_length_is_connected_short_and_in_the_first_bucket():
    row = metrics(call(duration_seconds=0.0, is_transferred=True)).row(0, named=True)
    assert (row["connected_calls"], row["short_calls"], row["duration_le_10"], row["duration_calls"]) == (1, 1, 1, 1)


def leg_metrics(*rows: dict[str, object]) -> pl.DataFrame:
    return transfer_metrics_daily(frame("transfer_legs", *rows).select(LEG_COLUMNS))


def test_legs_of_a_day_worked_out_by_hand():
    day = leg_metrics(
        leg("a", duration_seconds=30.0, cost=0.05, seconds_to_transfer=20.0),
        leg("b", duration_seconds=90.0, cost=None, seconds_to_transfer=None),
        leg("c", transfer_outcome="failed", duration_seconds=0.0, cost=0.01, seconds_to_transfer=40.0),
        leg("d", transfer_outcome="pending", duration_seconds=None, cost=0.02, seconds_to_transfer=None),
        leg("e", transfer_outcome="unknown", duration_seconds=60.0, cost=0.10, seconds_to_transfer=None),
        leg("f", deleted_at=at("13:00")),
    )
    assert day.height == 1
    row = day.row(0, named=True)
    expected = {
        "organization_id": "org_1",
        "agent_id": "agent_1",
        "phone_number_id": "number_1",
        "direction": "inbound",
        "transfer_type": "warm",
        "legs": 5,
        "successful_legs": 2,
        "failed_legs": 1,
        "pending_legs": 1,
        "unknown_legs": 1,
        "duration_seconds": 180.0,
        "duration_legs": 4,
        "cost": 0.18,
        "cost_rated": 0.15,
        "seconds_rated": 90.0,
        "seconds_to_transfer": 60.0,
        "seconds_to_transfer_legs": 2,
        "transfer_success_rate": 2 / 3,
        "average_leg_seconds": 45.0,
        "cost_per_minute": 0.10,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_pending_and_unknown_legs_alone_give_no_success_rate():
    row = leg_metrics(leg(transfer_outcome="pending", duration_seconds=None, cost=None, seconds_to_transfer=None))
    null = ["duration_seconds", "cost", "cost_rated", "seconds_rated", "seconds_to_transfer"]
    null += ["transfer_success_rate", "average_leg_seconds", "cost_per_minute"]
    assert row.select(null).row(0) == (None,) * len(null)


def test_legs_are_grouped_by_kind_of_transfer_with_none_first():
    day = leg_metrics(leg("a", transfer_type="warm"), leg("b", transfer_type=None), leg("c", transfer_type="cold"))
    assert day["transfer_type"].to_list() == [None, "cold", "warm"]


def volume(*rows: dict[str, object], day: date = DAY, timezone: str = "UTC") -> pl.DataFrame:
    return call_volume_hourly(frame("calls", *rows).select(HOURLY_CALL_COLUMNS), day=day, timezone=timezone)


def around(day: date, timezone: str) -> list[tuple[int, str, int, int]]:
    """Return hour_utc and the local columns of a day with a call in each of its hours."""
    calls = [call(str(hour), created_at=at(f"{hour:02}:30", day)) for hour in range(24)]
    hours = volume(*calls, day=day, timezone=timezone)
    return hours.select("hour_utc", pl.col("local_date").cast(pl.String), "local_hour", "local_weekday").rows()


def test_hours_of_a_day_worked_out_by_hand():
    hours = volume(
        call("a", created_at=at("10:05"), duration_seconds=60.0, cost=0.10),
        call("b", created_at=at("10:59:59"), duration_seconds=120.0, cost=None, is_transferred=True),
        call("c", created_at=at("10:30"), duration_seconds=0.0, cost=0.02, outcome="busy"),
        call("d", created_at=at("11:00"), duration_seconds=30.0, cost=0.05, outcome="in_progress"),
        call("e", created_at=at("11:10"), direction="outbound", duration_seconds=None, cost=None, outcome="failed"),
        call("f", created_at=at("11:10"), is_root=False),
        call("g", created_at=at("12:10"), deleted_at=at("13:00")),
    )
    columns = [
        *("hour_utc", "agent_id", "direction", "local_date", "local_hour", "local_weekday", "calls", "connected_calls"),
        *("connected_terminal_calls", "completed_calls", "transferred_calls", "contained_calls"),
        *("duration_seconds", "cost", "cost_rated", "seconds_rated", "peak_concurrency"),
    ]
    rows = [
        (10, "agent_1", "inbound", DAY, 10, 1, 3, 2, 2, 2, 1, 1, 180.0, 0.12, 0.10, 60.0, 1),
        (11, "agent_1", "inbound", DAY, 11, 1, 1, 1, 0, 0, 0, 0, 30.0, 0.05, 0.05, 30.0, 2),
        (11, "agent_1", "outbound", DAY, 11, 1, 1, 0, 0, 0, 0, 0, None, None, None, None, 0),
    ]
    assert hours.rows(named=True) == [pytest.approx(dict(zip(columns, row, strict=True))) for row in rows]


def test_the_hour_is_that_of_the_start_where_creation_is_not_known():
    hours = volume(
        call("a", created_at=None, started_at=at("07:15")), call("b", created_at=at("09:00"), started_at=None)
    )
    assert hours["hour_utc"].to_list() == [7, 9]


def test_a_spring_day_in_new_york_skips_an_hour():
    hours = around(date(2026, 3, 8), "America/New_York")
    assert hours[4:9] == [
        (4, "2026-03-07", 23, 6),
        (5, "2026-03-08", 0, 7),
        (6, "2026-03-08", 1, 7),
        (7, "2026-03-08", 3, 7),
        (8, "2026-03-08", 4, 7),
    ]


def test_an_autumn_day_in_berlin_has_an_hour_twice():
    assert around(date(2026, 10, 25), "Europe/Berlin")[:3] == [
        (0, "2026-10-25", 2, 7),
        (1, "2026-10-25", 2, 7),
        (2, "2026-10-25", 3, 7),
    ]


@pytest.mark.parametrize(
    ("timezone", "first", "last"),
    [
        ("Asia/Kolkata", (0, "2026-03-02", 5, 1), (23, "2026-03-03", 4, 2)),
        ("Asia/Kathmandu", (0, "2026-03-02", 5, 1), (23, "2026-03-03", 4, 2)),
        ("America/St_Johns", (0, "2026-03-01", 20, 7), (23, "2026-03-02", 19, 1)),
        ("Pacific/Kiritimati", (0, "2026-03-02", 14, 1), (23, "2026-03-03", 13, 2)),
    ],
)
def test_in_a_zone_off_the_full_hour_the_local_columns_are_those_of_the_hours_beginning(timezone, first, last):
    hours = around(DAY, timezone)
    assert (hours[0], hours[-1]) == (first, last)


def peaks(*spans: tuple[datetime | None, datetime | None], created: str = "10:00") -> list[int]:
    rows = [
        call(str(number), created_at=at(created), started_at=start, ended_at=end)
        for number, (start, end) in enumerate(spans)
    ]
    return volume(*rows)["peak_concurrency"].to_list()


def test_calls_that_meet_end_to_start_are_never_alive_together():
    assert peaks((at("10:00"), at("10:10")), (at("10:10"), at("10:20"))) == [1]


def test_a_call_that_ends_on_the_hour_is_not_alive_in_it():
    spans = (at("09:50"), at("10:00")), (at("09:55"), at("10:00")), (at("10:30"), at("10:30"))
    assert peaks(*spans) == [0]


def test_a_call_that_began_hours_before_still_counts():
    assert peaks((at("08:00"), at("10:00:01")), (at("10:00"), at("10:10"))) == [2]


def test_a_call_without_start_or_end_or_with_its_end_before_its_start_is_left_out():
    spans = (at("10:00"), None), (None, at("10:30")), (at("10:20"), at("10:05")), (at("10:00"), at("11:00"))
    assert peaks(*spans) == [1]


def test_a_call_that_starts_after_its_day_is_alive_in_none_of_its_hours():
    later = at("00:05") + timedelta(days=1)
    assert peaks((later, later + timedelta(minutes=5)), created="23:59") == [0]


def test_calls_of_another_agent_direction_or_day_part_do_not_meet():
    span = {"created_at": at("10:00"), "duration_seconds": 600.0}
    hours = volume(
        call("a", **span),
        call("b", **span, agent_id="agent_2"),
        call("c", **span, direction="outbound"),
        call("d", **span, agent_id=None),
        call("e", **span, agent_id=None),
        call("f", **span, is_root=False),
        call("g", **span, deleted_at=at("13:00")),
    )
    assert hours.select("agent_id", "direction", "peak_concurrency").rows() == [
        (None, "inbound", 2),
        ("agent_1", "inbound", 1),
        ("agent_1", "outbound", 1),
        ("agent_2", "inbound", 1),
    ]


@pytest.mark.parametrize(
    ("mart", "made", "row"),
    [
        ("call_metrics_daily", metrics, call()),
        ("transfer_metrics_daily", leg_metrics, leg()),
        ("call_volume_hourly", volume, call()),
    ],
)
def test_columns_types_and_order_are_the_dictionarys(mart, made, row):
    assert made(row).schema == made().schema == polars_schema(mart)
    assert made().height == 0
