"""When the next request may be made: one pace for all threads of a client.

It is kept as the settings say, as the API asks for, and slower for a while after the API found it too fast. Whoever
waits here can be stopped at any moment.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipelines.errors import ChorusCallsError

_FIRST_SLOWNESS = 0.02
_MOST_SLOWNESS = 2.0
_RECOVERY = 0.9
_JITTER_SHARE = 0.1
_MOST_JITTER = 1.0


class NoPageError(ChorusCallsError):
    """The API gave no page in time; `reason` says what it did instead."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoppedError(ChorusCallsError):
    """A client was stopped by another thread; nothing is wrong with the API."""

    def __init__(self) -> None:
        super().__init__("The requests were stopped.")


class Pace:
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
            NoPageError: The API asked for a longer wait than there is patience.
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


def too_long(wait: float, answered: str = "it") -> NoPageError:
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
    return NoPageError(message, reason)
