"""One bad value costs its field and nothing else, and is noted with its path and its text."""

import json
from datetime import UTC, datetime

import pytest

from tests.oracle.examples import LANDED, call, issues, landed, only, pick, tables
from tests.oracle.items import Version
from tests.oracle.rows import Shaping


def with_field(name, source):
    """Return a call in which one field is exactly this text."""
    return f'{{"id":"c1","createdAt":"2026-03-10T12:00:00Z","{name}":{source}}}'


def outcome_of(name, column, source):
    of_day = tables(with_field(name, source))
    noted = [(table, path, kind, raw) for _, table, path, kind, raw in issues(of_day)]
    return only(of_day["calls"])[column], noted


@pytest.mark.parametrize("name", ["cost", "durationSeconds"])
@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("1.50", 1.5),
        ("0", 0.0),
        ("-0", 0.0),
        ("1e2", 100.0),
        ('"0.50"', 0.5),
        ('" +3 "', 3.0),
        ('".5"', 0.5),
        ('"5."', 5.0),
        ('"1E-2"', 0.01),
        ("null", None),
    ],
)
def test_costs_and_durations_are_numbers_or_decimal_text(name, source, number):
    column = {"cost": "cost", "durationSeconds": "duration_seconds"}[name]
    assert outcome_of(name, column, source) == (number, [])


BAD_MEASURES = [
    "-1",
    '"-0.1"',
    "NaN",
    "Infinity",
    "1e999",
    '"1e999"',
    '"NaN"',
    '"abc"',
    '""',
    '"1_0"',
    '"0x1"',
    '"1,5"',
    "true",
    "[]",
    "{}",
]


@pytest.mark.parametrize("source", BAD_MEASURES)
def test_other_costs_are_bad(source):
    assert outcome_of("cost", "cost", source) == (None, [("calls", "$.cost", "invalid_value", source)])


@pytest.mark.parametrize(
    ("source", "count"),
    [("3", 3), ("3.0", 3), ("30e-1", 3), ("-2", -2), ("9223372036854775807", 2**63 - 1), ("0e99", 0)],
)
def test_turn_counts_are_whole(source, count):
    assert outcome_of("turnCount", "turn_count", source) == (count, [])


@pytest.mark.parametrize("source", ["3.5", '"3"', "9223372036854775808", "1e400", "true", "NaN", "[3]"])
def test_other_turn_counts_are_bad(source):
    assert outcome_of("turnCount", "turn_count", source) == (None, [("calls", "$.turnCount", "invalid_value", source)])


@pytest.mark.parametrize(
    ("source", "text", "kind"),
    [
        ('""', "", None),
        ('" x "', " x ", None),
        ("1.50", "1.50", "inconsistent"),
        ("true", "true", "inconsistent"),
        ("NaN", "NaN", "inconsistent"),
        ('"a\\u0000b"', "a\ufffdb", "invalid_value"),
        ('"\\ud800\\udfff\\udfff"', "\U000103ff\ufffd", "invalid_value"),
        ("[1, 2]", None, "invalid_value"),
        ('{"a": 1}', None, "invalid_value"),
    ],
)
def test_text_is_kept_where_it_can_be(source, text, kind):
    noted = [] if kind is None else [("calls", "$.agentId", kind, source)]
    assert outcome_of("agentId", "agent_id", source) == (text, noted)


@pytest.mark.parametrize(
    ("source", "parent", "kind"),
    [
        ('"p"', "p", None),
        ("null", None, None),
        ('" \\t"', None, "invalid_value"),
        ("7", "7", "inconsistent"),
        ("{}", None, "invalid_value"),
    ],
)
def test_a_parent_is_an_id_or_none(source, parent, kind):
    noted = [] if kind is None else [("calls", "$.parentCallId", kind, source)]
    assert outcome_of("parentCallId", "parent_call_id", source) == (parent, noted)


@pytest.mark.parametrize(
    ("source", "moment", "kind"),
    [
        ('"2026-03-10T12:00:00.123456Z"', datetime(2026, 3, 10, 12, 0, 0, 123456, UTC), None),
        ('"2026-03-10T12:00:00+05:30"', datetime(2026, 3, 10, 6, 30, tzinfo=UTC), None),
        ('"2026-03-10T12:00:00"', datetime(2026, 3, 10, 12, tzinfo=UTC), "inconsistent"),
        ('"yesterday"', None, "invalid_value"),
        ('""', None, "invalid_value"),
        ("1773144000", None, "invalid_value"),
        ("null", None, None),
    ],
)
def test_times_are_instants(source, moment, kind):
    noted = [] if kind is None else [("calls", "$.endedAt", kind, source)]
    assert outcome_of("endedAt", "ended_at", source) == (moment, noted)


@pytest.mark.parametrize(("created", "sent"), [("", None), ('"createdAt":null,', "null")])
def test_a_missing_time_of_creation_is_noted(created, sent):
    of_day = tables(f'{{{created}"id":"c1","startedAt":"2026-03-10T12:00:00Z"}}')
    assert issues(of_day) == [("c1", "calls", "$.createdAt", "missing_value", sent)]
    assert only(of_day["call_volume_hourly"])["hour_utc"] == 12


