"""What can go wrong on the way to the API, to be switched on by name.

A fault stands between a request and its answer: it sees the request, may ask for the real answer, and may give another.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from pipelines.simulator.messages import Request, Respond, Response, error, page

HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser.</body></html>"


class FaultError(ValueError):
    """A list of faults that cannot be read, with what can be said instead."""


@dataclass
class Fault(ABC):
    """Something that goes wrong with some of the page requests.

    Attributes:
        every: It strikes each so many-th request; 1 is every one.
        after: It leaves so many requests alone first.
        times: It strikes at most so often; 0 is without end.
    """

    name: ClassVar[str]
    every: int = 7
    after: int = 0
    times: int = 0
    _struck: int = field(default=0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __call__(self, request: Request, respond: Respond) -> Response:
        """Answer a request, wrongly where it is struck."""
        return self.answer(request, respond) if self._strikes(request) else respond(request)

    @abstractmethod
    def answer(self, request: Request, respond: Respond) -> Response:
        """Answer a request that is struck; `respond` gives what would be answered without the fault."""

    def _strikes(self, request: Request) -> bool:
        turn = request.number - self.after
        if turn <= 0 or turn % self.every:
            return False
        with self._lock:
            if self.times and self._struck >= self.times:
                return False
            self._struck += 1
            return True


@dataclass
class RateLimit(Fault):
    """429, to be tried again after `wait` seconds."""

    name: ClassVar[str] = "rate_limit"
    wait: int = 1

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return error(429, "Too many requests").with_headers(Retry_After=str(self.wait))


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
class Truncated(Fault):
    """200 and a Content-Length that fits, but the JSON ends in the middle."""

    name: ClassVar[str] = "truncated"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        whole = respond(request)
        return replace(whole, body=whole.body[: len(whole.body) // 2])


@dataclass
class Disconnect(Fault):
    """The connection is closed in the middle of the body."""

    name: ClassVar[str] = "disconnect"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return replace(respond(request), sent_bytes=100)


@dataclass
class Html(Fault):
    """200 and a web page, as from a proxy in between."""

    name: ClassVar[str] = "html"

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return Response(200, HTML, {"Content-Type": "text/html; charset=utf-8"})


@dataclass
class EmptyPage(Fault):
    """A page without calls, though there are some, and the total says so."""

    name: ClassVar[str] = "empty_page"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        nothing = json.loads(respond(replace(request, limit=0)).body)
        return page([], total=nothing["pagination"]["total"], limit=request.limit, offset=request.offset)


@dataclass
class Clamp(Fault):
    """At most `limit` calls a page, whatever was asked for."""

    name: ClassVar[str] = "clamp"
    every: int = 1
    limit: int = 50

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return respond(replace(request, limit=min(request.limit, self.limit)))


@dataclass
class Slow(Fault):
    """The answer takes `seconds` longer."""

    name: ClassVar[str] = "slow"
    seconds: float = 2.0

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        request.stopping.wait(self.seconds)
        return respond(request)


FAULTS: dict[str, type[Fault]] = {
    kind.name: kind
    for kind in (RateLimit, ServerError, Unauthorized, Truncated, Disconnect, Html, EmptyPage, Clamp, Slow)
}


def parse_faults(text: str) -> list[Fault]:
    """Read a list of faults such as `rate_limit,server_error:every=5,slow:seconds=0.5:times=3`.

    Raises:
        FaultError: An unknown fault or option, or a value that is no such number.
    """
    return [_fault(part.strip()) for part in text.split(",") if part.strip()]


def _fault(text: str) -> Fault:
    name, *settings = text.split(":")
    kind = FAULTS.get(name)
    if kind is None:
        msg = f"unknown fault {name!r}; known are {', '.join(sorted(FAULTS))}"
        raise FaultError(msg)
    known: dict[str, Any] = {one.name: one.default for one in fields(kind) if one.init}
    given: dict[str, Any] = {}
    for setting in settings:
        option, _, value = setting.partition("=")
        if option not in known:
            msg = f"{name} has no option {option!r}; it has {', '.join(known)}"
            raise FaultError(msg)
        try:
            given[option] = type(known[option])(value)
        except ValueError:
            msg = f"{name}:{option} takes a number, not {value!r}"
            raise FaultError(msg) from None
    if given.get("every", 1) < 1 or min(given.values(), default=0) < 0:
        msg = f"{text!r}: every is at least 1, and nothing is below 0"
        raise FaultError(msg)
    return kind(**given)
