"""Values that are wrong: each costs its field, never its call, its page or its day, up to the tables."""

from __future__ import annotations

import json

import pytest

from pipelines.simulator.faults import parse_faults
from tests.support.extraction import call
from tests.support.program import Program
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

DEEP = "[" * 10_000 + "]" * 10_000
CREATED = "2026-03-04T10:00:00Z"
REPLACED = "\ufffd"
WHOLE = ("completed", 60.0, "2026-03-04T10:00:00+00:00")


def written(call_id: str, fields: str) -> bytes:
    """Return a call with fields as they are written here, in any JSON or none."""
    return f'{{"id":"{call_id}","createdAt":"{CREATED}","status":"completed","durationSeconds":60,{fields}}}'.encode()


def synced(program: Program, serve, *items: bytes, rejected: int = 0, deep: bool = False):
    """Return the rows of a sync of some items on one page with a good call, which lands whatever they are."""
    serve(items=[*items, call("good", cost=1.5, durationSeconds=60)])
    scan = program.sync()["scan"]
    assert scan["complete"]
    assert scan["items_rejected"] == rejected
    if not deep:  # the oracle follows no more levels than Python does
        program.assert_tables_are_the_oracles()
    days = program.rows().values()
    rows = {table: [row for day in days for row in day[table]] for table in next(iter(days))}
    assert [row["cost"] for row in rows["calls"] if row["call_id"] == "good"] == [1.5]
    assert [row for row in rows["data_issues"] if row["call_id"] == "good"] == []
    return rows


def assert_each_costs_its_field(program, serve, cases, *, deep=False):
    """Sync a call for each case: fields as they are written, columns it has then, and where its problems are."""
    sent = {f"odd-{number:02}": case for number, case in enumerate(cases)}
    items = [written(call_id, fields) for call_id, (fields, _, _) in sent.items()]
    rows = synced(program, serve, *items, deep=deep)
    calls = {row["call_id"]: row for row in rows["calls"]}
    for call_id, (fields, columns, noted) in sent.items():
        row = calls[call_id]
        assert (row["status"], row["duration_seconds"], row["created_at"].isoformat()) == WHOLE, fields[:80]
        assert {column: row[column] for column in columns} == columns, fields[:80]
        paths = [issue["path"] for issue in rows["data_issues"] if issue["call_id"] == call_id]
        assert paths == noted, fields[:80]
    return rows


def test_34_a_call_of_ten_megabytes_is_a_call_like_others(program, serve):
    words = "word " * 2_000_000
    rows = synced(program, serve, call("large", transcript=[{"role": "user", "content": words}]))
    assert [row["char_count"] for row in rows["transcript_turns"]] == [len(words)]


def test_35_what_is_no_finite_number_is_null_and_noted_as_it_was_sent(program, serve):
    sent = ("NaN", "Infinity", "-Infinity", "1e999")
    cases = [(f'"cost":{number}', {"cost": None}, ["$.cost"]) for number in sent]
    rows = assert_each_costs_its_field(program, serve, [*cases, ('"cost":-0.0', {"cost": 0.0}, [])])
    assert [(row["kind"], row["raw_value"]) for row in rows["data_issues"]] == [
        ("invalid_value", number) for number in sent
    ]


def test_36_text_that_no_table_can_hold_is_repaired_and_noted(program, serve):
    def case(sent, kept, noted):
        return f'"analysis":{{"summary":"{sent}"}}', {"summary": kept}, noted

    cases = [
        case("half \\ud83d pair", f"half {REPLACED} pair", ["$.analysis.summary"]),
        case("nul \\u0000 in it", f"nul {REPLACED} in it", ["$.analysis.summary"]),
        case("whole \\ud83d\\ude00 pair", "whole \U0001f600 pair", []),
        case("a\tb\nc", "a\tb\nc", []),
    ]
    assert_each_costs_its_field(program, serve, cases)


