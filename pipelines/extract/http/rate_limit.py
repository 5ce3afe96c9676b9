"""Rate limiting and retry back-off: when the next request may be sent.

The rate follows the settings and what the API asks for, and is lower for a while after the API answered 429. Every wait
here can be stopped at any moment.
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
_MAX_WAIT = 30.0
_MAX_ADVICE = 366 * 86_400.0
"""The longest wait an API may ask for: a larger number is nonsense, and no date can be made of it."""
_EPOCH = 1e9
"""A larger number of seconds is a Unix time, not a duration."""
_EPOCH_MS = 1e12
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_FIRST_INTERVAL = 0.02
_MAX_INTERVAL = 2.0
_RECOVERY = 0.9
_JITTER_SHARE = 0.1
_MAX_JITTER = 1.0


class PageUnavailableError(ChorusCallsError):
    """The API gave no page in time; `reason` says what it did instead."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoppedError(ChorusCallsError):
    """The client was stopped by another thread; nothing is wrong with the API."""

    def __init__(self) -> None:
        super().__init__("The requests were stopped.")


def backoff() -> Iterator[float]:
    """Yield ever longer waits in seconds, each random below its bound so that clients do not retry in step."""
    bound = _FIRST_WAIT
    while True:
        yield random.uniform(0, bound)  # noqa: S311 - spreads requests, keeps no secret
        bound = min(bound * 2, _MAX_WAIT)


def advised_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds an error response asks to wait; None if it does not say."""
    wait = retry_after(headers.get("Retry-After"), now)
    return rate_limit_reset(headers, now) if wait is None else wait


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date relative to the time at the server.

    Returns:
        Seconds to wait; None if the header is missing, makes no sense or asks for no wait.
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
    """Return for how many seconds X-RateLimit headers allow no request; None if they allow one, or do not say.

    Args:
        headers: The response's headers; X-RateLimit-Reset is a number of seconds, or a point in time as a Unix time.
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
    """Parse the date of an HTTP header as an instant in UTC; None if there is none."""
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
    return min(seconds, _MAX_ADVICE) if seconds > 0 and not math.isnan(seconds) else None


class RateLimiter:
    """Decides when requests may be sent, over all threads."""

    def __init__(
        self,
        *,
        per_second: float | None,
        max_wait: float,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at the full rate.

        Args:
            per_second: The most requests per second; None for no limit.
            max_wait: The longest wait in seconds that the API may ask for; a longer one ends the requests instead.
            stopping: Ends every wait once it is set.
            clock: Returns seconds.
        """
        self._interval = 1 / per_second if per_second else 0.0
        self._max_wait = max_wait
        self._stopping = stopping
        self._clock = clock
        self._queue = threading.Lock()
        self._lock = threading.Lock()
        self._next = 0.0
        self._paused_until = 0.0
        self._slow_interval = 0.0
        self._slowed_at = 0.0

    def acquire(self, max_wait: float = math.inf) -> float:
        """Wait until the next request may be sent, and return that moment by the clock.

        Args:
            max_wait: The longest wait in seconds that the API may ask for, if it is less than the limiter's own.

        Raises:
            StoppedError: The wait was stopped.
            PageUnavailableError: The API asked for a longer wait.
        """
        with self._queue:  # one thread waits for the next turn, the others wait for that thread
            while (left := self._time_left(min(max_wait, self._max_wait))) > 0:
                self.wait(left)
            self.wait(0)
            with self._lock:
                now = self._clock()
                self._next = now + max(self._interval, self._slow_interval)
                return now

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: The wait was stopped.
        """
        if self._stopping.wait(seconds):
            raise StoppedError

    def pause(self, seconds: float) -> None:
        """Let every thread wait, since the API asked one of them to."""
        jitter = random.uniform(0, min(seconds * _JITTER_SHARE, _MAX_JITTER))  # noqa: S311 - keeps no secret
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds + jitter)

    def slow_down(self, requested_at: float) -> None:
        """Halve the rate, since the API found a request too fast.

        Args:
            requested_at: When that request was sent. Requests that were sent before the last slow-down do not count.
        """
        with self._lock:
            if requested_at >= self._slowed_at:
                self._slowed_at = self._clock()
                self._slow_interval = min(max(self._slow_interval * 2, _FIRST_INTERVAL), _MAX_INTERVAL)

    def speed_up(self) -> None:
        """Return to the full rate step by step, after a page came."""
        with self._lock:
            interval = self._slow_interval * _RECOVERY
            self._slow_interval = interval if interval >= _FIRST_INTERVAL / 2 else 0.0

    def _time_left(self, max_wait: float) -> float:
        with self._lock:
            now = self._clock()
            pause = self._paused_until - now
            turn = self._next - now
        if pause > max_wait + min(pause * _JITTER_SHARE, _MAX_JITTER):
            raise wait_too_long(pause)
        return max(pause, turn)


def wait_too_long(wait: float, answered: str = "it") -> PageUnavailableError:
    """Return the error for a longer wait than CHORUS_RETRY_SECONDS, which says when to come back.

    Args:
        wait: Seconds.
        answered: What the API answered, as in `it answered 503 and`.
    """
    moment = datetime.now(UTC) + timedelta(seconds=wait)
    reason = f"{answered} asked to wait {wait:.0f} s"
    message = (
        f"The API gives no page now: {reason}, longer than CHORUS_RETRY_SECONDS. "
        f"Try again after {moment:%Y-%m-%d %H:%M:%S} UTC."
    )
    return PageUnavailableError(message, reason)
