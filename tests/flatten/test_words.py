"""Words are counted as `str.split` splits them, at any position in a block or a slice."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.flatten import turns
from pipelines.flatten.turns import word_counts
from tests.support.examples import examples

SPACES = [chr(code) for code in range(sys.maxunicode) if not 0xD800 <= code <= 0xDFFF and chr(code).isspace()]
# Characters whose bytes resemble those of white space, and those that only look like it.
NEAR_SPACES = ["\u200b", "\ufeff", "\u00c2", "\u00e2", "\u00e1", "\u2060", "\u3001", "\u2800", "\x00", "\x7f", "\u180e"]

characters = st.sampled_from([*SPACES, *NEAR_SPACES, *"abé\u6771\U0001f600"]) | st.characters(exclude_categories=["Cs"])
texts = st.lists(st.none() | st.text(characters, max_size=30), max_size=12)


def by_split(values: list[str | None]) -> list[int]:
    return [len((value or "").split()) for value in values]


@settings(max_examples=examples(300))
@given(texts)
def test_any_unicode(values):
    assert word_counts(pa.array(values, pa.string())).tolist() == by_split(values)


@settings(max_examples=examples(200))
@given(texts, st.integers(1, 9))
def test_blocks_that_end_anywhere(values, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_BLOCK", size)
        assert word_counts(pa.array(values, pa.string())).tolist() == by_split(values)


@settings(max_examples=examples(100))
@given(texts, st.integers(0, 5), st.integers(0, 5))
def test_slices_of_an_array(values, start, length):
    column = pa.array(values, pa.string()).slice(min(start, len(values)), length)
    assert word_counts(column).tolist() == by_split(column.to_pylist())


@pytest.mark.parametrize("space", SPACES, ids=ascii)
def test_every_white_space_parts_words(space):
    values = [f"one{space}two", f"{space}one{space}{space}two{space}", space, f"one{space}", f"{space}two"]
    assert word_counts(pa.array(values)).tolist() == [2, 2, 0, 1, 1]


def test_a_word_does_not_go_on_in_the_next_text():
    assert word_counts(pa.array(["a", "b", "", None, "c d"])).tolist() == [1, 1, 0, 0, 2]


def test_no_texts():
    assert word_counts(pa.array([], pa.string())).tolist() == []
    assert word_counts(pa.array([None, None, ""], pa.string())).tolist() == [0, 0, 0]


def test_a_text_longer_than_a_block():
    values = ["word " * 300_000, "two words"]
    assert word_counts(pa.array(values)).tolist() == [300_000, 2]
