"""The request and the answer as the simulated API's parts see them, and its documented envelopes.

Faults and tests work on these two small values and never on sockets.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines.simulator.listing import ChangingListing, Order

MAX_LIMIT = 100
DEFAULT_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Request:
    """One authenticated, valid request for a page of calls.

    Attributes:
        number: 1 for the first page request the server was sent, whatever its answer was.
        path: The path with its query, as sent.
        limit: Items asked for, 1..100.
        offset: Items to skip, from 0.
        headers: The headers as sent, names in lower case, without the key.
        stopping: Set once the server stops; whoever makes the client wait, waits on this.
        order: How the page is listed; None: as the server lists.
        listing: What is listed, for whoever changes the list while it is read; None where it cannot be changed.
    """

    number: int
    path: str
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event, compare=False)
    order: Order | None = None
    listing: ChangingListing | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer before it is compressed and sent.

    Attributes:
        status: The HTTP status.
        body: The body as plain bytes; the server compresses it where the client asked for that.
        headers: Headers beside Date, Content-Length and Content-Encoding, which the server sets.
        sent_bytes: Where set, the connection is closed after so many bytes of the promised body.
        reset: Whether that end is a reset: what is on its way is lost.
        silent: Whether nothing is answered at all: the connection just ends.
        pause: Where set, the body comes byte by byte, with so many seconds between them.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"})
    sent_bytes: int | None = None
    reset: bool = False
    silent: bool = False
    pause: float = 0.0

    def with_headers(self, **headers: str) -> Response:
        """The same answer with more headers; underscores in the names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the server remembers of a request for a page, for tests and for the log.

    Attributes:
        number: 1 for the first.
        path: The path with its query, as sent.
        limit: Items asked for; None where that was no valid number.
        offset: Items to skip; None where that was no valid number.
        status: The status of the answer.
        headers: The request's headers, names in lower case, without the key.
    """

    number: int
    path: str
    limit: int | None
    offset: int | None
    status: int
    headers: Mapping[str, str]


Respond = Callable[[Request], Response]
Middleware = Callable[[Request, Respond], Response]


def page(items: Sequence[bytes], *, total: int, limit: int, offset: int) -> Response:
    """The documented answer: a page of calls and its pagination."""
    pagination = json.dumps({"total": total, "limit": limit, "offset": offset}, separators=(",", ":"))
    return Response(200, b'{"data":[%b],"pagination":%b}' % (b",".join(items), pagination.encode()))


def error(status: int, text: str, details: Sequence[Mapping[str, str]] = ()) -> Response:
    """The documented error envelope."""
    return Response(status, json.dumps({"error": text, "details": list(details)}).encode())


def page_bounds(query: Mapping[str, Sequence[str]]) -> tuple[int | None, int | None, list[dict[str, str]]]:
    """Read `limit` and `offset` from a query string.

    Args:
        query: Each parameter's values, as `urllib.parse.parse_qs` gives them.

    Returns:
        The limit and the offset, None where not valid, and what is wrong, one detail a parameter.
    """
    details: list[dict[str, str]] = []

    def read(name: str, default: int, low: int, high: int | None, message: str) -> int | None:
        text = query.get(name, [str(default)])[-1]
        if text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18:  # noqa: PLR2004 - int64
            number = int(text)
            if number >= low and (high is None or number <= high):
                return number
        details.append({"field": name, "message": message})
        return None

    limit = read("limit", DEFAULT_LIMIT, 1, MAX_LIMIT, f"Must be an integer between 1 and {MAX_LIMIT}")
    offset = read("offset", 0, 0, None, "Must be an integer of at least 0")
    return limit, offset, details
