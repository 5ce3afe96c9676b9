import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.source import Node, read_json

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
