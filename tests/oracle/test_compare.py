"""Comparing tables, and what holds for the oracle's tables of any day, whatever the API sent."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracle.compare import assert_same_rows, assert_same_tables
from tests.oracle.examples import call, tables
from tests.oracle.names import COLUMNS, KEYS
from tests.oracle.tables import expected_lake
from tests.support.examples import examples
from tests.support.generated_calls import histories, shapings
from tests.support.json_text import SPELLINGS, Sent, Twice, to_json, to_json_bytes

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
