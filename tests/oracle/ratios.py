"""Quotients and sums where null means "not known"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """Return the quotient; None where a part is unknown, the denominator is zero or the quotient no finite number."""
    if numerator is None or denominator is None or denominator == 0:
        return None
    quotient = numerator / denominator
    return quotient if math.isfinite(quotient) else None


def per_minute(cost: float | None, seconds: float | None) -> float | None:
    """Cost per minute, of one call as of sums."""
    return None if seconds is None else ratio(cost, seconds / 60)


def total(values: Iterable[Number | None]) -> Number | None:
    """Return the sum of what is known, None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
