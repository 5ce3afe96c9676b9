"""Rows of calls, by hand."""

import hashlib
import hmac
import json
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.examples import (
    DAY,
    LANDED,
    SHOWN,
    call,
    issues,
    landed,
    only,
    pick,
    tables,
)
from tests.oracle.items import Version
from tests.oracle.names import SHIPPED_OUTCOMES
from tests.oracle.rows import Shaping
from tests.oracle.source import Node, read_json
from tests.oracle.tables import call_date, expected_lake, usable_call_id


@pytest.mark.parametrize(
    ("fields", "outcome", "terminal", "connected"),
    [
        ({"status": "Completed", "durationSeconds": 5}, "completed", True, True),
        ({"status": "ENDED", "endedReason": "Voice_Mail", "durationSeconds": 5}, "completed", True, True),
        ({"status": "ended", "endedReason": "VOICEMAIL", "durationSeconds": 5}, "voicemail", True, False),
        ({"status": "ended", "endedReason": "no-answer", "durationSeconds": 0}, "no_answer", True, False),
        ({"status": "failed", "endedReason": "busy", "durationSeconds": 5}, "failed", True, True),
        ({"status": "in-progress", "endedReason": "customer-ended-call"}, "in_progress", False, False),
        ({"status": "In_Progress", "durationSeconds": 1}, "in_progress", False, True),
        ({"status": "weird", "endedReason": "agent_hangup", "durationSeconds": 1}, "completed", True, True),
        ({"endedReason": "Customer Ended-Call"}, "completed", True, False),
        ({"status": "weird", "durationSeconds": 1}, "unknown", False, True),
        ({"durationSeconds": 1}, "unknown", False, True),
        ({"status": "completed", "durationSeconds": 0}, "completed", True, False),
        ({"status": " busy "}, "busy", True, False),
        ({"status": "cancelled", "durationSeconds": 3}, "canceled", True, False),
        ({"status": "canceled", "transferType": "warm", "durationSeconds": None}, "canceled", True, True),
    ],
)
def test_outcome(fields, outcome, terminal, connected):
    row = only(tables(call(**fields))["calls"])
    assert (row["outcome"], row["is_terminal"], row["is_connected"]) == (outcome, terminal, connected)
    assert row["is_contained"] == (connected and terminal and "transferType" not in fields)


def test_only_an_unknown_status_is_noted():
    of_day = tables(call(status="weird", endedReason="weirder", transferStatus="weirdest"), call("c2", status=None))
    assert issues(of_day) == [("c1", "calls", "$.status", "unknown_value", '"weird"')]


def test_outcome_words_can_be_laid_over_the_shipped_ones():
    words = {**SHIPPED_OUTCOMES, "status": {**SHIPPED_OUTCOMES["status"], "Weird-One": "failed"}}
    of_day = tables(call(status="weird_one"), shaping=Shaping(outcomes=words))
    assert only(of_day["calls"])["outcome"] == "failed"
    assert issues(of_day) == []


def test_speakers_and_their_words():
    roles = ["user", "CUSTOMER", "caller", "Human", "agent", "assistant", "bot", "AI", "system", "tool", "function", ""]
    transcript = [{"role": role, "content": "one\u0085two\u2003three \U0001f600"} for role in roles]
    of_day = tables(call(transcript=[*transcript, {"role": "user", "content": None}]))
    speakers = [row["speaker"] for row in of_day["transcript_turns"]]
    assert speakers == ["customer"] * 4 + ["agent"] * 4 + ["system", "tool", "tool", "unknown", "customer"]
    assert {(row["word_count"], row["char_count"]) for row in of_day["transcript_turns"]} == {(4, 15), (None, None)}
    row = only(of_day["calls"])
    assert (row["message_count"], row["user_message_count"], row["agent_message_count"]) == (13, 5, 4)
    assert (row["user_word_count"], row["agent_word_count"]) == (16, 16)


def test_an_empty_transcript_is_not_an_unknown_one():
    columns = ("message_count", "user_message_count", "agent_message_count", "user_word_count", "agent_word_count")
    of_day = tables(call("c1", transcript=[]), call("c2", transcript=None), call("c3"))
    assert pick(of_day["calls"], *columns) == [(0,) * 5, (None,) * 5, (None,) * 5]