def test_36_bytes_that_are_no_utf8_cost_no_other_call(program, serve):
    serve(small_world(calls=60, days=1), faults=parse_faults("bad_utf8:every=1"))
    program.sync()
    statuses = [row["status"] for day in program.rows().values() for row in day["calls"]]
    assert sum(REPLACED in status for status in statuses) == 1
    program.assert_tables_are_the_oracles()


def test_37_of_a_key_that_is_there_twice_the_last_one_counts(program, serve):
    twice = b'{"id":"first","id":"last","createdAt":"soon","createdAt":"2026-03-04T10:00:00Z","metadata":{"a":1,"a":2}}'
    rows = synced(program, serve, written("odd", '"cost":1,"cost":2.5'), twice)
    assert [(row["call_id"], row["cost"]) for row in rows["calls"]] == [("good", 1.5), ("last", None), ("odd", 2.5)]
    assert [(row["call_id"], row["value"]) for row in rows["call_attributes"]] == [("last", "2")]
    assert rows["data_issues"] == []


def test_38_large_numbers_are_exact_or_null(program, serve):
    cases = [
        ('"cost":0.123456789012345678901234567890', {"cost": 0.12345678901234568}, []),
        (f'"cost":{2**70}', {"cost": float(2**70)}, []),
        (f'"cost":{10**400}', {"cost": None}, ["$.cost"]),
        (f'"turnCount":{2**63 - 1}', {"turn_count": 2**63 - 1}, []),
        (f'"turnCount":{2**70}', {"turn_count": None}, ["$.turnCount"]),
        (f'"callSid":{2**70}', {"call_sid": str(2**70)}, ["$.callSid"]),
    ]
    assert_each_costs_its_field(program, serve, cases)


def test_38_a_number_of_any_size_is_an_id_digit_by_digit(program, serve):
    texts = [*(str(number) for number in (2**53 + 1, 2**63 + 1, 2**70, 10**400)), "1" + "0" * 5_000]
    items = [f'{{"id":{text},"createdAt":"{CREATED}"}}'.encode() for text in texts]
    rows = synced(program, serve, *items)
    assert sorted(row["call_id"] for row in rows["calls"]) == sorted([*texts, "good"])


def test_40_nesting_without_end_costs_the_value_that_it_is(program, serve):
    objects = '{"a":' * 10_000 + "1" + "}" * 10_000
    cases = [
        (f'"unheardOf":{DEEP}', {}, []),
        (f'"unheardOf":{objects},"cost":2.5', {"cost": 2.5}, []),
        (f'"metadata":{{"a":{DEEP}}}', {}, []),
        (f'"cost":{DEEP}', {"cost": None}, ["$.cost"]),
        (f'"analysis":{DEEP}', {"summary": None}, ["$.analysis"]),
        (f'"startedAt":{objects}', {"started_at": None}, ["$.startedAt"]),
        (f'"transcript":[{{"role":"user","content":{DEEP}}}]', {"message_count": 1}, ["$.transcript[0].content"]),
        (f'"transferCalls":[{{"id":"leg","cost":{DEEP}}}]', {"transfer_leg_count": 1}, ["$.transferCalls[0].cost"]),
    ]
    assert_each_costs_its_field(program, serve, cases, deep=True)
    assert program.sync("--full")["scan"]["calls_changed"] == 0


def test_40_what_is_nothing_but_depth_is_rejected(program, serve):
    items = [DEEP.encode(), f'{{"a":{DEEP}}}'.encode(), written("odd", f'"a":{DEEP},"cost":1.2.3')]
    rows = synced(program, serve, *items, rejected=3, deep=True)
    reasons = sorted(row["message"].partition(";")[0] for row in rows["data_issues"])
    assert reasons == ["no JSON", "no object", "no usable id"]


