"""The request and the response as faults and tests see them, without sockets, and the documented JSON envelopes."""

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
        number: 1 for the first page request that the server received, whatever its answer.
        limit: Items asked for, 1..100.
        headers: The headers as sent, names in lower case, without the key.
        stopping: Set once the server stops; a fault that makes the client wait waits on this.
        order: The order of the list; None: the server's.
        listing: The list, for faults that change it while it is read; None if it cannot be changed.
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
    """A response before it is compressed and sent.

    Attributes:
        body: The body, uncompressed; the server compresses it if the client accepts that.
        headers: Headers besides Date, Content-Length and Content-Encoding, which the server sets.
        sent_bytes: If set, the connection is closed after so many bytes of the body.
        reset: Whether the connection is then reset, so that bytes in transit are lost.
        silent: Whether the connection is reset without any response.
        pause: If set, the body is sent byte by byte, with so many seconds between them.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"})
    sent_bytes: int | None = None
    reset: bool = False
    silent: bool = False
    pause: float = 0.0

    def with_headers(self, **headers: str) -> Response:
        """Return the response with more headers; underscores in the names become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request for a page as the server records it for tests.

    Attributes:
        limit: Items asked for; None if not a valid number.
        offset: Items to skip; None if not a valid number.
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
    """Return the documented response: a page of calls and its pagination."""
    pagination = json.dumps({"total": total, "limit": limit, "offset": offset}, separators=(",", ":"))
    return Response(200, b'{"data":[%b],"pagination":%b}' % (b",".join(items), pagination.encode()))


def error(status: int, text: str, details: Sequence[Mapping[str, str]] = ()) -> Response:
    """Return the documented error envelope."""
    return Response(status, json.dumps({"error": text, "details": list(details)}).encode())


def page_bounds(query: Mapping[str, Sequence[str]]) -> tuple[int | None, int | None, list[dict[str, str]]]:
    """Read `limit` and `offset` from a query string.

    Args:
        query: Each parameter's values, as `urllib.parse.parse_qs` gives them.

    Returns:
        The limit and the offset, None if not valid, and one detail for each wrong parameter.
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