@pytest.mark.parametrize(
    ("cost", "seconds", "per_minute"),
    [(0.5, 30, 1.0), (0, 30, 0.0), (0.5, 0, None), (0.5, None, None), (None, 30, None)],
)
def test_cost_per_minute_of_a_call(cost, seconds, per_minute):
    assert only(tables(call(cost=cost, durationSeconds=seconds))["calls"])["cost_per_minute"] == per_minute


def test_versions_and_deletions():
    first, second = landed(call(cost=1)), landed(call(cost=2), minutes=1)
    gone = Version("c1", None, LANDED + timedelta(minutes=2))
    again = landed(call(cost=3), minutes=3)
    columns = ("cost", "version_count", "first_landed_at", "landed_at", "deleted_at")

    def row(*versions):
        return pick(tables(*versions)["calls"], *columns)

    assert row(second, first) == [(2.0, 2, first.landed_at, second.landed_at, None)]
    assert row(first, second, gone) == [(2.0, 2, first.landed_at, second.landed_at, gone.landed_at)]
    assert row(first, gone, second, again) == [(3.0, 3, first.landed_at, again.landed_at, None)]
    assert row(gone) == []


def test_json_columns_are_as_sent():
    of_day = tables(
        '{"id":"c1","createdAt":"2026-03-10T12:00:00Z","metadata":{ "b":1.50, "a" :[1, 2],"b":2e0},'
        '"contextVariables":{},"analysis":{"summary":"so\\nso","extractions":{"ok":true}}}'
    )
    row = only(of_day["calls"])
    assert row["metadata"] == '{ "b":1.50, "a" :[1, 2],"b":2e0}'
    assert (row["context_variables"], row["extractions"], row["summary"]) == ("{}", '{"ok":true}', "so\nso")


def test_attributes():
    of_day = tables(
        '{"id":"c1","createdAt":"2026-03-10T12:00:00Z","analysis":{"extractions":{"n":null,"x":NaN,"huge":1e999}},'
        '"contextVariables":{"name":"Jo\\u00e9","":"a\\u0000"},'
        '"metadata":{"amount":1.50,"yes":true,"list":[1, {"a":0.10}],"obj":{"k" : 1},"amount":-2E1,"text":"7"}}'
    )
    assert pick(of_day["call_attributes"], "source", "key", "value", "value_type", "value_number") == [
        ("context", "", "a\ufffd", "string", None),
        ("context", "name", "Joé", "string", None),
        ("extraction", "huge", "1e999", "number", None),
        ("extraction", "n", None, "null", None),
        ("extraction", "x", "NaN", "number", None),
        ("metadata", "amount", "-2E1", "number", -20.0),
        ("metadata", "list", '[1, {"a":0.10}]', "array", None),
        ("metadata", "obj", '{"k" : 1}', "object", None),
        ("metadata", "text", "7", "string", None),
        ("metadata", "yes", "true", "boolean", None),
    ]
    assert issues(of_day) == [
        ("c1", "call_attributes", "$.analysis.extractions.huge", "invalid_value", "1e999"),
        ("c1", "call_attributes", "$.analysis.extractions.x", "invalid_value", "NaN"),
        ("c1", "call_attributes", "$.contextVariables.", "invalid_value", '"a\\u0000"'),
    ]


