"""One response of the API: its status, its bounded body, its items, and what went wrong in plain words.

An item is kept as it was sent, byte by byte, so that nothing a reader does not know yet is lost. One item that is not
JSON by the book (NaN, half a surrogate pair, nesting without end) must not cost the other 99 of its page: where the
strict and fast way fails, the brackets alone say where each item ends.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import msgspec
import requests

from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.http.rate_limit import advised_wait, http_date, rate_limit_reset
from pipelines.json_source import UNREADABLE, OutlineError, elements, members

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotAPageError(Exception):
    """A body that is no list of calls; the text says what it is instead."""


@dataclass(frozen=True)
class Listing:
    """What a body lists: each item's JSON source, and the total that the API claims, where it claims one."""

    items: list[bytes]
    total: int | None


class _Body(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination: msgspec.Raw = msgspec.Raw(b"null")


class _Pagination(msgspec.Struct):
    total: int | None = None


def split(body: bytes) -> Listing:
    """Take the body of an answer apart.

    Raises:
        NotAPageError: It is not JSON, not even in its outline, or has no list `data`.
    """
    try:
        page = msgspec.json.decode(body, type=_Body)
    except UNREADABLE:
        return _split_outline(body.removeprefix(_BYTE_ORDER_MARK))
    return Listing([bytes(item) for item in page.data], _total(page.pagination))


def _split_outline(body: bytes) -> Listing:
    """Take a body apart by its brackets alone."""
    try:
        outline = members(body)
        if "data" not in outline:
            message = "JSON without 'data'"
            raise NotAPageError(message)
        return Listing(elements(outline["data"]), _total(outline.get("pagination", b"null")))
    except OutlineError as error:
        raise NotAPageError(str(error)) from None


def _total(pagination: msgspec.Raw | bytes) -> int | None:
    """The total, where it is a whole number that a list can have."""
    try:
        total: Any = msgspec.json.decode(pagination, type=_Pagination).total
    except UNREADABLE:
        return None
    return total if total is not None and total >= 0 else None


_CHUNK = 1 << 17
_OK = 200
_REFUSED = frozenset({401, 403})
_TOO_FAST = 429
_PASSING = frozenset({408, 425, _TOO_FAST})
_SERVER_ERRORS = 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_STAYING = {
    400: "does not accept the question",
    402: "wants the account to be paid first",
    404: "knows no calls at this address",
    410: "has no calls at this address any more",
}


class RetryableError(Exception):
    """An answer that a later one may mend.

    Attributes:
        reason: What was answered.
        wait: What the API asked to wait, in seconds; None where it did not.
        too_fast: Whether it came since there are too many requests, so that all have to wait.
    """

    def __init__(self, reason: str, wait: float | None = None, *, too_fast: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.too_fast = too_fast


class PermanentResponseError(ChorusCallsError):
    """An answer that will stay so; `reason` says what it was."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class TooLargeError(Exception):
    """A body that is larger than allowed; a page with fewer calls may fit."""


@dataclass(frozen=True)
class Answer:
    """An answer that shows a page.

    Attributes:
        listing: What it lists.
        date: The API's clock when it answered; None where it does not say.
        size: The length of its body, unpacked.
        rest: For how many seconds no further request is welcome; None where it does not say.
    """

    listing: Listing
    date: datetime | None
    size: int
    rest: float | None


def redirection(response: requests.Response) -> str | None:
    """Where the answer sends the request on to; None where it does not."""
    return response.headers.get("Location") if response.status_code in _REDIRECTS else None


def read(response: requests.Response, url: str, max_bytes: int) -> Answer:
    """Read an answer.

    Args:
        response: The answer, of which no body has been read yet.
        url: What was asked, for messages.
        max_bytes: How long its body may be, unpacked. No more of it is held in memory.

    Raises:
        KeyRefusedError: It refuses the key.
        PermanentResponseError: It says something that will stay so.
        RetryableError: It is none that shows a page, which a later one may be.
        TooLargeError: Its body is too large.
    """
    date = http_date(response.headers.get("Date"))
    now = date or datetime.now(UTC)
    if response.status_code != _OK:
        _refuse(response, url, now)
    body = _body(response, max_bytes)
    try:
        return Answer(split(body), date, len(body), rate_limit_reset(response.headers, now))
    except NotAPageError as error:
        reason = f"it answered with {'nothing' if not body else error}"
        raise RetryableError(reason) from None


def _refuse(response: requests.Response, url: str, now: datetime) -> NoReturn:
    status = response.status_code
    if status in _REFUSED:
        raise KeyRefusedError
    if status in _PASSING or status >= _SERVER_ERRORS:
        wait = advised_wait(response.headers, now)
        reason = f"it answered {status}"
        raise RetryableError(reason, wait, too_fast=status == _TOO_FAST)
    said = _STAYING.get(status, "shows no page")
    message = f"The API answered {status}: it {said}. Check CHORUS_API_URL: calls are asked for at {url}."
    raise PermanentResponseError(message, f"it answered {status}")


def _body(response: requests.Response, max_bytes: int) -> bytes:
    """Read a body, unpacking no more of it than allowed."""
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise TooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def is_certificate(error: BaseException | None) -> bool:
    """Tell whether a request failed since the server's certificate is not trusted, which no later try will mend."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def trouble(error: requests.RequestException) -> str:
    """What broke a request, in words that hold nothing of the request."""
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "its answer could not be unpacked"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle of its answer"
    if isinstance(error, requests.exceptions.SSLError):
        return "no encrypted connection could be made"
    return "it could not be reached"
