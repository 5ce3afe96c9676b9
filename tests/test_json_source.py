"""The source of values is found by brackets and quotes, whatever the values are."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pipelines.json_source import elements, members


def test_of_a_key_that_is_there_twice_the_last_one_counts():
    assert members(b'{"a": 1, "b": {"a": 9}, "\\u0061": 2}') == {"a": b"2", "b": b'{"a": 9}'}


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(json_values, max_size=5), st.booleans())
def test_brackets_alone_find_what_a_parser_finds(values, escaped):
    sources = [json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass") for value in values]
    assert elements(b"[ " + b" , ".join(sources) + b" ]") == sources


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), json_values, max_size=5))
def test_brackets_alone_find_the_members_a_parser_finds(values):
    source = json.dumps(values).encode()
    assert members(source) == {key: json.dumps(value).encode() for key, value in values.items()}
