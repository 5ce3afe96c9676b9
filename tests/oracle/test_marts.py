"""The oracle's marts by hand, what holds for its tables of any day, and how tables are compared."""

import json
import math
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracle.compare import assert_same_rows, assert_same_tables
from tests.oracle.examples import DAY, LANDED, call, only, pick, tables
from tests.oracle.items import Version
from tests.oracle.names import KEYS
from tests.oracle.rows import Shaping
from tests.oracle.tables import COLUMNS, expected_lake
from tests.support.examples import examples
from tests.support.generated_calls import histories, shapings
from tests.support.json_text import SPELLINGS, Sent, Twice, to_json, to_json_bytes

NOON = "2026-03-10T12:00:00Z"


def metrics(*calls):
    return only(tables(*calls)["call_metrics_daily"])


def at(clock, day="2026-03-10"):
    return f"{day}T{clock}:00Z"


def test_a_day_of_calls_by_hand():
    said = [{"role": "agent", "content": "a b c"}, {"role": "user", "content": "d"}]
    row = metrics(
        # cost and duration: 0.60 over 600 s and 0.10 over 60 s are rated.
        call("c1", status="ended", durationSeconds=600, cost=0.6, transcript=said, turnCount=2),
        call("c2", status="ended", durationSeconds=60, cost="0.10", transcript=[], analysis={"summary": " "}),
        # Transferred: connected though nobody knows for how long; its cost is not rated.
        call("c3", status="failed", cost=0.05, startedAt=NOON, transferCalls=[{"id": "l", "startedAt": at("12:01")}]),
        # Nobody reached; its duration counts in the rate per minute only.
        call(
            "c4", status="no-answer", durationSeconds=40, cost=0.3, analysis={"summary": "s", "extractions": {"k": 0}}
        ),
        call("c5", status="ringing", turnCount=3),
        call("c6", status="odd", durationSeconds=9.5, cost=0),
        call("c7", status="busy", durationSeconds=0, cost=0.02),
        call("c8", parentCallId="elsewhere", durationSeconds=10, cost=100),
    )
    counts = {
        "calls": 7,
        "terminal_calls": 5,
        "connected_calls": 4,
        "connected_terminal_calls": 3,
        "completed_calls": 2,
        "failed_calls": 1,
        "no_answer_calls": 1,
        "busy_calls": 1,
        "voicemail_calls": 0,
        "canceled_calls": 0,
        "unknown_outcome_calls": 1,
        "transferred_calls": 1,
        "contained_calls": 2,
        "short_calls": 1,
        "cost_missing_calls": 1,
        "summary_calls": 1,
        "extraction_calls": 1,
    }
    assert {name: row[name] for name in counts} == counts
    sums = {
        "duration_seconds": 669.5,
        "duration_calls": 3,
        "cost": 1.07,
        "cost_rated": 1.0,
        "seconds_rated": 709.5,
        "cost_zero_duration": 0.07,
        "messages": 2,
        "user_words": 1,
        "agent_words": 3,
        "turns": 5,
        "turn_calls": 2,
        "seconds_to_transfer": 60.0,
        "seconds_to_transfer_calls": 1,
    }
    assert {name: row[name] for name in sums} == pytest.approx(sums)
    ratios = {
        "cost_per_minute": 1.0 / (709.5 / 60),
        "average_duration_seconds": 669.5 / 3,
        "connect_rate": 4 / 7,
        "completion_rate": 2 / 5,
        "transfer_rate": 1 / 4,
        "transfer_rate_all": 1 / 7,
        "containment_rate": 2 / 3,
        "short_call_rate": 1 / 4,
        "agent_word_share": 3 / 4,
    }
    assert {name: row[name] for name in ratios} == pytest.approx(ratios)


