"""Rate limiting and retry back-off: when the next request may be sent.

It is kept as the settings say, as the API asks for, and slower for a while after the API found it too fast. Whoever
waits here can be stopped at any moment.
"""

from __future__ import annotations

import math
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pipelines.errors import ChorusCallsError

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


def advised_wait(headers: Mapping[str, str], now: datetime) -> float | None:
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


_FIRST_SLOWNESS = 0.02
_MOST_SLOWNESS = 2.0
_RECOVERY = 0.9
_JITTER_SHARE = 0.1
_MOST_JITTER = 1.0


class PageUnavailableError(ChorusCallsError):
    """The API gave no page in time; `reason` says what it did instead."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoppedError(ChorusCallsError):
    """A client was stopped by another thread; nothing is wrong with the API."""

    def __init__(self) -> None:
        super().__init__("The requests were stopped.")


class RateLimiter:
    """Gives requests their turns, over all threads."""

    def __init__(
        self,
        *,
        per_second: float | None,
        patience: float,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at full pace.

        Args:
            per_second: Requests a second at most; None: as many as are wanted.
            patience: The longest wait in seconds that the API may ask for; a longer one ends the requests instead.
            stopping: Ends every wait once it is set.
            clock: Tells seconds.
        """
        self._pause = 1 / per_second if per_second else 0.0
        self._patience = patience
        self._stopping = stopping
        self._clock = clock
        self._gate = threading.Lock()
        self._lock = threading.Lock()
        self._next = 0.0
        self._held_until = 0.0
        self._slowness = 0.0
        self._slowed_at = 0.0

    def await_turn(self, patience: float = math.inf) -> float:
        """Wait until the next request may be made, and return the moment by the clock.

        Args:
            patience: The longest wait in seconds that the API may ask for, where that is less than usual.

        Raises:
            StoppedError: The wait was stopped.
            PageUnavailableError: The API asked for a longer wait than there is patience.
        """
        with self._gate:  # one thread waits for the turn, the others behind it
            while (left := self._left(min(patience, self._patience))) > 0:
                self.wait(left)
            self.wait(0)
            with self._lock:
                now = self._clock()
                self._next = now + max(self._pause, self._slowness)
                return now

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: The wait was stopped.
        """
        if self._stopping.wait(seconds):
            raise StoppedError

    def hold(self, seconds: float) -> None:
        """Let every thread wait: the API asked one of them to."""
        jitter = random.uniform(0, min(seconds * _JITTER_SHARE, _MOST_JITTER))  # noqa: S311 - keeps no secret
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds + jitter)

    def slow_down(self, asked_at: float) -> None:
        """Halve the pace, since the API found a request too fast.

        Args:
            asked_at: When that request was made. What many threads did before they could know counts once.
        """
        with self._lock:
            if asked_at >= self._slowed_at:
                self._slowed_at = self._clock()
                self._slowness = min(max(self._slowness * 2, _FIRST_SLOWNESS), _MOST_SLOWNESS)

    def speed_up(self) -> None:
        """Come back to the full pace little by little: a page came."""
        with self._lock:
            slowness = self._slowness * _RECOVERY
            self._slowness = slowness if slowness >= _FIRST_SLOWNESS / 2 else 0.0

    def _left(self, patience: float) -> float:
        with self._lock:
            now = self._clock()
            held = self._held_until - now
            turn = self._next - now
        if held > patience + min(held * _JITTER_SHARE, _MOST_JITTER):
            raise too_long(held)
        return max(held, turn)


def too_long(wait: float, answered: str = "it") -> PageUnavailableError:
    """Say that the API asks for a longer wait than there is patience, and when to come back.

    Args:
        wait: Seconds.
        answered: What it answered, as in `it answered 503 and`.
    """
    moment = datetime.now(UTC) + timedelta(seconds=wait)
    reason = f"{answered} asked to wait {wait:.0f} s"
    message = (
        f"The API gives no page now: {reason}, longer than CHORUS_RETRY_SECONDS. "
        f"Come back after {moment:%Y-%m-%d %H:%M:%S} UTC."
    )
    return PageUnavailableError(message, reason)
