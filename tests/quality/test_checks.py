"""A broken day fails the check for its fault, and a valid day fails none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import inf, nan

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dictionary import TABLES
from pipelines.dictionary.schemas import polars_schema
from pipelines.quality import CHECKS
from tests.support.examples import examples
from tests.support.frames import DAY, again, call, failed, frame, leg, put, turn, with_marts


def test_a_valid_day_passes_every_check_with_one_verdict_each(day, judge):
    verdicts = judge(day)
    assert list(verdicts) == [check.name for check in CHECKS]
    assert [(verdict.passed, verdict.rows, verdict.detail) for verdict in verdicts.values()] == [(True, 0, "")] * len(
        CHECKS
    )


def test_a_day_without_rows_passes(judge):
    assert failed(judge(with_marts({table: frame(table) for table in TABLES}))) == {}


def test_checks_are_shown_on_tables_that_exist():
    assert {check.table for check in CHECKS} <= set(TABLES)


def case(name: str, table: str, breaks: Callable[[pl.DataFrame], pl.DataFrame], **found: int) -> object:
    """One way to break a table, and the checks that find it with the number of rows they find."""
    return pytest.param(table, breaks, found, id=name)


def turn_astray(**found: int) -> dict[str, int]:
    """Return what is found where a message is not in its transcript: one too few there, one too many elsewhere."""
    return {"messages_as_counted": 2} | (found or {"turns_have_calls": 1})


def leg_astray(**found: int) -> dict[str, int]:
    """Return what is found where a leg is under another call: its messages are not."""
    return {"legs_as_counted": 1, "messages_as_counted": 1, "legs_have_calls": 1} | found


def leg_gone() -> dict[str, int]:
    """Return what is found where a deleted call's leg is gone, which no mart counts."""
    return {"legs_as_counted": 1, "messages_as_counted": 1, "turns_have_calls": 1}