def test_41_a_value_of_another_kind_costs_its_field(program, serve):
    cases = [
        ('"cost":"abc"', {"cost": None}, ["$.cost"]),
        ('"cost":"12.5"', {"cost": 12.5}, []),
        ('"cost":"$3"', {"cost": None}, ["$.cost"]),
        ('"cost":true', {"cost": None}, ["$.cost"]),
        ('"cost":-1', {"cost": None}, ["$.cost"]),
        ('"cost":[1]', {"cost": None}, ["$.cost"]),
        ('"direction":7', {"direction": "7"}, ["$.direction"]),
        ('"direction":{"a":1}', {"direction": None}, ["$.direction"]),
        ('"turnCount":"12"', {"turn_count": None}, ["$.turnCount"]),
        ('"transcript":"hello"', {"message_count": None}, ["$.transcript"]),
        ('"transcript":{"role":"user"}', {"message_count": None}, ["$.transcript"]),
        ('"transcript":["hello"]', {"message_count": 1}, ["$.transcript[0]"]),
        ('"transferCalls":{"id":"leg"}', {"transfer_leg_count": 0}, ["$.transferCalls"]),
        ('"transferCalls":["leg"]', {"transfer_leg_count": 0}, ["$.transferCalls[0]"]),
        ('"analysis":[]', {"summary": None}, ["$.analysis"]),
        ('"metadata":[1]', {"metadata": None}, ["$.metadata"]),
        ('"contextVariables":"x"', {"context_variables": None}, ["$.contextVariables"]),
        ('"startedAt":"2026-03-04T10:00:00"', {}, ["$.startedAt"]),
        ('"startedAt":"soon"', {"started_at": None}, ["$.startedAt"]),
        ('"endedAt":"2026-02-30T25:61:00Z"', {"ended_at": None}, ["$.endedAt"]),
        ('"endedAt":1772618400', {"ended_at": None}, ["$.endedAt"]),
    ]
    assert_each_costs_its_field(program, serve, cases)


def test_41_a_number_is_an_id_and_what_is_no_call_is_kept_apart(program, serve):
    items = [
        b'{"id":12,"createdAt":"2026-03-04T10:00:00Z"}',
        *(b'{"id":%b,"createdAt":"2026-03-04T10:00:00Z"}' % sent for sent in (b"null", b'""', b"[1]", b"NaN")),
        b'{"createdAt":"2026-03-04T10:00:00Z"}',
        *(b"null", b"12", b'"text"', b"[]", b"{}"),
        call("undated", createdAt="soon"),
        call("too-old", createdAt="2018-12-31T10:00:00Z"),
    ]
    rows = synced(program, serve, *items, rejected=len(items) - 1)
    assert [row["call_id"] for row in rows["calls"]] == ["12", "good"]
    rejected = [row["message"].partition(";")[0] for row in rows["data_issues"] if row["kind"] == "rejected_item"]
    assert sorted(set(rejected)) == [
        "a date before CHORUS_START_DATE or after tomorrow",
        "no object",
        "no usable createdAt or startedAt",
        "no usable id",
    ]
    assert program.sync("--full")["scan"]["items_rejected"] == len(items) - 1  # seen again, and not kept again
    assert sum(len(kept) for kept in program.versions("rejected").values()) == len(items) - 1


def test_42_an_unknown_field_is_kept_and_changes_nothing(program, serve):
    rows = assert_each_costs_its_field(program, serve, [('"sentiment":{"score":[1,2]}', {}, [])])
    (payload,) = [text for text in program.newest() if "sentiment" in text]
    assert json.loads(payload)["sentiment"] == {"score": [1, 2]}
    assert all("sentiment" not in row for row in rows["calls"])


def test_42_fields_that_are_gone_from_all_calls_are_null(program, serve):
    rows = synced(program, serve, *(call(f"call-{number}", status=...) for number in range(5)))
    assert {row["outcome"] for row in rows["calls"] if row["call_id"] != "good"} == {"unknown"}


def test_42_fields_that_have_another_type_in_all_calls_are_noted_in_each(program, serve):
    rows = synced(program, serve, *(call(f"call-{number}", cost={"amount": 1}) for number in range(5)))
    assert [row["cost"] for row in rows["calls"]] == [None] * 5 + [1.5]
    assert [row["path"] for row in rows["data_issues"]] == ["$.cost"] * 5
