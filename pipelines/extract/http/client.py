"""The HTTP client of the calls API: requests one page at a time, retries for a bounded time, and never logs the key.

It knows neither what a page means for a scan (`scan`) nor what an item is (`landing`).
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
from pipelines.extract.http.rate_limit import PageUnavailableError, RateLimiter, StoppedError, backoff, wait_too_long
from pipelines.extract.http.response import (
    BodyTooLargeError,
    PageResponse,
    RetryableError,
    describe_error,
    is_certificate_error,
    read_response,
    redirect_target,
)
from pipelines.extract.http.session import BearerAuth, CrossOriginError, SessionPool, resolve_redirect

LIMIT = 100
"""The most calls a page may have."""
SMALLEST_LIMIT = 2
"""The fewest calls to request if pages are too large: pages of one call could not overlap."""

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_REQUEST_SECONDS = 300.0
_READ_TIMEOUTS = 5
"""The time of a whole request, in read timeouts."""
_MAX_REDIRECTS = 5
_WITH_KEY = "an address with the key in it"


@dataclass(frozen=True)
class ListEndpoint:
    """A list of the API: its path, and limits on the retries for a page and on the time of each request."""

    path: str
    retry_seconds: float = math.inf
    request_seconds: float = math.inf


_CALLS = ListEndpoint("calls")


@dataclass(frozen=True)
class Page:
    """One page as the API showed it.

    Attributes:
        items: Each item's JSON source.
        total: The number of items that the API reports; None if it reports none.
        date: The API's clock when it answered; None if it does not say.
        limit: The number of items requested in the end: fewer than wanted if more of them are too large. The next page
            begins behind the items received.
    """

    offset: int
    items: list[bytes]
    total: int | None
    date: datetime | None
    limit: int = LIMIT


class CallsClient:
    """Reads pages of an API's lists; may be used by many threads at once.

    Attributes:
        requests: The number of requests made.
        retries: The number of them that repeated a failed one.
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
        self._request_seconds = min(_REQUEST_SECONDS, read_seconds * _READ_TIMEOUTS)
        self._max_mb = max_body_mb
        self._page_limit = LIMIT
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._rate = RateLimiter(per_second=max_requests_per_second, max_wait=retry_seconds, stopping=self._stopping)
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": f"chorus-calls/{__version__}",
        }
        self._sessions = SessionPool(auth=BearerAuth(api_key), headers=headers, stopping=self._stopping)

    def page(self, offset: int, limit: int = LIMIT, endpoint: ListEndpoint = _CALLS) -> Page:
        """Request a page until it comes, or until the time for retries, from the first failure on, is used up.

        If so many calls are larger than CHORUS_MAX_BODY_MB, fewer are requested.

        Raises:
            KeyRefusedError: The API answered 401 or 403.
            StoppedError: `stop` was called.
            PageUnavailableError: The page did not come in time, or the API asked for a longer wait.
            ChorusCallsError: A retry would not help.
        """
        deadline: float | None = None
        retry_seconds = min(self._retry_seconds, endpoint.retry_seconds)
        for tries, pause in enumerate(backoff(), start=1):
            requested_at = self._rate.acquire(retry_seconds)
            try:
                page = self._fitting_page(offset, limit, endpoint)
            except RetryableError as failed:
                failure = failed
            else:
                self._rate.speed_up()
                return page
            deadline = deadline or time.monotonic() + retry_seconds
            left = deadline - time.monotonic()
            self._back_off(failure, requested_at, min(pause, max(left, 0)))
            if failure.wait is not None and failure.wait > left:
                raise wait_too_long(failure.wait, f"{failure.reason} and")
            if left <= 0:
                message = (
                    f"The API gave no page at offset {offset} ({tries} tries in {retry_seconds:g} s): "
                    f"{failure.reason}. Try again later, or raise CHORUS_RETRY_SECONDS."
                )
                raise PageUnavailableError(message, failure.reason)
            if failure.wait is None and not failure.too_fast:
                self._rate.wait(min(pause, left))
            with self._lock:
                self.retries += 1
        raise AssertionError

    def stop(self) -> None:
        """Abort every request and wait, from any thread: they raise StoppedError, and so do later ones."""
        self._stopping.set()
        self._sessions.abort_all()

    def close(self) -> None:
        """Stop, and close every connection."""
        self.stop()
        self._sessions.close()

    def _back_off(self, failure: RetryableError, requested_at: float, pause: float) -> None:
        """Let all threads wait if the API wants fewer requests."""
        if failure.too_fast:
            self._rate.slow_down(requested_at)
        if failure.too_fast or failure.wait is not None:
            self._rate.pause(pause if failure.wait is None else failure.wait)

    def _fitting_page(self, offset: int, limit: int, endpoint: ListEndpoint) -> Page:
        """Request a page. If it is too large, request half as many calls; later pages grow again."""
        count = min(limit, self._page_limit)
        while True:
            try:
                response = self._follow(offset, count, endpoint)
            except BodyTooLargeError:
                if count <= SMALLEST_LIMIT:
                    message = (
                        f"A page of {count} calls at offset {offset} is larger than {self._max_mb} MB. "
                        "If that is right, raise CHORUS_MAX_BODY_MB."
                    )
                    raise ChorusCallsError(message) from None
                count = self._page_limit = max(count // 2, SMALLEST_LIMIT)
                self._rate.acquire()
                continue
            if response.size < self._max_mb * 250_000 and count == self._page_limit:
                self._page_limit = min(count * 2, LIMIT)
            if response.pause is not None:
                self._rate.pause(response.pause)
            return Page(offset, response.body.items, response.body.total, response.date, count)

    def _follow(self, offset: int, limit: int, endpoint: ListEndpoint) -> PageResponse:
        """Request a page once, and follow redirects within the API."""
        query = {"limit": str(limit), "offset": str(offset)}
        list_url = f"{self._url}/{endpoint.path}"
        url = f"{list_url}?{urlencode(query)}"
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._request(url, list_url, endpoint.request_seconds)
            if isinstance(response, PageResponse):
                return response
            try:
                if self._key.get_secret_value() in unquote(response):  # addresses are logged, here and elsewhere
                    raise CrossOriginError(_WITH_KEY)  # noqa: TRY301
                url = resolve_redirect(url, response, query)
            except CrossOriginError as target:
                message = (
                    f"The API redirects to {target}, which is not requested: the key is for CHORUS_API_URL alone. "
                    "If the API has moved there, set CHORUS_API_URL."
                )
                raise ChorusCallsError(message) from None
            self._rate.acquire()
        message = f"The API redirects in a circle ({_MAX_REDIRECTS} redirects). Check CHORUS_API_URL ({list_url})."
        raise ChorusCallsError(message)

    def _request(self, url: str, list_url: str, max_seconds: float) -> PageResponse | str:
        """Make one request; return the page, or the address of a redirect."""
        with self._lock:
            self.requests += 1
        own = self._sessions.current()
        try:
            with (
                own.time_limit(min(self._request_seconds, max_seconds)),
                own.session.get(url, timeout=self._timeout, allow_redirects=False, stream=True) as response,
            ):
                return redirect_target(response) or read_response(response, list_url, self._max_mb * 1_000_000)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ContentDecodingError) as error:  # fmt: skip
            if self._stopping.is_set():
                raise StoppedError from None
            if is_certificate_error(error):
                message = f"{list_url} has no certificate that this machine trusts. Check CHORUS_API_URL."
                raise ChorusCallsError(message) from None
            raise RetryableError("its answer came too slowly" if own.timed_out else describe_error(error)) from None
        except (requests.RequestException, ValueError) as error:
            # The error's text may contain a header, and with it the key.
            message = (
                f"{list_url} cannot be requested ({type(error).__name__}). Check CHORUS_API_URL and CHORUS_API_KEY."
            )
            raise ChorusCallsError(message) from None
