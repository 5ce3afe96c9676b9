from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from pipelines.dictionary.schemas import polars_schema
from pipelines.metrics import HOURLY_CALL_COLUMNS, call_volume_hourly
from tests.support.frames import DAY, at, call, frame


def volume(*rows: dict[str, object], day: date = DAY, timezone: str = "UTC") -> pl.DataFrame:
    return call_volume_hourly(frame("calls", *rows).select(HOURLY_CALL_COLUMNS), day=day, timezone=timezone)


def around(day: date, timezone: str) -> list[tuple[int, str, int, int]]:
    """Return hour_utc and the local columns of a day with a call in each of its hours."""
    calls = [call(str(hour), created_at=at(f"{hour:02}:30", day)) for hour in range(24)]
    hours = volume(*calls, day=day, timezone=timezone)
    return hours.select("hour_utc", pl.col("local_date").cast(pl.String), "local_hour", "local_weekday").rows()


def test_a_day_worked_out_by_hand():
    hours = volume(
        call("a", created_at=at("10:05"), duration_seconds=60.0, cost=0.10),
        call("b", created_at=at("10:59:59"), duration_seconds=120.0, cost=None, is_transferred=True),
        call("c", created_at=at("10:30"), duration_seconds=0.0, cost=0.02, outcome="busy"),
        call("d", created_at=at("11:00"), duration_seconds=30.0, cost=0.05, outcome="in_progress"),
        call("e", created_at=at("11:10"), direction="outbound", duration_seconds=None, cost=None, outcome="failed"),
        call("f", created_at=at("11:10"), is_root=False),
        call("g", created_at=at("12:10"), deleted_at=at("13:00")),
    )
    assert hours.rows(named=True) == [
        pytest.approx(row)
        for row in (
            {
                "hour_utc": 10,
                "agent_id": "agent_1",
                "direction": "inbound",
                "local_date": DAY,
                "local_hour": 10,
                "local_weekday": 1,
                "calls": 3,
                "connected_calls": 2,
                "connected_terminal_calls": 2,
                "completed_calls": 2,
                "transferred_calls": 1,
                "contained_calls": 1,
                "duration_seconds": 180.0,
                "cost": 0.12,
                "cost_rated": 0.10,
                "seconds_rated": 60.0,
                "peak_concurrency": 1,
            },
            {
                "hour_utc": 11,
                "agent_id": "agent_1",
                "direction": "inbound",
                "local_date": DAY,
                "local_hour": 11,
                "local_weekday": 1,
                "calls": 1,
                "connected_calls": 1,
                "connected_terminal_calls": 0,
                "completed_calls": 0,
                "transferred_calls": 0,
                "contained_calls": 0,
                "duration_seconds": 30.0,
                "cost": 0.05,
                "cost_rated": 0.05,
                "seconds_rated": 30.0,
                "peak_concurrency": 2,
            },
            {
                "hour_utc": 11,
                "agent_id": "agent_1",
                "direction": "outbound",
                "local_date": DAY,
                "local_hour": 11,
                "local_weekday": 1,
                "calls": 1,
                "connected_calls": 0,
                "connected_terminal_calls": 0,
                "completed_calls": 0,
                "transferred_calls": 0,
                "contained_calls": 0,
                "duration_seconds": None,
                "cost": None,
                "cost_rated": None,
                "seconds_rated": None,
                "peak_concurrency": 0,
            },
        )
    ]


def test_columns_types_and_order_are_the_dictionarys():
    assert volume(call()).schema == polars_schema("call_volume_hourly")
    assert volume().schema == polars_schema("call_volume_hourly")
    assert volume().height == 0


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
