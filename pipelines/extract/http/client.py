"""The HTTP client of the calls API: one page at a time, tried again for a bounded time, the key in no text.

What an answer means for a scan is not known here (`scan.py`), nor what an item is (`landing.py`).
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlencode

import requests
from pydantic import SecretStr

from pipelines import __version__
from pipelines.errors import ChorusCallsError
from pipelines.extract.http.rate_limit import PageUnavailableError, RateLimiter, StoppedError, backoff, too_long
from pipelines.extract.http.response import (
    Answer,
    RetryableError,
    TooLargeError,
    is_certificate,
    read,
    redirection,
    trouble,
)
from pipelines.extract.http.session import Bearer, Connections, ElsewhereError, followed

__all__ = ["LIMIT", "CallsClient", "ListEndpoint", "Page", "PageUnavailableError", "StoppedError"]

LIMIT = 100
"""The most calls a page may have."""
SMALLEST_LIMIT = 2
"""What is asked for at least where pages are too large: with one call a page, no page could show a known one."""

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_REQUEST_SECONDS = 300.0
_READS = 5
"""The time of a whole request, in times that it may be idle."""
_MAX_HOPS = 5
_WITH_KEY = "an address with the key in it"


@dataclass(frozen=True)
class ListEndpoint:
    """A list of the API by its path, with less patience than usual: in all for a page, and for each answer."""

    path: str
    retry_seconds: float = math.inf
    request_seconds: float = math.inf


_CALLS = ListEndpoint("calls")


@dataclass(frozen=True)
class Page:
    """One page as the API showed it.

    Attributes:
        offset: The offset that was asked for.
        items: Each item's JSON source.
        total: How many items the API says there are; None where it does not say.
        date: The API's clock when it answered; None where it does not say.
        limit: How many items were asked for at last: fewer than wanted where more of them are too large. Whoever
            reads on goes on behind the items received.
    """

    offset: int
    items: list[bytes]
    total: int | None
    date: datetime | None
    limit: int = LIMIT


class CallsClient:
    """Reads pages of the lists at an API; may be used by many threads at once.

    Attributes:
        requests: How many requests were made.
        retries: How many of them repeated one that had failed.
    """

    def __init__(
        self,
        *,
        api_url: str,
        api_key: SecretStr,
        retry_seconds: float,
        max_body_mb: int,
        max_requests_per_second: float | None = None,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self.requests = 0
        self.retries = 0
        self._url = api_url.rstrip("/")
        self._key = api_key
        self._retry_seconds = retry_seconds
        self._timeout = (min(_CONNECT_SECONDS, read_seconds), read_seconds)
        self._request_seconds = min(_REQUEST_SECONDS, read_seconds * _READS)
        self._max_mb = max_body_mb
        self._fitting = LIMIT
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._pace = RateLimiter(per_second=max_requests_per_second, patience=retry_seconds, stopping=self._stopping)
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": f"chorus-calls/{__version__}",
        }
        self._connections = Connections(auth=Bearer(api_key), headers=headers, stopping=self._stopping)

    def page(self, offset: int, limit: int = LIMIT, endpoint: ListEndpoint = _CALLS) -> Page:
        """Ask for a page until it comes or the time for it, counted from the first failure, is used up.

        Where so many calls are larger than CHORUS_MAX_BODY_MB, fewer are asked for.

        Raises:
            KeyRefusedError: The API answered 401 or 403.
            StoppedError: `stop` was called.
            PageUnavailableError: The page did not come in time, or is not to be asked for in time.
            ChorusCallsError: Asking again would not help.
        """
        deadline: float | None = None
        retry_seconds = min(self._retry_seconds, endpoint.retry_seconds)
        for tries, pause in enumerate(backoff(), start=1):
            asked_at = self._pace.await_turn(retry_seconds)
            try:
                page = self._fitting_page(offset, limit, endpoint)
            except RetryableError as failed:
                failure = failed
            else:
                self._pace.speed_up()
                return page
            deadline = deadline or time.monotonic() + retry_seconds
            left = deadline - time.monotonic()
            self._tell_all(failure, asked_at, min(pause, max(left, 0)))
            if failure.wait is not None and failure.wait > left:
                raise too_long(failure.wait, f"{failure.reason} and")
            if left <= 0:
                message = (
                    f"The API gave no page at offset {offset} ({tries} tries in {retry_seconds:g} s): "
                    f"{failure.reason}. Try again later, or raise CHORUS_RETRY_SECONDS."
                )
                raise PageUnavailableError(message, failure.reason)
            if failure.wait is None and not failure.too_fast:
                self._pace.wait(min(pause, left))
            with self._lock:
                self.retries += 1
        raise AssertionError

    def stop(self) -> None:
        """End every request and wait, from whatever thread: they raise StoppedError, and so do later ones."""
        self._stopping.set()
        self._connections.hang_up()

    def close(self) -> None:
        """Stop, and close every connection."""
        self.stop()
        self._connections.close()

    def _tell_all(self, failure: RetryableError, asked_at: float, pause: float) -> None:
        """Let all threads wait where the API wants fewer requests."""
        if failure.too_fast:
            self._pace.slow_down(asked_at)
        if failure.too_fast or failure.wait is not None:
            self._pace.hold(pause if failure.wait is None else failure.wait)

    def _fitting_page(self, offset: int, limit: int, endpoint: ListEndpoint) -> Page:
        """Ask for a page, for half as many calls each time that they are too large, and for more again later."""
        asked = min(limit, self._fitting)
        while True:
            try:
                answer = self._ask(offset, asked, endpoint)
            except TooLargeError:
                if asked <= SMALLEST_LIMIT:
                    message = (
                        f"A page of {asked} calls at offset {offset} is larger than {self._max_mb} MB. "
                        "If that is right, raise CHORUS_MAX_BODY_MB."
                    )
                    raise ChorusCallsError(message) from None
                asked = max(asked // 2, SMALLEST_LIMIT)
                self._fitting = asked
                self._pace.await_turn()
                continue
            if answer.size < self._max_mb * 250_000 and asked == self._fitting:
                self._fitting = min(asked * 2, LIMIT)
            if answer.rest is not None:
                self._pace.hold(answer.rest)
            return Page(offset, answer.listing.items, answer.listing.total, answer.date, asked)

    def _ask(self, offset: int, limit: int, endpoint: ListEndpoint) -> Answer:
        """Ask once, and where the API sends it on within itself, there."""
        bounds = {"limit": str(limit), "offset": str(offset)}
        list_url = f"{self._url}/{endpoint.path}"
        url = f"{list_url}?{urlencode(bounds)}"
        for _ in range(_MAX_HOPS + 1):
            answer = self._request(url, list_url, endpoint.request_seconds)
            if isinstance(answer, Answer):
                return answer
            try:
                if self._key.get_secret_value() in unquote(answer):  # addresses are logged, here and elsewhere
                    raise ElsewhereError(_WITH_KEY)  # noqa: TRY301
                url = followed(url, answer, bounds)
            except ElsewhereError as elsewhere:
                message = (
                    f"The API sends requests on to {elsewhere}, which is not asked: the key is for CHORUS_API_URL "
                    "alone. If the API has moved there, set CHORUS_API_URL."
                )
                raise ChorusCallsError(message) from None
            self._pace.await_turn()
        message = f"The API sends requests in a circle ({_MAX_HOPS} redirects). Check CHORUS_API_URL ({list_url})."
        raise ChorusCallsError(message)

    def _request(self, url: str, list_url: str, most_seconds: float) -> Answer | str:
        """Make one request; the answer is an address where it is a redirect."""
        with self._lock:
            self.requests += 1
        line = self._connections.line()
        try:
            with (
                line.within(min(self._request_seconds, most_seconds)),
                line.session.get(url, timeout=self._timeout, allow_redirects=False, stream=True) as response,
            ):
                return redirection(response) or read(response, list_url, self._max_mb * 1_000_000)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ContentDecodingError) as error:  # fmt: skip
            if self._stopping.is_set():
                raise StoppedError from None
            if is_certificate(error):
                message = f"{list_url} has no certificate that this machine trusts. Check CHORUS_API_URL."
                raise ChorusCallsError(message) from None
            raise RetryableError("its answer came too slowly" if line.late else trouble(error)) from None
        except (requests.RequestException, ValueError) as error:
            # Its text may hold a header, and with it the key.
            message = f"{list_url} cannot be asked ({type(error).__name__}). Check CHORUS_API_URL and CHORUS_API_KEY."
            raise ChorusCallsError(message) from None
