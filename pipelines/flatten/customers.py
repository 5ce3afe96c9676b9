"""Normalise, mask and pseudonymise customers' phone numbers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from functools import lru_cache

from pipelines.api_values import read_number

_CACHE_SIZE = 100_000
_KEY_DIGITS = 32

Customer = tuple[str | None, str | None]
"""The pseudonym of a number and its masked form, both None if it is not a usable number."""


class Customers:
    """Pseudonyms of numbers under one key. Recent numbers are cached, since the same ones keep coming."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)
        self._cached = lru_cache(_CACHE_SIZE)(self._customer)

    def __reduce__(self) -> tuple[type[Customers], tuple[bytes]]:
        """Pickle the key alone: an HMAC in progress cannot be sent to another process."""
        return Customers, (self._key,)

    def look_up(self, numbers: Iterable[str | None]) -> list[Customer]:
        """Return the pseudonym and the masked form of each number.

        The pseudonym is the first 32 hex digits of HMAC-SHA256(key, E.164); the masked form keeps the country code and
        the last two digits.
        """
        return list(map(self._cached, numbers))

    def _customer(self, number: str | None) -> Customer:
        read = read_number(number) if number is not None else None
        if read is None:
            return None, None
        pseudonym = self._keyed.copy()
        pseudonym.update(read.e164.encode())
        return pseudonym.hexdigest()[:_KEY_DIGITS], read.masked