def test_a_transcript_keeps_its_places():
    transcript = '[{"role":"user"}, "hm", {"role":7,"content":["x"]}, null, {"content":1.0,"role":"Robot"}]'
    of_day = tables(with_field("transcript", transcript))
    assert pick(of_day["transcript_turns"], "turn_index", "role", "speaker", "content", "word_count", "char_count") == [
        (0, "user", "customer", None, None, None),
        (1, None, "unknown", None, None, None),
        (2, "7", "unknown", None, None, None),
        (3, None, "unknown", None, None, None),
        (4, "Robot", "unknown", "1.0", 1, 3),
    ]
    assert [(path, kind, raw) for _, _, path, kind, raw in issues(of_day)] == [
        ("$.transcript[1]", "invalid_value", '"hm"'),
        ("$.transcript[2].content", "invalid_value", '["x"]'),
        ("$.transcript[2].role", "inconsistent", "7"),
        ("$.transcript[2].role", "unknown_value", "7"),
        ("$.transcript[3]", "invalid_value", "null"),
        ("$.transcript[4].content", "inconsistent", "1.0"),
        ("$.transcript[4].role", "unknown_value", '"Robot"'),
    ]
    counts = only(of_day["calls"])
    assert (counts["message_count"], counts["user_message_count"], counts["user_word_count"]) == (5, 1, 0)


def test_an_unknown_role_is_noted_once_per_transcript():
    said = [{"role": role, "content": "x"} for role in ("robot", "robot", "Robot", "robot")]
    of_day = tables(call(transcript=said, transferCalls=[{"id": "l", "transcript": said[:1]}]))
    assert [path for _, _, path, _, _ in issues(of_day)] == [
        "$.transcript[0].role",
        "$.transcript[2].role",
        "$.transferCalls[0].transcript[0].role",
    ]


def test_a_transcript_that_is_no_list_is_not_known():
    of_day = tables(with_field("transcript", '"hello"'))
    assert of_day["transcript_turns"] == []
    assert only(of_day["calls"])["message_count"] is None
    assert issues(of_day) == [("c1", "transcript_turns", "$.transcript", "invalid_value", '"hello"')]


def test_objects_are_objects():
    of_day = tables(
        '{"id":"c1","createdAt":"2026-03-10T12:00:00Z","analysis":{"summary":{},"extractions":[]},'
        '"contextVariables":"x","metadata":7}',
        '{"id":"c2","createdAt":"2026-03-10T12:00:00Z","analysis":"fine"}',
    )
    assert pick(of_day["calls"], "summary", "extractions", "context_variables", "metadata") == [(None,) * 4] * 2
    assert issues(of_day) == [
        ("c1", "calls", "$.analysis.extractions", "invalid_value", "[]"),
        ("c1", "calls", "$.analysis.summary", "invalid_value", "{}"),
        ("c1", "calls", "$.contextVariables", "invalid_value", '"x"'),
        ("c1", "calls", "$.metadata", "invalid_value", "7"),
        ("c2", "calls", "$.analysis", "invalid_value", '"fine"'),
    ]


def test_a_number_names_a_call():
    of_day = tables(Version("7", '{"id":7,"createdAt":"2026-03-10T12:00:00Z"}', LANDED))
    assert only(of_day["calls"])["call_id"] == "7"
    assert issues(of_day) == [("7", "calls", "$.id", "inconsistent", "7")]


def test_only_the_newest_payload_is_checked():
    of_day = tables(landed(call(cost="old")), landed(call(cost="new"), minutes=5))
    assert [row["raw_value"] for row in of_day["data_issues"]] == ['"new"']
    assert of_day["data_issues"][0]["landed_at"] == landed(call(), minutes=5).landed_at


def test_long_values_are_cut():
    of_day = tables(call(cost="x" * 3000))
    assert only(of_day["data_issues"])["raw_value"] == '"' + "x" * 999


def test_the_mask_hides_what_may_identify_a_person():
    item = call(customerNumber=["+15550100"], cost="free", transferCalls=["+15550100"], transcript="It is me, Jo")
    shown = {path: raw for _, _, path, _, raw in issues(tables(item, shaping=Shaping(pii="mask")))}
    assert shown == {"$.customerNumber": None, "$.cost": '"free"', "$.transferCalls[0]": None, "$.transcript": None}


def test_rejected_items_are_problems_of_the_day_they_arrived():
    items = [Version(None, json.dumps([1, 2]), LANDED), Version("c9", '{"id":"c9"}', LANDED)]
    assert issues(tables(rejected=items)) == [
        (None, "calls", "$", "rejected_item", "[1, 2]"),
        ("c9", "calls", "$", "rejected_item", '{"id":"c9"}'),
    ]
    assert [raw for *_, raw in issues(tables(rejected=items, shaping=Shaping()))] == [None, None]
