"""The suppression list: it recognizes erased customers in any notation, and reveals nobody."""

from __future__ import annotations

from datetime import date

import pytest

from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.suppression.suppression_list import customers_number, load_suppression_list

NUMBER = "+15550100123"


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


def listed(storage):
    """A list with one of each."""
    erasures = load_suppression_list(storage)
    erasures.add_number(customers_number(NUMBER))
    erasures.add_call("call-1")
    erasures.add_leg("leg-1")
    erasures.add_item("hash-1")
    erasures.commit(storage, [date(2026, 3, 2)])
    return erasures


def test_no_list_covers_nothing_and_is_not_made(storage):
    erasures = load_suppression_list(storage)
    assert erasures.empty
    assert erasures.pending is None
    assert not (erasures.covers_number(NUMBER))
    assert not (erasures.covers_call("a"))
    assert not (erasures.covers_leg("a"))
    assert storage.size(layout.ERASED) is None


def test_what_was_listed_is_known_again(storage):
    listed(storage)
    again = load_suppression_list(storage)
    assert not again.empty
    assert again.pending == [date(2026, 3, 2)]
    assert again.covers_call("call-1")
    assert again.covers_leg("leg-1")
    assert again.covers_item("hash-1")
    assert again.covers_number(NUMBER)
    again.commit(storage, None)
    assert load_suppression_list(storage).pending is None


def test_kinds_are_kept_apart(storage):
    erasures = listed(storage)
    assert not (erasures.covers_call("leg-1"))
    assert not (erasures.covers_leg("call-1"))
    assert not (erasures.covers_item("call-1"))
    assert not (erasures.covers_call(None))
    assert not (erasures.covers_leg(None))
    assert not (erasures.covers_number(None))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("+1 (555) 010-0123", True),
        ("tel:+1-555-010-0123", True),
        ("0015550100123", True),
        ("001 555 010 0123", True),
        ("+15550100124", False),
        ("15550100123", False),
        ("5550100123", False),
        ("anonymous", False),
        ("sip:+15550100123@example.com", False),
        ("00", False),
        ("", False),
    ],
)
def test_a_number_is_one_in_each_spelling_that_has_its_country_code(storage, text, same):
    assert listed(storage).covers_number(text) is same


def test_the_list_gives_nobody_away(storage, tmp_path):
    listed(storage)
    other = listed(LocalStorage(tmp_path / "other"))
    kept = storage.read(layout.ERASED)
    assert not any(text in kept for text in (b"5550100123", b"call-1", b"leg-1", b"hash-1"))
    assert other.alias("call-1") != load_suppression_list(storage).alias("call-1"), "each list has its own salt"


def test_what_is_added_twice_is_no_news(storage):
    erasures = listed(storage)
    additions = erasures.additions
    erasures.add_call("call-1")
    assert erasures.additions == additions
    erasures.add_call("call-2")
    assert erasures.additions == additions + 1
