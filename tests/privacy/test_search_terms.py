"""A number is found however it is written; an id where it can only be that."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.api_values import read_number
from pipelines.privacy.search import SearchTerms


def needles_for(number=None, *ids):
    needles = SearchTerms()
    if number:
        needles.add_number(read_number(number))
    needles.add_ids(ids)
    return needles


def found(needles, text):
    """Return whether a text has one of these; the search in bulk must find no less."""
    exact = needles.find(text)
    rough = any(pc.match_substring_regex(pa.array([text]), pattern)[0].as_py() for pattern in needles.bulk_patterns())
    assert rough or not exact
    return exact


@pytest.mark.parametrize(
    "text",
    [
        "+15550100123",
        "15550100123",
        "5550100123",
        "it is (555) 010-0123, call me",
        "1.555.010.0123",
        "001 555 010 0123",
        "+1 555\u00a0010\u202f0123",
        "\u0665\u0665\u0665\u0660\u0661\u0660\u0660\u0661\u0662\u0663",
        "+1 / 5 5 5 / 0 1 0 / 0 1 2 3",
    ],
)
def test_a_number_is_found_however_it_is_written(text):
    assert found(needles_for("+15550100123"), text)


@pytest.mark.parametrize("text", ["030 123456", "+49 (0)30 12 34 56", "0049/30/123456", "(030) 123-456", "4930123456"])
def test_a_trunk_prefix_may_precede_it(text):
    assert found(needles_for("+4930123456"), text)


@pytest.mark.parametrize("text", ["+15550100124", "25550100123", "55501001234", "555 010 012", "555 or 010 0123", ""])
def test_another_number_is_not(text):
    assert not found(needles_for("+15550100123"), text)


def test_a_short_number_is_looked_for_with_its_country_code():
    needles = needles_for("+49301234")
    assert found(needles, "call +49 30 1234")
    assert not found(needles, "order 301234")


@pytest.mark.parametrize(
    ("id_", "text", "expected"),
    [
        ("c_1", "c_1", True),
        ("c_1", "see c_1", False),
        ("call-17", "see call-17.", True),
        ("call-17", "call-171", False),
        ("call-17", "my-call-17", False),
        ("7f3c9a52d1e84b06", "rec_7f3c9a52d1e84b06.mp3", True),
        ("a.b*c(d)[e]|f", "of a.b*c(d)[e]|f!", True),
        ("a.b*c(d)[e]|f", "of aXb*c(d)[e]|f!", False),
    ],
)
def test_an_id_is_found_where_it_can_be_nothing_else(id_, text, expected):
    assert found(needles_for(None, id_), text) is expected


def test_a_number_sent_in_a_way_of_its_own_is_found_as_sent():
    needles = needles_for("+15552255669")
    needles.add_numbers(["+1-555-CALL-NOW", "+1 555 225 5669"])
    assert needles.ids == {"+1-555-CALL-NOW"}


def test_many_ids_are_found():
    needles = needles_for(None, *(f"some-call-{number}" for number in range(1_000)))
    assert found(needles, "x some-call-999")
    assert not found(needles, "some-cal-999")
