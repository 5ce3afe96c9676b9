"""Laws of any day's tables, which are the oracle's: nothing is lost or duplicated, a bad value costs its field."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.flatten import day as flatten_day
from tests.oracle.compare import assert_same_rows, assert_same_tables
from tests.oracle.names import ANALYSIS_TEXTS, CORE_TABLES, INSTANT, INT, KEYS, NUM, OBJECTS, SENT, TEXT, api_name
from tests.oracle.rows import Shaping
from tests.oracle.tables import expected_lake
from tests.support.examples import examples
from tests.support.flattened import LANDED, Rows, flatten, flatten_calls
from tests.support.generated_calls import History, histories, sane_call, shapings
from tests.support.json_text import Sent, to_json
from tests.support.lakes import build, lake_of, tables_of

bounded = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

NOT_TEXT = ([], {"a": 1}, ["text"])
NOT_OBJECTS = (7, "text", True, [], Sent("NaN"))
INVALID: dict[str, tuple[Any, ...]] = {
    TEXT: NOT_TEXT,
    NUM: (-1, Sent("-0.01"), Sent("NaN"), Sent("1e999"), Sent("-Infinity"), "abc", "1_000", "", True, [], {}),
    INT: (2.5, "3", True, Sent("1e999"), Sent("9223372036854775808"), [], {}),
    INSTANT: (7, True, "soon", "", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", [], {}),
}
# Invalid values of each field. createdAt, which places the call, and what makes it a leg or transferred have their own
# tests.
FIELDS: dict[str, tuple[Any, ...]] = {
    **{
        api_name(column): NOT_OBJECTS if column in OBJECTS else INVALID[CORE_TABLES["calls"][column]]
        for column in SENT["calls"]
        if column not in ("created_at", "transfer_type", "transfer_status")
    },
    "transcript": NOT_OBJECTS[:3],
    "analysis": NOT_OBJECTS,
}
# The columns that are one field, by the field: an invalid value changes no other of them.
OWN_COLUMNS = {
    **{api_name(column): {column} for column in SENT["calls"]},
    "analysis": {*ANALYSIS_TEXTS, "extractions"},
}
AS_SENT = {column for columns in OWN_COLUMNS.values() for column in columns}
# What legs take from their call, and so may change with it.
INHERITED = {"organization_id", "agent_id", "phone_number_id", "direction", "seconds_to_transfer"}
SOURCES = {"analysis": "extraction", "contextVariables": "context", "metadata": "metadata"}


@settings(bounded, max_examples=examples(60))
@given(histories(), st.integers(1, 9))
def test_keys_are_unique_and_never_null_where_they_must_not_be(history, chunk):
    for day in history.days:
        rows = flatten(history, day, Shaping(), chunk=chunk)
        for table in ("calls", "transcript_turns", "transfer_legs", "call_attributes"):
            keys = Counter(tuple(row[name] for name in KEYS[table]) for row in rows[table])
            assert [key for key, times in keys.items() if times > 1] == [], table
            required = [name for name in KEYS[table] if (table, name) != ("transcript_turns", "leg_id")]
            assert all(row[name] is not None for row in rows[table] for name in required)


@settings(bounded, max_examples=examples(60))
@given(histories(), st.integers(1, 9))
def test_every_transcript_is_listed_whole_and_in_its_order(history, chunk):
    for day in history.days:
        rows = flatten(history, day, Shaping(), chunk=chunk)
        listed: dict[tuple[str, str | None], list[int]] = {}
        for turn in rows["transcript_turns"]:
            listed.setdefault((turn["call_id"], turn["leg_id"]), []).append(turn["turn_index"])
        assert all(turns == list(range(len(turns))) for turns in listed.values())
        roots = {(call["call_id"], None): call["message_count"] for call in rows["calls"] if call["is_root"]}
        alone = {
            (leg["call_id"], leg["leg_id"]): leg["message_count"]
            for leg in rows["transfer_legs"]
            if leg["source"] == "child_call"
        }
        for place, messages in (roots | alone).items():
            assert len(listed.get(place, [])) == (messages or 0), place
        assert {place for place in listed if place[1] is None} <= roots.keys()


@settings(bounded, max_examples=examples(60))
@given(histories())
def test_every_call_that_was_received_has_one_row(history):
    for day in history.days:
        newest = {version.call_id: version for version in history.versions.get(day, [])}  # in the order of landing
        received = [call_id for call_id, version in newest.items() if not version.moved]
        rows = flatten(history, day, Shaping())
        assert [row["call_id"] for row in rows["calls"]] == sorted(received)
        rejected = [row for row in rows["data_issues"] if row["kind"] == "rejected_item"]
        assert len(rejected) == len(history.rejected.get(day, []))


@settings(bounded, max_examples=examples(150))
@given(st.data(), st.sampled_from(sorted(FIELDS)), st.integers(0, 10_000))
def test_a_bad_value_costs_only_its_field(data, field, seed):
    """The tables are those of the same calls without the field, and one issue says what was wrong."""
    bad = data.draw(st.sampled_from(FIELDS[field]))
    good = {**sane_call(seed, "c1"), "parentCallId": None}
    bystander = {**sane_call(seed + 1, "c2"), "parentCallId": None, "createdAt": good["createdAt"], "transferCalls": []}
    if good["transferCalls"]:
        good["transferCalls"] = [{**leg, "id": f"leg{at}"} for at, leg in enumerate(good["transferCalls"])]
    before, after = flatten_calls(good, bystander), flatten_calls({**good, field: bad}, bystander)
    missing = flatten_calls({**good, field: None}, bystander)

    assert {table: after[table] for table in after if table != "data_issues"} == {
        table: missing[table] for table in missing if table != "data_issues"
    }
    own = OWN_COLUMNS.get(field, set())
    others = AS_SENT - own
    assert _only(before["calls"], others) == _only(after["calls"], others)
    assert after["calls"][1] == before["calls"][1]
    inherited = INHERITED & (own | ({"seconds_to_transfer"} if field == "startedAt" else set()))
    of_legs = set(CORE_TABLES["transfer_legs"]) - inherited
    assert _only(before["transfer_legs"], of_legs) == _only(after["transfer_legs"], of_legs)
    if field != "transcript":
        assert after["transcript_turns"] == before["transcript_turns"]
    else:
        lost = [turn for turn in before["transcript_turns"] if turn["call_id"] == "c1" and turn["leg_id"] is None]
        assert after["transcript_turns"] == [turn for turn in before["transcript_turns"] if turn not in lost]
    kept = [row for row in before["call_attributes"] if (row["call_id"], row["source"]) != ("c1", SOURCES.get(field))]
    assert after["call_attributes"] == kept
    _assert_noted(before, after, f"$.{field}", bad)


def _only(rows: list[dict[str, Any]], columns: set[str]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in columns} for row in rows]


def _assert_noted(before: Rows, after: Rows, path: str, bad: Any) -> None:
    """Assert that the bad value is noted once, and nothing else that was not noted before."""
    known = [_identity(row) for row in before["data_issues"]]
    new = [row for row in after["data_issues"] if _identity(row) not in known]
    assert [(row["call_id"], row["path"], row["kind"], row["raw_value"]) for row in new] == [
        ("c1", path, "invalid_value", to_json(bad))
    ]


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["call_id"], row["table_name"], row["path"], row["kind"], row["raw_value"]


@pytest.mark.parametrize("spelling", ["1.50", "1.5e0", '"1.50"', '" +1.5 "'])
def test_decimal_texts_and_numbers_mean_the_same(spelling):
    history = History()
    history.receive(f'{{"id":"c1","createdAt":"2026-03-10T12:00:00Z","cost":{spelling}}}', LANDED)
    rows = flatten(history, history.days[0], Shaping())
    assert (rows["calls"][0]["cost"], rows["data_issues"]) == (1.5, [])


@settings(bounded, max_examples=examples(150))
@given(histories(), shapings(), st.integers(1, 9))
def test_the_core_tables_are_the_oracles(history, shaping, chunk):
    for day, expected in expected_lake(history.versions, history.rejected, shaping).items():
        flattened = flatten(history, day, shaping, chunk=chunk)
        for table in CORE_TABLES:
            assert_same_rows(flattened[table], expected[table], table)


@settings(bounded, max_examples=examples(25))
@given(histories(), shapings())
def test_all_tables_are_the_oracles_from_raw_to_files(history, shaping):
    built = tables_of(history, shaping)
    for day, expected in expected_lake(history.versions, history.rejected, shaping).items():
        assert_same_tables(built[day], expected)


@settings(bounded, max_examples=examples(15))
@given(histories(), shapings(), st.sampled_from([1, 2, 3]))
def test_the_size_of_chunks_makes_no_difference(history, shaping, chunk):
    whole = tables_of(history, shaping)
    with pytest.MonkeyPatch.context() as patch, lake_of(history, shaping, files=1) as opened:
        patch.setattr(flatten_day, "CHUNK", chunk)
        patch.setattr(flatten_day, "_INDEX_BATCH", chunk)
        assert build(opened, history.days) == whole
