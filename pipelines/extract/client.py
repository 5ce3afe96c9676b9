"""The HTTP client of the calls API: one page at a time, tried again for a bounded time, the key in no text.

What an answer means for a scan is not known here (`scan.py`), nor what an item is (`landing.py`).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from pipelines import __version__
from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.page import Listing, NotAPageError, split
from pipelines.extract.retry import backoff, http_date, retry_after

LIMIT = 100
"""The most calls a page may have."""

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_BODY_SECONDS = 300.0
_CHUNK = 1 << 17
_OK = 200
_REFUSED = frozenset({401, 403})
_PASSING = frozenset({408, 425, 429})
_SERVER_ERRORS = 500
_CLIENT_ERRORS = 400


@dataclass(frozen=True)
class Page:
    """One page as the API showed it.

    Attributes:
        offset: The offset that was asked for.
        items: Each item's JSON source.
        total: How many items the API says there are; None where it does not say.
        date: The API's clock when it answered; None where it does not say.
    """

    offset: int
    items: list[bytes]
    total: int | None
    date: datetime | None


class NoPageError(ChorusCallsError):
    """The API gave no page in time; `reason` says what it did instead."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class _TryAgainError(Exception):
    """An answer that a later one may mend; `wait` is what the API asked for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class _Bearer(AuthBase):
    """Puts the key into the request alone: as `auth` it also keeps a netrc file from replacing it."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return request


class CallsClient:
    """Reads pages of `GET {api_url}/calls`; may be used by several threads.

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
        self._url = f"{api_url.rstrip('/')}/calls"
        self._auth = _Bearer(api_key)
        self._retry_seconds = retry_seconds
        self._timeout = (min(_CONNECT_SECONDS, read_seconds), read_seconds)
        self._max_body = max_body_mb * 1_000_000
        self._pause = 1 / max_requests_per_second if max_requests_per_second else 0.0
        self._next_request = 0.0
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    def page(self, offset: int, limit: int = LIMIT) -> Page:
        """Ask for a page until it comes or the time for it is used up.

        Raises:
            KeyRefusedError: The API answered 401 or 403.
            NoPageError: The page did not come in time.
            ChorusCallsError: Asking again would not help.
        """
        deadline = time.monotonic() + self._retry_seconds
        for tries, pause in enumerate(backoff(), start=1):
            try:
                return self._ask(offset, limit)
            except _TryAgainError as failed:
                failure = failed
            left = deadline - time.monotonic()
            if left <= 0 or (failure.wait or 0) > left:
                message = (
                    f"The API gave no page at offset {offset} ({tries} tries in {self._retry_seconds:g} s): "
                    f"{failure.reason}. Try again later, or raise CHORUS_RETRY_SECONDS."
                )
                raise NoPageError(message, failure.reason)
            time.sleep(failure.wait or min(pause, left))
            with self._lock:
                self.retries += 1
        raise AssertionError

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()

    def _ask(self, offset: int, limit: int) -> Page:
        self._await_turn()
        try:
            with self._session().get(
                self._url,
                params={"limit": limit, "offset": offset},
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                date = http_date(response.headers.get("Date"))
                _check(response, date or datetime.now(UTC))
                listing = _listing(self._body(response))
        except requests.exceptions.SSLError:
            message = f"{self._url} has no certificate that this machine trusts. Check CHORUS_API_URL."
            raise ChorusCallsError(message) from None
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ContentDecodingError) as error:  # fmt: skip
            raise _TryAgainError(_trouble(error)) from None
        except (requests.RequestException, ValueError) as error:
            # Its text may hold a header, and with it the key.
            message = f"{self._url} cannot be asked ({type(error).__name__}). Check CHORUS_API_URL and CHORUS_API_KEY."
            raise ChorusCallsError(message) from None
        return Page(offset, listing.items, listing.total, date)

    def _body(self, response: requests.Response) -> bytes:
        """Read a body, but no more of it than allowed, and not for ever."""
        deadline = time.monotonic() + _BODY_SECONDS
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(_CHUNK):
            size += len(chunk)
            if size > self._max_body:
                allowed = self._max_body // 1_000_000
                message = f"A page is larger than {allowed} MB. If that is right, raise CHORUS_MAX_BODY_MB."
                raise ChorusCallsError(message)
            if time.monotonic() > deadline:
                reason = "its answer came too slowly"
                raise _TryAgainError(reason)
            chunks.append(chunk)
        return b"".join(chunks)

    def _await_turn(self) -> None:
        """Keep to the allowed number of requests a second, over all threads."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_request)
            self._next_request = turn + self._pause
            self.requests += 1
        if turn > now:
            time.sleep(turn - now)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.auth = self._auth
            session.headers.update(
                {
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    "Content-Type": "application/json",
                    "User-Agent": f"chorus-calls/{__version__}",
                }
            )
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session


def _check(response: requests.Response, now: datetime) -> None:
    """Let only an answer through that can be a page."""
    status = response.status_code
    if status == _OK:
        return
    if status in _REFUSED:
        raise KeyRefusedError
    if status in _PASSING or status >= _SERVER_ERRORS:
        wait = retry_after(response.headers.get("Retry-After"), now)
        reason = f"it answered {status}" + (f" and asked to wait {wait:.0f} s" if wait else "")
        raise _TryAgainError(reason, wait)
    if status >= _CLIENT_ERRORS:
        message = f"The API answered {status}. Check CHORUS_API_URL: calls are asked for at {response.url}."
    else:
        message = f"The API answered {status}, not with a page. Check CHORUS_API_URL: redirects are not followed."
    raise ChorusCallsError(message)


def _listing(body: bytes) -> Listing:
    try:
        return split(body)
    except NotAPageError as error:
        reason = f"it answered with {error}"
        raise _TryAgainError(reason) from None


def _trouble(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "its answer could not be unpacked"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle of its answer"
    return "it could not be reached"
