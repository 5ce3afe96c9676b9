"""Faults that answer with another status than 200: limits, outages, refusals, and redirects."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import ClassVar
from urllib.parse import urlsplit

from pipelines.simulator.faults.fault import Fault, choice
from pipelines.simulator.messages import Request, Respond, Response, error


def with_retry_after(answer: Response, wait: float, form: str) -> Response:
    """The answer with a Retry-After header: seconds, a date, nonsense, or none of it."""
    if form == "absent":
        return answer
    if form == "garbage":
        return answer.with_headers(Retry_After="soon")
    if form == "seconds":
        return answer.with_headers(Retry_After=f"{wait:g}")
    now = answer.headers.get("Date")
    moment = parsedate_to_datetime(now) if now else datetime.now(UTC)
    return answer.with_headers(
        Date=format_datetime(moment, usegmt=True),
        Retry_After=format_datetime(moment + timedelta(seconds=wait), usegmt=True),
    )


@dataclass
class RateLimit(Fault):
    """429, to be tried again after `wait` seconds; `form` is how that is said."""

    name: ClassVar[str] = "rate_limit"
    wait: float = 1.0
    form: str = choice("seconds", "date", "garbage", "absent")

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return with_retry_after(error(429, "Too many requests"), self.wait, self.form)


@dataclass
class Unavailable(Fault):
    """503, to be tried again after `wait` seconds; `form` is how that is said."""

    name: ClassVar[str] = "unavailable"
    wait: float = 3_600.0
    form: str = choice("seconds", "date", "garbage", "absent")

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return with_retry_after(error(503, "Down for maintenance"), self.wait, self.form)


@dataclass
class Quota(Fault):
    """`limit` requests in each `seconds`, told in X-RateLimit headers; 429 without Retry-After beyond them."""

    name: ClassVar[str] = "quota"
    every: int = 1
    limit: int = 5
    seconds: float = 1.0
    form: str = choice("seconds", "epoch")
    _began: float = field(default=0.0, init=False, repr=False)
    _used: int = field(default=0, init=False, repr=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        with self._counting:
            now = time.monotonic()
            if now >= self._began + self.seconds:
                self._began, self._used = now, 0
            self._used += 1
            left = self.limit - self._used
            reset = self._began + self.seconds - now
        answer = respond(request) if left >= 0 else error(429, "Too many requests")
        told = f"{reset:.3f}" if self.form == "seconds" else f"{time.time() + reset:.3f}"
        return answer.with_headers(
            X_RateLimit_Limit=str(self.limit), X_RateLimit_Remaining=str(max(left, 0)), X_RateLimit_Reset=told
        )


@dataclass
class ServerError(Fault):
    """500."""

    name: ClassVar[str] = "server_error"

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return error(500, "Internal server error")


@dataclass
class Unauthorized(Fault):
    """401, as after a key was revoked."""

    name: ClassVar[str] = "unauthorized"

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return error(401, "Unauthorized")


@dataclass
class RotatedKey(Unauthorized):
    """401 from the fourth request on, as when the key is replaced in the middle of a scan."""

    name: ClassVar[str] = "rotated_key"
    every: int = 1
    after: int = 3


@dataclass
class Status(Fault):
    """Any other status, `code`."""

    name: ClassVar[str] = "status"
    code: int = 404

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return error(self.code, "No")


@dataclass
class Redirect(Fault):
    """307 to the same list elsewhere on the server, to another host, to https, or in a circle."""

    name: ClassVar[str] = "redirect"
    every: int = 1
    form: str = choice("same", "host", "https", "circle")

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        asked = urlsplit(request.path)
        here = request.headers.get("host", "127.0.0.1")
        if self.form == "same" and asked.path.endswith("/"):
            return respond(request)
        to = {
            "same": f"{asked.path}/",
            "host": f"http://elsewhere.invalid{request.path}",
            "https": f"https://{here}{request.path}",
            "circle": request.path,
        }
        return error(307, "Moved").with_headers(Location=to[self.form])