def test_nothing_known_is_null_and_not_zero():
    row = metrics(call("c1"))
    assert (row["calls"], row["unknown_outcome_calls"], row["cost_missing_calls"]) == (1, 1, 1)
    for name in ("duration_seconds", "cost", "cost_rated", "seconds_rated", "cost_zero_duration", "messages"):
        assert row[name] is None
    for name in ("user_words", "agent_words", "turns", "seconds_to_transfer"):
        assert row[name] is None
    assert (row["duration_calls"], row["turn_calls"], row["seconds_to_transfer_calls"]) == (0, 0, 0)
    for name in ("cost_per_minute", "average_duration_seconds", "completion_rate", "transfer_rate"):
        assert row[name] is None
    for name in ("containment_rate", "short_call_rate", "agent_word_share"):
        assert row[name] is None
    assert (row["connect_rate"], row["transfer_rate_all"]) == (0.0, 0.0)


def test_the_buckets_of_the_histogram_join_without_overlap():
    seconds = [0, 10, 10.5, 30, 60, 60.1, 120, 300, 301, 600, 1800, 1800.5, 9000]
    row = metrics(
        *(call(f"c{i}", status="ended", transferType="warm", durationSeconds=s) for i, s in enumerate(seconds))
    )
    buckets = [row[name] for name in COLUMNS["call_metrics_daily"] if name.startswith(("duration_le", "duration_gt"))]
    assert buckets == [2, 2, 1, 2, 1, 2, 1, 2]
    assert sum(buckets) == row["duration_calls"] == 13
    assert row["short_calls"] == 1


def test_deleted_and_child_calls_are_left_out():
    gone = Version("c2", None, LANDED + timedelta(days=1))
    of_day = tables(call("c1"), call("c2"), gone, call("c3", parentCallId="c1"))
    assert only(of_day["call_metrics_daily"])["calls"] == 1
    assert only(of_day["call_volume_hourly"])["calls"] == 1


def test_unknown_dimensions_are_a_group_of_their_own_and_come_first():
    of_day = tables(call("c1", agentId="a"), call("c2"), call("c3", agentId="a", provider="sip"), call("c4"))
    columns = ("organization_id", "agent_id", "phone_number_id", "direction", "provider", "calls")
    assert pick(of_day["call_metrics_daily"], *columns) == [
        (None, None, None, None, None, 2),
        (None, "a", None, None, None, 1),
        (None, "a", None, None, "sip", 1),
    ]


def test_legs_by_hand():
    legs = [
        {"id": "l1", "transferStatus": "Bridged", "durationSeconds": 60, "cost": 1, "startedAt": at("12:01")},
        {"id": "l2", "transferStatus": "no-answer", "durationSeconds": 0, "cost": 0.5},
        {"id": "l3", "transferStatus": "briefing", "cost": 0.25, "startedAt": at("12:02")},
        {"id": "l4", "durationSeconds": 30},
    ]
    row = only(tables(call("c", startedAt=NOON, transferCalls=legs))["transfer_metrics_daily"])
    expected = {
        "organization_id": None,
        "agent_id": None,
        "phone_number_id": None,
        "direction": None,
        "transfer_type": None,
        "legs": 4,
        "successful_legs": 1,
        "failed_legs": 1,
        "pending_legs": 1,
        "unknown_legs": 1,
        "duration_seconds": 90.0,
        "duration_legs": 3,
        "cost": 1.75,
        "cost_rated": 1.0,
        "seconds_rated": 60.0,
        "seconds_to_transfer": 180.0,
        "seconds_to_transfer_legs": 2,
        "transfer_success_rate": 0.5,
        "average_leg_seconds": 30.0,
        "cost_per_minute": 1.0,
    }
    assert {name: row[name] for name in expected} == expected


def test_an_hour_is_that_of_creation_and_else_of_the_start():
    of_day = tables(
        call("c1", createdAt=at("09:59"), startedAt=at("11:00")),
        call("c2", createdAt=None, startedAt=at("23:00")),
        call("c3", createdAt="2026-03-10T01:30:00+01:00"),
    )
    assert pick(of_day["call_volume_hourly"], "hour_utc", "calls") == [(0, 1), (9, 1), (23, 1)]


