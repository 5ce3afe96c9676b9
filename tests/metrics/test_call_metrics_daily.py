from __future__ import annotations

import polars as pl
import pytest

from pipelines.dictionary.schemas import polars_schema
from pipelines.metrics import CALL_COLUMNS, call_metrics_daily
from tests.support.frames import at, call, frame


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


def test_columns_types_and_order_are_the_dictionarys():
    assert metrics(call()).schema == polars_schema("call_metrics_daily")
    assert metrics().schema == polars_schema("call_metrics_daily")
    assert metrics().height == 0


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