@pytest.mark.matrix(quick=12)
@pytest.mark.parametrize(
    ("table", "breaks", "found"),
    [
        case("a column more", "call_metrics_daily", lambda rows: rows.with_columns(more=1), columns_as_documented=1),
        case("a column less", "transcript_turns", lambda rows: rows.drop("speaker"), columns_as_documented=1),
        case("columns in another order", "calls", lambda rows: rows[rows.columns[::-1]], columns_as_documented=1),
        case("another type", "data_issues", lambda rows: rows.cast({"path": pl.Binary}), columns_as_documented=1),
        case("a call twice", "calls", lambda rows: again(rows, 4), unique_keys=1),
        case("a turn twice", "transcript_turns", lambda rows: again(rows, 0), unique_keys=1, messages_as_counted=1),
        case(
            "a turn twice, in two row groups",
            "transcript_turns",
            lambda rows: again(rows, 1),
            unique_keys=1,
            messages_as_counted=1,
        ),
        case("turns backwards", "transcript_turns", lambda rows: rows.reverse(), unique_keys=6),
        case("a row of a mart twice", "call_volume_hourly", lambda rows: again(rows, 1), unique_keys=1, mart_totals=2),
        case(
            "a turn without call",
            "transcript_turns",
            lambda rows: put(rows, 0, call_id=None),
            **turn_astray(no_null_keys=1),
        ),
        case("a turn without index", "transcript_turns", lambda rows: put(rows, 4, turn_index=None), no_null_keys=1),
        case(
            "a leg without id",
            "transfer_legs",
            lambda rows: put(rows, 1, leg_id=None)[[1, 0, 2, 3]],
            no_null_keys=1,
            messages_as_counted=1,
        ),
        case("an attribute without key", "call_attributes", lambda rows: put(rows, 0, key=None), no_null_keys=1),
        case("an hour that is null", "call_volume_hourly", lambda rows: put(rows, 0, hour_utc=None), no_null_keys=1),
        case("leg of no call", "transfer_legs", lambda rows: put(rows, 1, call_id="gone"), **leg_astray()),
        case(
            "a parent lost and here",
            "transfer_legs",
            lambda rows: put(rows, 3, call_id="call_1"),
            **leg_astray(messages_as_counted=2),
        ),
        case("nested but not found", "transfer_legs", lambda rows: put(rows, 1, parent_found=False), legs_have_calls=1),
        case("parent not said", "transfer_legs", lambda rows: put(rows, 3, parent_found=None), legs_have_calls=1),
        case("a leg from nowhere", "transfer_legs", lambda rows: put(rows, 2, source="dream"), legs_have_calls=1),
        case("a turn of no call", "transcript_turns", lambda rows: put(rows, 0, call_id="another"), **turn_astray()),
        case("a turn of no leg", "transcript_turns", lambda rows: put(rows, 4, leg_id="gone"), **turn_astray()),
        case("another call's leg", "transcript_turns", lambda rows: put(rows, 3, call_id="call_3"), **turn_astray()),
        case("a turn gone", "transcript_turns", lambda rows: rows[1:], messages_as_counted=1),
        case("a transcript gone", "transcript_turns", lambda rows: rows[[0, 1, 2, 4, 5, 6]], messages_as_counted=1),
        case("an item's turn too many", "calls", lambda rows: put(rows, 6, message_count=0), messages_as_counted=1),
        case("a leg gone", "transfer_legs", lambda rows: rows[1:], **leg_gone()),
        case("a leg that no call counts", "calls", lambda rows: put(rows, 1, transfer_leg_count=0), legs_as_counted=1),
        case("legs not counted", "calls", lambda rows: put(rows, 2, transfer_leg_count=None), legs_as_counted=1),
        case(
            "an attribute of no call",
            "call_attributes",
            lambda rows: put(rows, 2, call_id="x"),
            attributes_have_calls=1,
        ),
        case("a negative cost", "calls", lambda rows: put(rows, 3, cost=-0.5), possible_numbers=1),
        case("a length of NaN", "calls", lambda rows: put(rows, 3, duration_seconds=nan), possible_numbers=1),
        case("an endless wait", "calls", lambda rows: put(rows, 3, seconds_to_transfer=inf), possible_numbers=1),
        case("a negative count", "calls", lambda rows: put(rows, 3, message_count=-1), possible_numbers=1),
        case(
            "negative peak",
            "call_volume_hourly",
            lambda rows: put(rows, 0, peak_concurrency=-1),
            possible_numbers=1,
        ),
        case("a cost too much", "call_metrics_daily", lambda rows: put(rows, 1, cost=9.0), mart_totals=2),
        case("a bucket too full", "call_metrics_daily", lambda rows: put(rows, 1, duration_le_30=1), mart_totals=1),
        case("a call too few", "call_volume_hourly", lambda rows: put(rows, 0, calls=0), mart_totals=1),
        case("a sum gone", "call_volume_hourly", lambda rows: put(rows, 0, seconds_rated=None), mart_totals=1),
        case("a leg too many", "transfer_metrics_daily", lambda rows: put(rows, 0, legs=7), mart_totals=1),
        case("an empty mart", "transfer_metrics_daily", lambda rows: rows.clear(), mart_totals=9),
        case("a wrong ratio", "call_metrics_daily", lambda rows: put(rows, 1, cost_per_minute=0.5), mart_ratios=1),
        case("a ratio gone", "call_metrics_daily", lambda rows: put(rows, 1, containment_rate=None), mart_ratios=1),
        case("0 of nothing", "call_metrics_daily", lambda rows: put(rows, 0, transfer_rate=0.0), mart_ratios=1),
        case(
            "a ratio that is no number",
            "transfer_metrics_daily",
            lambda rows: put(rows, 0, transfer_success_rate=nan),
            possible_numbers=1,
            mart_ratios=1,
        ),
    ],
)
def test_a_broken_day_fails_the_check_for_its_fault(day, judge, table, breaks, found):
    assert failed(judge(day | {table: breaks(day[table])})) == found


def test_a_leg_that_repeats_a_call_may_leave_its_messages_to_it(judge):
    """The call lists them under its own id; the leg counts them too."""
    legs = leg("call_1", call_id="call_2", message_count=1), leg("leg_2", call_id="call_2", message_count=0)
    calls = call("call_1", message_count=1), call("call_2", is_transferred=True, transfer_leg_count=2)
    day = with_marts(
        {table: frame(table) for table in TABLES}
        | {
            "calls": frame("calls", *calls),
            "transfer_legs": frame("transfer_legs", *legs),
            "transcript_turns": frame("transcript_turns", turn("call_1", None, 0)),
        }
    )
    assert failed(judge(day)) == {}
    day["transfer_legs"] = put(day["transfer_legs"], 0, message_count=2)
    assert failed(judge(day)) == {"messages_as_counted": 1}


