"""Customers' numbers: normalised, masked, and as a pseudonym that only the holder of a key can make."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from pipelines.api_values import read_number

_CACHE_SIZE = 100_000
_KEY_DIGITS = 32


Customer = tuple[str | None, str | None]
"""What tables say of a number: the pseudonym and the masked form, both None where it is no usable number."""

NOBODY: Customer = (None, None)


class Customers:
    """Pseudonyms of numbers under one key, remembered while the same numbers keep coming."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)
        self._known: dict[str, Customer] = {}

    def __reduce__(self) -> tuple[type[Customers], tuple[bytes]]:
        """Another process gets the key alone: a keyed hash that has begun cannot be sent."""
        return Customers, (self._key,)

    def look_up(self, numbers: Sequence[str | None]) -> list[Customer]:
        """Return what tables say of each number.

        The key is the first 32 hex digits of HMAC-SHA256(key, E.164); the masked form keeps the country code and the
        last two digits.
        """
        if len(self._known) > _CACHE_SIZE:
            self._known.clear()
        known = self._known
        found = []
        for number in numbers:
            if number is None:
                found.append(NOBODY)
                continue
            customer = known.get(number)
            if customer is None:
                customer = known[number] = self._customer(number)
            found.append(customer)
        return found

    def _customer(self, number: str) -> Customer:
        read = read_number(number)
        if read is None:
            return NOBODY
        pseudonym = self._keyed.copy()
        pseudonym.update(read.e164.encode())
        return pseudonym.hexdigest()[:_KEY_DIGITS], read.masked
