"""Rows of calls, by hand and for the example of the API's reference."""

import hashlib
import hmac
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.compare import assert_same_rows
from tests.oracle.examples import (
    API_CALL,
    API_LEG,
    DAY,
    LANDED,
    OWN_ID,
    PARENT_ID,
    SHOWN,
    call,
    issues,
    landed,
    only,
    pick,
    tables,
)
from tests.oracle.items import Version
from tests.oracle.names import ANALYSIS_TEXTS, SENT, SHIPPED_OUTCOMES
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


EXAMPLE_DAY = date(2019, 8, 24)
MOMENT = datetime(2019, 8, 24, 14, 15, 22, tzinfo=UTC)
EXAMPLE_LANDED = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
OTHER_ID = "5b0c4b4e-19f6-4a3c-8d5e-0d6c7a1f2e3d"
VARIANT = API_CALL | {"parentCallId": None, "transferCalls": [API_LEG | {"id": OTHER_ID}]}


def of(item):
    version = Version(OWN_ID, json.dumps(item, indent=2), EXAMPLE_LANDED)
    assert call_date(version.payload) == EXAMPLE_DAY
    lake = expected_lake({EXAMPLE_DAY: [version]}, {}, Shaping())
    assert list(lake) == [EXAMPLE_DAY]
    return lake[EXAMPLE_DAY]


def test_the_call_is_one_row_with_every_field_and_null_for_fields_it_lacks():
    calls = of(API_CALL)["calls"]
    expected = (
        only(calls)
        | dict.fromkeys((*SENT["calls"], *ANALYSIS_TEXTS))
        | {
            "call_id": OWN_ID,
            "organization_id": "7bc05553-4b68-44e8-b7bc-37be63c6d9e9",
            "agent_id": "bc309ecf-5f66-4057-93c5-6611cc9cb7b2",
            "phone_number_id": "8e9ce3fb-4d22-4fe3-baa7-b7892dd942d7",
            "call_sid": "string",
            "provider": "string",
            "direction": "inbound",
            "status": "string",
            "outcome": "unknown",
            "is_terminal": False,
            "is_connected": True,
            "ended_reason": "string",
            "customer_number": None,
            "customer_key": None,
            "duration_seconds": 0.0,
            "cost": 0.0,
            "cost_per_minute": None,
            "turn_count": 0,
            "message_count": 1,
            "user_message_count": 1,
            "agent_message_count": 0,
            "user_word_count": 1,
            "agent_word_count": 0,
            "is_root": False,
            "parent_call_id": PARENT_ID,
            "transfer_type": "warm_briefing",
            "transfer_status": "initiated",
            "transfer_leg_count": 1,
            "is_transferred": True,
            "is_contained": False,
            "seconds_to_transfer": 0.0,
            "has_recording": True,
            "recording_url": None,
            "summary": "string",
            "extractions": "{}",
            "context_variables": "{}",
            "metadata": "{}",
            "started_at": MOMENT,
            "ended_at": MOMENT,
            "created_at": MOMENT,
            "started_at_local": datetime(2019, 8, 24, 14, 15, 22),  # noqa: DTZ001 - a local time has no zone
            "first_landed_at": EXAMPLE_LANDED,
            "landed_at": EXAMPLE_LANDED,
            "version_count": 1,
            "deleted_at": None,
        }
    )
    assert_same_rows(calls, [expected], "calls")


