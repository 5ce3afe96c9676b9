"""Values are found in the JSON of a call and kept as sent, also in invalid JSON and below any nesting."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.flatten.source import elements, members, path_text, source_at, value_of
from pipelines.json_source import OutlineError, storable
from pipelines.materialize.days import build_days
from tests.oracle.items import Version
from tests.oracle.source import read_json
from tests.support.examples import examples
from tests.support.generated_calls import call
from tests.support.json_text import SPELLINGS, to_json
from tests.support.lakes import FIRST_LANDING, land, published_rows, workspace


def test_members_are_slices_of_the_source():
    source = ' { "a" : 1.50 ,\n"b":{ "c" : [ 1 , 2 ] } , "d" : "x\\u00e9\\"," , "e":null}'
    assert members(source) == {"a": "1.50", "b": '{ "c" : [ 1 , 2 ] }', "d": '"x\\u00e9\\","', "e": "null"}


def test_the_last_of_a_repeated_key_wins_and_escapes_in_keys_are_read():
    assert members('{"a":1,"\\u0061":2,"b":3,"a":{}}') == {"a": "{}", "b": "3"}
    assert source_at(b'{"a":1,"\\u0061":2}', ("a",)) == "2"
    assert source_at(b'{"a":1,"\\u0061":NaN}', ("a",)) == "NaN"


def test_elements_are_slices_of_the_source():
    assert list(elements('[ 1.0 , "a,]" ,[ ] , { "b" : NaN }]')) == ["1.0", '"a,]"', "[ ]", '{ "b" : NaN }']
    assert list(elements("[]")) == list(elements(" [ ] ")) == []
    assert members("{}") == members(" { } ") == {}


@pytest.mark.parametrize("source", ["[1]", '"a"', "7", "null"])
def test_what_is_no_object_has_no_members(source):
    with pytest.raises(OutlineError):
        members(source)


@pytest.mark.parametrize(
    ("payload", "steps", "source"),
    [
        (b'{"a":[{"b":1.50}]}', ("a", 0, "b"), "1.50"),
        (b'{"a":[{"b":1.50}]}', (), '{"a":[{"b":1.50}]}'),
        (b'{"a":[{"b":1}]}', ("a", 1, "b"), None),
        (b'{"a":[{"b":1}]}', ("c",), None),
        (b'{"a":7}', ("a", "b"), None),
        (b'{"a":[NaN,{"b" : -Infinity}]}', ("a", 1), '{"b" : -Infinity}'),
        (b'{"a":[NaN,{"b" : -Infinity}]}', ("a", 1, "b"), "-Infinity"),
        (b'{"n":NaN,"a":7}', ("a", 0), None),
        (b'{"a":"\\ud800"}', ("a",), '"\\ud800"'),
        ('{"a":"\u00e9"}'.encode(), ("a",), '"\u00e9"'),
        (b'{"n":NaN,"a":"\xff"}', ("a",), '"\ufffd"'),
    ],
)
def test_source_at_a_path(payload, steps, source):
    assert source_at(payload, steps) == source


@settings(max_examples=examples(150))
@given(call(), st.sampled_from(SPELLINGS))
def test_every_value_of_any_call_is_found_as_it_was_sent(made, spelling):
    text = to_json(made, spelling)
    root = read_json(text)
    assert members(text) == {key: node.source for key, node in root.value.items()}
    for key, node in root.value.items():
        assert source_at(text.encode(), (key,)) == node.source
        if node.kind == "array":
            assert list(elements(node.source)) == [element.source for element in node.value]


def test_values_are_read_leniently():
    assert value_of('"a\tb"') == "a\tb"
    assert value_of("1e999") == float("inf")
    with pytest.raises(ValueError, match="Extra data"):
        value_of("1 2")


def test_what_no_column_can_hold_is_replaced():
    assert storable("a\x00b\ud800c\udfff") == "a\ufffdb\ufffdc\ufffd"
    assert storable("\U0001f600 \u2028") == "\U0001f600 \u2028"
    assert storable(json.loads('"\\ud83d\\ude00"')) == "\U0001f600"


def test_paths_are_written_as_usual():
    assert path_text(("transferCalls", 0, "cost")) == "$.transferCalls[0].cost"
    assert path_text(()) == "$"


DAY = date(2026, 3, 4)
DEEP = "[" * 20_000 + "]" * 20_000


def sent(call_id: str, more: str = "") -> Version:
    call = {"id": call_id, "createdAt": f"{DAY}T10:00:00Z", "status": "completed", "durationSeconds": 60, "cost": 1}
    return Version(call_id=call_id, payload=json.dumps(call)[:-1] + more + "}", landed_at=FIRST_LANDING)


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize(
    ("more", "noted"),
    [
        (f',"unheardOf":{DEEP}', []),
        (f',"metadata":{{"a":{DEEP}}}', []),
        (f',"cost":{DEEP}', ["$.cost"]),
        (f',"status":{DEEP}', ["$.status"]),
        (f',"startedAt":{DEEP}', ["$.startedAt"]),
        (f',"analysis":{DEEP}', ["$.analysis"]),
        (f',"transcript":[{{"role":"user","content":{DEEP}}}]', ["$.transcript[0].content"]),
        (f',"transferCalls":[{{"id":"leg","cost":{DEEP}}}]', ["$.transferCalls[0].cost"]),
    ],
)
def test_deep_nesting_costs_its_value(tmp_path, more, noted):
    lake = workspace(tmp_path / "lake")
    land(lake, {DAY: [sent("deep", more), sent("good")]})
    assert build_days(lake, [DAY]).published.published == [DAY]
    rows = published_rows(lake, DAY)
    assert [row["call_id"] for row in rows["calls"]] == ["deep", "good"]
    assert {row["duration_seconds"] for row in rows["calls"]} == {60.0}
    assert [(row["call_id"], row["path"]) for row in rows["data_issues"]] == [("deep", path) for path in noted]
