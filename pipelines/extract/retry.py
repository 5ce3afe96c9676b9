"""How long to wait before a request is made again: as long as the API says, else longer each time, never in step."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0


def backoff() -> Iterator[float]:
    """Yield ever longer waits in seconds, each drawn between 0 and its bound so that clients do not return in step."""
    bound = _FIRST_WAIT
    while True:
        yield random.uniform(0, bound)  # noqa: S311 - spreads requests, keeps no secret
        bound = min(bound * 2, _LONGEST_WAIT)


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
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        moment = http_date(text)
        if moment is None:
            return None
        seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def http_date(value: str | None) -> datetime | None:
    """Read a date of an HTTP header as an instant in UTC; None where there is none."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
