"""How long to wait before a request is made again: as long as the API says, else longer each time, never in step."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0
_LONGEST_ADVICE = 366 * 86_400.0
"""Nothing an API asks for is longer: a larger number is no advice, and no date can be told from it."""
_EPOCH = 1e9
"""A larger number of seconds is a point in time, not a length of it."""
_EPOCH_MS = 1e12
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)


def backoff() -> Iterator[float]:
    """Yield ever longer waits in seconds, each drawn between 0 and its bound so that clients do not return in step."""
    bound = _FIRST_WAIT
    while True:
        yield random.uniform(0, bound)  # noqa: S311 - spreads requests, keeps no secret
        bound = min(bound * 2, _LONGEST_WAIT)


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read from an answer that refuses how long it asks to wait, in seconds; None where it does not say.

    Args:
        headers: The answer's headers.
        now: The time at the server, to which a date is relative.
    """
    wait = retry_after(headers.get("Retry-After"), now)
    return rate_limit_reset(headers, now) if wait is None else wait


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header.

    Args:
        value: Seconds, or an HTTP date.
        now: The time at the server, to which a date is relative.

    Returns:
        Seconds to wait; None where the header is missing, makes no sense or asks for no wait.
    """
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        moment = http_date(value.strip())
        if moment is None:
            return None
        seconds = (moment - now).total_seconds()
    return _advice(seconds)


def rate_limit_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read from X-RateLimit headers how long no request is left; None where one is, or where they do not say.

    Args:
        headers: The answer's headers; X-RateLimit-Reset is a number of seconds, or a point in time as a Unix time.
        now: The time at the server, to which a point in time is relative.
    """
    if _number(headers.get("X-RateLimit-Remaining")) != 0:
        return None
    reset = _number(headers.get("X-RateLimit-Reset"))
    if reset is None:
        return None
    if reset > _EPOCH_MS:
        reset /= 1000
    return _advice(reset - now.timestamp() if reset > _EPOCH else reset)


def http_date(value: str | None) -> datetime | None:
    """Read a date of an HTTP header as an instant in UTC; None where there is none."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    text = (value or "").strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _advice(seconds: float) -> float | None:
    return min(seconds, _LONGEST_ADVICE) if seconds > 0 and not math.isnan(seconds) else None