@pytest.mark.parametrize(
    ("number", "e164", "masked"),
    [
        ("+15555550167", "+15555550167", "+1********67"),
        ("+1 (555) 555-0167", "+15555550167", "+1********67"),
        ("+442079460123", "+442079460123", "+44********23"),
        ("+390612345678", "+390612345678", "+39********78"),
        ("15555550167", None, None),
        ("+99955550167", None, None),
        ("anonymous", None, None),
        ("sip:jo@example.test", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_numbers(number, e164, masked):
    item = call(customerNumber=number, recordingUrl=" ", transferCalls=[{"id": "l", "customerNumber": number}])
    key = None if e164 is None else hmac.new(b"k", e164.encode(), hashlib.sha256).hexdigest()[:32]
    hidden = tables(item, shaping=Shaping(pii_key=b"k"))
    shown = tables(item, shaping=Shaping(pii="raw", pii_key=b"k"))
    columns = ("customer_number", "customer_key", "has_recording", "recording_url")
    assert pick(hidden["calls"], *columns) == [(masked, key, False, None)]
    assert pick(shown["calls"], *columns) == [(number, key, False, " ")]
    assert pick(hidden["transfer_legs"], *columns) == [(masked, key, False, None)]
    assert issues(shown) == []


@pytest.mark.parametrize(
    ("zone", "started", "local"),
    [
        ("UTC", "2026-03-10T12:00:00.5Z", "2026-03-10T12:00:00.500"),
        ("Asia/Kolkata", "2026-03-10T20:00:00Z", "2026-03-11T01:30:00"),
        ("America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T01:59:59"),
        ("America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00"),
        ("America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T01:30:00"),
        ("America/New_York", "2026-11-01T06:30:00Z", "2026-11-01T01:30:00"),
    ],
)
def test_local_start(zone, started, local):
    row = only(tables(call(startedAt=started), shaping=Shaping(timezone=zone))["calls"])
    assert row["started_at_local"] == datetime.fromisoformat(local)


@pytest.mark.parametrize(
    ("item", "day", "call_id"),
    [
        ('{"id":"c","createdAt":"2026-03-10T23:59:59.999999Z"}', date(2026, 3, 10), "c"),
        ('{"id":"c","createdAt":"2026-03-11T00:30:00+01:00"}', date(2026, 3, 10), "c"),
        ('{"id":7,"createdAt":"2026-03-10T23:00:00-02:00"}', date(2026, 3, 11), "7"),
        ('{"id":" ","createdAt":"2026-03-10"}', date(2026, 3, 10), None),
        ('{"id":"\\ud800","createdAt":"?","startedAt":"2026-03-09T00:00:00Z"}', date(2026, 3, 9), "\ufffd"),
        ('{"id":true,"createdAt":17,"startedAt":"2026-03-09T00:00:00Z"}', date(2026, 3, 9), "true"),
        ('{"id":{},"createdAt":null,"startedAt":""}', None, None),
        ("[]", None, None),
    ],
)
def test_placing(item, day, call_id):
    assert call_date(item) == day
    assert usable_call_id(item) == call_id


def test_a_lake_has_the_days_with_calls_or_rejected_items():
    night, morning = landed({"id": "n", "createdAt": "2026-03-09T23:59:00Z"}), landed(call("m", parentCallId="n"))
    before, after = DAY - timedelta(days=1), DAY + timedelta(days=1)
    lake = expected_lake({DAY: [morning], before: [night]}, {after: [Version(None, "[]", LANDED)]}, SHOWN)
    assert list(lake) == [before, DAY, after]
    assert pick(lake[DAY]["transfer_legs"], "call_id", "parent_found") == [("n", True)]
    assert lake[before]["transfer_legs"] == lake[after]["calls"] == []
    assert only(lake[after]["data_issues"])["kind"] == "rejected_item"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def meaning(node: Node):
    if node.kind == "array":
        return [meaning(element) for element in node.value]
    if node.kind == "object":
        return {key: meaning(value) for key, value in node.value.items()}
    return json.loads(node.value) if node.kind == "number" else node.value


@given(json_values, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_it_reads_what_the_standard_library_reads(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    node = read_json(f" \n{text}\t")
    assert meaning(node) == value
    assert node.source == text


def test_every_value_keeps_its_text():
    node = read_json('{ "a" : [ 1.50 , "\\u00e9" ] ,\r\n"b":{ "c":-0e+1,"d" : null } }')
    assert node.value["a"].source == '[ 1.50 , "\\u00e9" ]'
    assert [element.source for element in node.value["a"].value] == ["1.50", '"\\u00e9"']
    assert node.value["a"].value[1].value == "é"
    assert node.value["b"].source == '{ "c":-0e+1,"d" : null }'
    assert node.value["b"].value["c"].value == "-0e+1"


def test_the_last_of_two_equal_keys_wins():
    assert read_json('{"a":1,"b":2,"\\u0061":3}').value["a"].source == "3"


def test_numbers_that_are_no_numbers_are_read():
    assert [element.kind for element in read_json("[NaN,Infinity,-Infinity,1e999]").value] == ["number"] * 4


def test_surrogates_join_to_one_character_or_stay_alone():
    assert read_json('"\\ud83d\\ude00"').value == "\U0001f600"
    assert read_json('"\\ud83d!"').value == "\ud83d!"


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", '{"a":1,}', '{"a"}', "01", "1 2", "trues", "nul", '"a', "{1:2}", "+1"]
)
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        read_json(text)
