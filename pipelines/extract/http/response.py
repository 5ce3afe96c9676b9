"""One response of the API: its status, its bounded body, its items, and what went wrong in plain words.

An item is kept as it was sent, byte by byte, so that no unknown field is lost. One item that is not strict JSON (NaN,
half a surrogate pair, nesting without end) must not cost the other 99 of its page: if the strict and fast parser fails,
the brackets alone say where each item ends.
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
_CHUNK = 1 << 17
_OK = 200
_REFUSED = frozenset({401, 403})
_TOO_FAST = 429
_TRANSIENT = frozenset({408, 425, _TOO_FAST})
_SERVER_ERRORS = 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT = {
    400: "does not accept the request",
    402: "requires a payment for the account",
    404: "knows no calls at this address",
    410: "has no calls at this address any more",
}


class NotAPageError(Exception):
    """A body that is not a list of calls; the text says what it is instead."""


class RetryableError(Exception):
    """A failed request that may succeed later.

    Attributes:
        reason: What the API answered.
        wait: The seconds that the API asked to wait; None if it did not.
        too_fast: Whether there were too many requests, so that all threads have to wait.
    """

    def __init__(self, reason: str, wait: float | None = None, *, too_fast: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.too_fast = too_fast


class PermanentResponseError(ChorusCallsError):
    """A response that a later request will not change; `reason` says what it was."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class BodyTooLargeError(Exception):
    """A body that is larger than allowed; a page with fewer calls may fit."""


@dataclass(frozen=True)
class PageBody:
    """The content of a body: each item's JSON source, and the total that the API reports, if it reports one."""

    items: list[bytes]
    total: int | None


@dataclass(frozen=True)
class PageResponse:
    """A response with a page.

    Attributes:
        body: The items and their total.
        date: The API's clock when it answered; None if it does not say.
        size: The length of the decompressed body in bytes.
        pause: For how many seconds the API wants no further request; None if it does not say.
    """

    body: PageBody
    date: datetime | None
    size: int
    pause: float | None


class _Body(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination: msgspec.Raw = msgspec.Raw(b"null")


class _Pagination(msgspec.Struct):
    total: int | None = None


def redirect_target(response: requests.Response) -> str | None:
    """Return the address that a response redirects to; None if it does not redirect."""
    return response.headers.get("Location") if response.status_code in _REDIRECTS else None


def read_response(response: requests.Response, url: str, max_bytes: int) -> PageResponse:
    """Read the page of a response.

    Args:
        response: The response, of which no body has been read yet.
        url: The address that was requested, for messages.
        max_bytes: The longest decompressed body. No more of it is held in memory.

    Raises:
        KeyRefusedError: The API refuses the key.
        PermanentResponseError: The API answered an error that will stay.
        RetryableError: The response has no page, but a later one may.
        BodyTooLargeError: The body is too large.
    """
    date = http_date(response.headers.get("Date"))
    now = date or datetime.now(UTC)
    if response.status_code != _OK:
        _raise_for_status(response, url, now)
    body = _body(response, max_bytes)
    try:
        return PageResponse(parse_body(body), date, len(body), rate_limit_reset(response.headers, now))
    except NotAPageError as error:
        reason = f"it answered with {'nothing' if not body else error}"
        raise RetryableError(reason) from None


def _raise_for_status(response: requests.Response, url: str, now: datetime) -> NoReturn:
    status = response.status_code
    if status in _REFUSED:
        raise KeyRefusedError
    if status in _TRANSIENT or status >= _SERVER_ERRORS:
        wait = advised_wait(response.headers, now)
        reason = f"it answered {status}"
        raise RetryableError(reason, wait, too_fast=status == _TOO_FAST)
    said = _PERMANENT.get(status, "shows no page")
    message = f"The API answered {status}: it {said}. Check CHORUS_API_URL: calls are requested at {url}."
    raise PermanentResponseError(message, f"it answered {status}")


def _body(response: requests.Response, max_bytes: int) -> bytes:
    """Read a body, decompressing no more of it than allowed."""
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise BodyTooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def parse_body(body: bytes) -> PageBody:
    """Split a body into its items, each as it was sent.

    Raises:
        NotAPageError: It is not JSON, not even in its outline, or has no list `data`.
    """
    try:
        page = msgspec.json.decode(body, type=_Body)
    except UNREADABLE:
        return _parse_outline(body.removeprefix(_BYTE_ORDER_MARK))
    return PageBody([bytes(item) for item in page.data], _total(page.pagination))


def _parse_outline(body: bytes) -> PageBody:
    """Split a body by its brackets alone."""
    try:
        outline = members(body)
        if "data" not in outline:
            message = "JSON without 'data'"
            raise NotAPageError(message)
        return PageBody(elements(outline["data"]), _total(outline.get("pagination", b"null")))
    except OutlineError as error:
        raise NotAPageError(str(error)) from None


def _total(pagination: msgspec.Raw | bytes) -> int | None:
    """Return the total, if it is a whole number that a list can have."""
    try:
        total: Any = msgspec.json.decode(pagination, type=_Pagination).total
    except UNREADABLE:
        return None
    return total if total is not None and total >= 0 else None


def is_certificate_error(error: BaseException | None) -> bool:
    """Return whether a request failed since the server's certificate is not trusted, which no retry will change."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def describe_error(error: requests.RequestException) -> str:
    """Return why a request failed, in words that contain nothing of the request."""
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "its answer could not be decompressed"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle of its answer"
    if isinstance(error, requests.exceptions.SSLError):
        return "no encrypted connection could be made"
    return "it could not be reached"