@pytest.mark.parametrize(("calls", "rejected", "off"), [(7, 1, 0), (8, 1, 1), (5, 1, 2), (7, 0, 1), (9, 3, 4)])
def test_missing_and_extra_rows_are_found_by_the_number_of_landed_items(day, judge, calls, rejected, off):
    day["data_issues"] = frame(
        "data_issues", {"path": "$", "kind": "rejected_item"}, {"path": "$.cost", "kind": "invalid_value"}
    )
    verdicts = judge(day, {"calls": calls, "data_issues": rejected})
    assert failed(verdicts) == ({"calls_as_landed": off} if off else {})


def test_a_mart_with_zero_instead_of_null_is_found(judge):
    day = with_marts({table: frame(table) for table in TABLES} | {"calls": frame("calls", call(cost=None))})
    assert failed(judge(day)) == {}
    day["call_metrics_daily"] = put(day["call_metrics_daily"], 0, cost=0.0)
    assert failed(judge(day)) == {"mart_totals": 1}


def test_sums_may_differ_by_rounding_and_no_more(day, judge):
    cost = day["call_volume_hourly"]["cost"][0]
    day["call_volume_hourly"] = put(day["call_volume_hourly"], 0, cost=cost * (1 + 1e-12))
    assert failed(judge(day)) == {}
    day["call_volume_hourly"] = put(day["call_volume_hourly"], 0, cost=cost * (1 + 1e-6))
    assert failed(judge(day)) == {"mart_totals": 1}


def test_a_verdict_says_which_columns_are_wrong_and_no_value_of_a_row(day, judge):
    day["transfer_legs"] = put(day["transfer_legs"], 1, call_id="+15550100")
    day["call_attributes"] = again(day["call_attributes"], 0)
    verdicts = judge(day)
    assert (
        verdicts["legs_have_calls"].detail
        == "transfer_legs rows whose source or parent_found does not match the calls: 1"
    )
    assert verdicts["unique_keys"].detail == "call_attributes rows with a duplicate key or out of order: 1"
    assert verdicts["legs_have_calls"].table == "transfer_legs"
    assert not any("5550100" in verdict.detail for verdict in verdicts.values())


def test_a_day_that_cannot_be_read_raises(day, judge):
    del day["call_volume_hourly"]
    with pytest.raises(FileNotFoundError):
        judge(day)


TABLE = "transfer_metrics_daily"
KEY = TABLES[TABLE].key
UNIQUE_KEYS = next(check for check in CHECKS if check.name == "unique_keys")

# Few values, so that keys are often the same, and some that sort otherwise as text than as bytes or numbers.
values = st.sampled_from([None, "", "a", "B", "é", "10", "9"])
keys = st.tuples(st.just("org_1"), values, st.none(), values, values)


class Pieces:
    """A day of which only one table has rows, handed out in pieces of a given height."""

    day = DAY

    def __init__(self, rows: pl.DataFrame, height: int) -> None:
        self._rows = rows
        self._height = height

    def schema(self, table: str) -> pl.Schema:
        return polars_schema(table)

    def rows(self, table: str) -> int:
        return self.frame(table, []).height

    def frame(self, table: str, columns: Sequence[str]) -> pl.DataFrame:
        return self._rows.select(columns) if table == TABLE else polars_schema(table).to_frame().select(columns)

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        yield from self.frame(table, columns).iter_slices(self._height)


def sortable(key: tuple[str | None, ...]) -> list[tuple[bool, bytes]]:
    """Return the key in a form that Python sorts as the lake does: nulls first, text by its UTF-8 bytes."""
    return [(part is not None, (part or "").encode()) for part in key]


@settings(max_examples=examples(100))
@given(st.lists(keys, max_size=8), st.booleans(), st.integers(1, 4))
def test_every_key_that_does_not_rise_is_counted(drawn, in_order, height):
    if in_order:
        drawn = sorted(drawn, key=sortable)
    rows = pl.DataFrame(drawn, schema=dict.fromkeys(KEY, pl.String), orient="row")
    verdict = UNIQUE_KEYS.run(Pieces(rows, height))
    assert verdict.rows == sum(sortable(before) >= sortable(after) for before, after in pairwise(drawn))
    if in_order:
        assert verdict.passed == (len(set(drawn)) == len(drawn))