def test_its_own_leg_is_one_leg_of_it_with_one_turn():
    of_day = of(API_CALL)
    expected_leg = (
        only(of_day["transfer_legs"])
        | dict.fromkeys(SENT["transfer_legs"])
        | {
            "leg_id": OWN_ID,
            "call_id": OWN_ID,
            "leg_index": 0,
            "source": "nested",
            "parent_found": True,
            "organization_id": "7bc05553-4b68-44e8-b7bc-37be63c6d9e9",
            "agent_id": "bc309ecf-5f66-4057-93c5-6611cc9cb7b2",
            "phone_number_id": "8e9ce3fb-4d22-4fe3-baa7-b7892dd942d7",
            "direction": "inbound",
            "transfer_type": "warm_briefing",
            "transfer_status": "initiated",
            "transfer_outcome": "pending",
            "status": "string",
            "duration_seconds": 0.0,
            "cost": 0.0,
            "cost_per_minute": None,
            "customer_number": None,
            "customer_key": None,
            "has_recording": True,
            "recording_url": None,
            "message_count": 1,
            "seconds_to_transfer": 0.0,
            "started_at": MOMENT,
            "ended_at": MOMENT,
            "deleted_at": None,
        }
    )
    assert_same_rows(of_day["transfer_legs"], [expected_leg], "transfer_legs")
    turn = only(of_day["transcript_turns"])
    assert tuple(turn.values()) == (OWN_ID, OWN_ID, 0, "user", "customer", "string", 1, 6)
    assert of_day["call_attributes"] == []
    assert issues(of_day) == [(OWN_ID, "calls", "$.status", "unknown_value", '"string"')]


def test_a_child_is_in_no_call_metrics_and_its_leg_divides_nothing_by_zero():
    of_day = of(API_CALL)
    assert of_day["call_metrics_daily"] == []
    assert of_day["call_volume_hourly"] == []
    metrics = only(of_day["transfer_metrics_daily"])
    assert (metrics["legs"], metrics["pending_legs"], metrics["duration_legs"]) == (1, 1, 1)
    assert (metrics["cost"], metrics["cost_rated"], metrics["seconds_rated"]) == (0.0, None, None)
    assert (metrics["transfer_success_rate"], metrics["cost_per_minute"]) == (None, None)
    assert metrics["average_leg_seconds"] == 0.0  # one leg is known to have lasted 0 seconds


def test_as_a_root_call_with_another_leg_it_has_two_turns_and_a_row_in_each_mart():
    of_day = of(VARIANT)
    assert {table: len(rows) for table, rows in of_day.items()} == {
        "calls": 1,
        "transcript_turns": 2,
        "transfer_legs": 1,
        "call_attributes": 0,
        "data_issues": 1,
        "call_metrics_daily": 1,
        "transfer_metrics_daily": 1,
        "call_volume_hourly": 1,
    }
    assert [(turn["call_id"], turn["leg_id"]) for turn in of_day["transcript_turns"]] == [
        (OWN_ID, None),
        (OWN_ID, OTHER_ID),
    ]
    assert only(of_day["transfer_legs"])["leg_id"] == OTHER_ID
    metrics = only(of_day["call_metrics_daily"])
    assert metrics["calls"] == metrics["connected_calls"] == metrics["short_calls"] == metrics["duration_le_10"] == 1
    assert metrics["terminal_calls"] == metrics["connected_terminal_calls"] == metrics["contained_calls"] == 0
    assert (metrics["cost"], metrics["cost_rated"], metrics["cost_zero_duration"]) == (0.0, None, 0.0)
    assert (metrics["cost_per_minute"], metrics["completion_rate"], metrics["containment_rate"]) == (None,) * 3
    assert (metrics["connect_rate"], metrics["transfer_rate"], metrics["average_duration_seconds"]) == (1.0, 1.0, 0.0)
    hour = only(of_day["call_volume_hourly"])
    assert (hour["hour_utc"], hour["local_hour"], hour["local_weekday"], hour["peak_concurrency"]) == (14, 14, 6, 0)


def test_a_leg_of_the_parent_that_is_seen_too_is_the_same_leg():
    parent = API_CALL | {"id": PARENT_ID, "parentCallId": None, "transferCalls": [API_LEG], "transcript": None}
    child = API_CALL | {"transferCalls": []}
    of_day = tables(parent, child, day=EXAMPLE_DAY)
    leg = only(of_day["transfer_legs"])
    assert (leg["leg_id"], leg["call_id"], leg["source"]) == (OWN_ID, PARENT_ID, "nested")
    assert [(turn["call_id"], turn["leg_id"]) for turn in of_day["transcript_turns"]] == [(PARENT_ID, OWN_ID)]
    assert only(of_day["call_metrics_daily"])["calls"] == 1
