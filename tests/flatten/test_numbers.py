"""Customers' numbers: one pseudonym however a number is written, and a mask that keeps little of it."""

from __future__ import annotations

import hashlib
import hmac
import random

import phonenumbers
import pytest

from pipelines import api_values
from pipelines.flatten import settings
from pipelines.flatten.settings import Customers

KEY = b"a key for tests"


def pseudonym(e164: str) -> str:
    return hmac.new(KEY, e164.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.mark.parametrize(
    ("given", "e164", "masked"),
    [
        ("+15550100167", "+15550100167", "+1********67"),
        ("+1 555 010-0167", "+15550100167", "+1********67"),
        ("tel:+1-555-010-0167", "+15550100167", "+1********67"),
        ("+1 (555) 010 0167", "+15550100167", "+1********67"),
        ("+442079460123", "+442079460123", "+44********23"),
        ("+44 (0)20 7946 0123", "+442079460123", "+44********23"),
        ("\uff0b44 20 7946 0123", "+442079460123", "+44********23"),
        ("+353 1 555 0123", "+35315550123", "+353******23"),
    ],
)
def test_numbers_with_a_country_code(given, e164, masked):
    (customer,) = Customers(KEY).look_up([given])
    assert customer == (pseudonym(e164), masked)


@pytest.mark.parametrize(
    "given", ["5550100", "anonymous", "", "+", "+1", "+999 555 0100", "sip:agent@example.test", None]
)
def test_what_cannot_be_normalised_has_neither(given):
    assert Customers(KEY).look_up([given]) == [(None, None)]


def test_the_shortcut_for_north_american_numbers_changes_nothing():
    chance = random.Random(1)
    sent = [f"+1{chance.randrange(10**10):010d}" for _ in range(2_000)]
    sent += ["+12000000000", "+19999999999", "+10123456789", "+11234567890", "+1555010016", "+155501001677"]
    fast = Customers(KEY).look_up(sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_values, "_NORTH_AMERICAN", api_values.re.compile("nothing"))
        assert Customers(KEY).look_up(sent) == fast
    for number, customer in zip(sent[:50], fast, strict=False):
        parsed = phonenumbers.parse(number, None)
        assert customer[0] == pseudonym(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def test_another_key_gives_other_pseudonyms():
    (one,), (other,) = (Customers(key).look_up(["+15550100167"]) for key in (KEY, b"another key"))
    assert one[0] != other[0]
    assert one[1] == other[1]


def test_the_cache_of_customers_is_bounded(monkeypatch):
    monkeypatch.setattr(settings, "_CACHE_SIZE", 3)
    cache = Customers(KEY)
    for digits in range(20):
        cache.look_up([f"+1555010{digits:04d}"])
    assert cache._cached.cache_info().currsize <= 3
    assert cache.look_up(["+15550100000"])[0][0] == pseudonym("+15550100000")