@pytest.mark.parametrize(
    ("zone", "day", "clock", "local"),
    [
        ("UTC", DAY, "23:30", (date(2026, 3, 10), 23, 2)),
        ("Asia/Kolkata", DAY, "18:59", (date(2026, 3, 10), 23, 2)),
        ("Asia/Kolkata", DAY, "19:00", (date(2026, 3, 11), 0, 3)),
        ("Asia/Kathmandu", DAY, "00:10", (date(2026, 3, 10), 5, 2)),
        ("America/New_York", date(2026, 3, 8), "06:30", (date(2026, 3, 8), 1, 7)),
        ("America/New_York", date(2026, 3, 8), "07:30", (date(2026, 3, 8), 3, 7)),
        ("America/New_York", date(2026, 11, 1), "05:30", (date(2026, 11, 1), 1, 7)),
        ("America/New_York", date(2026, 11, 1), "06:30", (date(2026, 11, 1), 1, 7)),
        ("Australia/Lord_Howe", DAY, "12:59", (date(2026, 3, 10), 23, 2)),
    ],
)
def test_local_hours_are_of_the_start_of_the_utc_hour(zone, day, clock, local):
    of_day = tables(call(createdAt=at(clock, day)), day=day, shaping=Shaping(timezone=zone))
    row = only(of_day["call_volume_hourly"])
    assert (row["local_date"], row["local_hour"], row["local_weekday"]) == local


def peaks(*spans, extra=()):
    calls = [
        call(f"c{i}", createdAt=at(start), startedAt=at(start), endedAt=at(end)) for i, (start, end) in enumerate(spans)
    ]
    return pick(tables(*calls, *extra)["call_volume_hourly"], "hour_utc", "peak_concurrency")


def test_a_call_that_ends_when_another_starts_is_not_beside_it():
    assert peaks(("10:00", "10:30"), ("10:30", "10:45"), ("10:40", "10:50")) == [(10, 2)]


def test_a_call_lives_on_into_the_next_hour_but_not_when_it_ends_on_it():
    assert peaks(("10:50", "11:00"), ("11:30", "11:40")) == [(10, 1), (11, 1)]
    assert peaks(("10:50", "11:01"), ("11:30", "11:40")) == [(10, 1), (11, 1)]
    assert peaks(("10:50", "11:31"), ("11:30", "11:40")) == [(10, 1), (11, 2)]
    assert peaks(("10:00", "11:00"), ("10:59", "11:10"), ("11:00", "11:05")) == [(10, 2), (11, 2)]


def test_a_peak_needs_both_ends_of_a_call():
    assert peaks(("10:00", "10:00")) == [(10, 0)]
    assert peaks(("10:10", "10:00")) == [(10, 0)]
    open_end = call("x", createdAt=at("10:00"), startedAt=at("10:00"))
    assert peaks(("10:00", "10:10"), extra=[open_end]) == [(10, 1)]


def test_a_peak_is_over_the_calls_of_one_agent_and_direction_that_count():
    span = {"createdAt": at("10:00"), "startedAt": at("10:00"), "endedAt": at("10:10")}
    others = [
        call("x", agentId="a", **span),
        call("y", direction="outbound", **span),
        call("z", parentCallId="c0", **span),
    ]
    assert peaks(("10:00", "10:10"), extra=others) == [(10, 1), (10, 1), (10, 1)]


def test_a_peak_of_an_hour_counts_calls_created_in_another():
    early = call("e", createdAt=at("08:00"), startedAt=at("10:05"), endedAt=at("10:20"))
    assert peaks(("10:10", "10:30"), extra=[early]) == [(8, 0), (10, 2)]


OF_DAY = tables(call("c1", cost=0.1, durationSeconds=7, agentId=7), call("c2", cost="x", status="?"))


def changed(table, index, **columns):
    return [row | columns if at == index else row for at, row in enumerate(OF_DAY[table])]


def test_rows_are_the_same_as_themselves_but_for_the_rounding_of_sums_and_the_wording():
    assert_same_tables(OF_DAY, OF_DAY)
    assert_same_rows(changed("calls", 0, cost=0.1 * (1 + 1e-12)), OF_DAY["calls"], "calls")
    assert_same_rows(changed("data_issues", 0, message="otherwise"), OF_DAY["data_issues"], "data_issues")


@pytest.mark.parametrize(
    ("table", "rows", "said"),
    [
        ("calls", changed("calls", 0, cost=0.10001), r"\('c1',\): cost is 0.10001, expected 0.1"),
        ("calls", changed("calls", 0, cost=None), "cost is None, expected 0.1"),
        ("calls", changed("calls", 0, cost=float("nan")), "cost is nan"),
        ("calls", changed("calls", 0, version_count=1.0), "version_count is 1.0, expected 1"),
        ("calls", changed("calls", 0, version_count=True), "version_count is True, expected 1"),
        ("calls", OF_DAY["calls"][::-1], "not sorted"),
        ("calls", OF_DAY["calls"][:1], r"missing: \[\('c2',\)\]"),
        ("calls", [*OF_DAY["calls"], OF_DAY["calls"][1]], r"not expected: \[\('c2',\)\]"),
        ("calls", [dict(reversed(row.items())) for row in OF_DAY["calls"]], "has columns"),
        ("data_issues", changed("data_issues", 0, message=" "), "message is ' '"),
        ("data_issues", changed("data_issues", 0, raw_value="8"), "raw_value is '8', expected '7'"),
    ],
)
def test_a_difference_is_reported(table, rows, said):
    with pytest.raises(AssertionError, match=said):
        assert_same_rows(rows, OF_DAY[table], table)


def test_a_missing_table_is_reported():
    with pytest.raises(AssertionError, match="tables are"):
        assert_same_tables({"calls": OF_DAY["calls"]}, OF_DAY)


slow_to_draw = settings(max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])


@slow_to_draw
@given(histories(), shapings())
def test_keys_are_unique_and_counts_agree(history, shaping):
    for of_day in expected_lake(history.versions, history.rejected, shaping).values():
        assert_same_tables(of_day, of_day)
        for table, rows in of_day.items():
            keys = [tuple(row[name] for name in KEYS[table]) for row in rows]
            assert table == "data_issues" or len(set(keys)) == len(keys)
            assert all(math.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))
        counted = [row for row in of_day["calls"] if row["is_root"] and row["deleted_at"] is None]
        for mart in ("call_metrics_daily", "call_volume_hourly"):
            assert sum(row["calls"] for row in of_day[mart]) == len(counted)
            assert sum(row["contained_calls"] for row in of_day[mart]) == sum(row["is_contained"] for row in counted)
        assert sum(row["transfer_leg_count"] for row in of_day["calls"]) <= len(of_day["transfer_legs"])
        for row in of_day["call_metrics_daily"]:
            buckets = [
                row[name] for name in COLUMNS["call_metrics_daily"] if name.startswith(("duration_le", "duration_gt"))
            ]
            assert sum(buckets) == row["duration_calls"]


@slow_to_draw
@given(histories(), shapings())
def test_the_order_of_arrival_in_the_lists_makes_no_difference(history, shaping):
    backwards = {day: versions[::-1] for day, versions in history.versions.items()}
    first = expected_lake(history.versions, history.rejected, shaping)
    second = expected_lake(backwards, history.rejected, shaping)
    assert first == second


def test_json_is_written_as_it_should_be_sent():
    value = {"a": Twice(1, Sent("1.50")), "b": ["\ud800é", {}, [], None, True], "\U0001f600": Sent("NaN")}
    assert to_json(value) == '{"a":1,"a":1.50,"b":["\\ud800\\u00e9",{},[],null,true],"\\ud83d\\ude00":NaN}'
    for spelling in SPELLINGS:
        read = json.loads(to_json_bytes(value, spelling))
        assert (read["a"], read["b"][0]) == (1.5, "\ud800é")
        assert math.isnan(read["\U0001f600"])
