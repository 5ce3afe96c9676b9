"""HTTP sessions of a client: one per thread, cancellable from another thread, with redirects within the origin only.

A server that sends a byte now and then is never idle, so no socket timeout ends its response; and a thread that waits
for a response does not notice that it should stop. So one thread watches the requests under way and shuts down the
socket of each that takes too long, and of all of them once the client is stopped.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

_PORTS = {"http": 80, "https": 443}
_WATCH_SECONDS = 0.25
"""The pause between two checks of the requests under way."""


class CrossOriginError(Exception):
    """A redirect to another scheme, host or port; the text says which."""


def resolve_redirect(url: str, location: str, query: Mapping[str, str]) -> str:
    """Return the address that a redirect leads to.

    Args:
        url: The address that was requested.
        location: The response's Location header.
        query: The query's limit and offset, which not every server carries over.

    Raises:
        CrossOriginError: It leads to another origin.
    """
    try:
        target = urljoin(url, location)
        origin, parts = _origin(target), urlsplit(target)
    except ValueError:
        message = "an address that is not valid"
        raise CrossOriginError(message) from None
    if origin != _origin(url):
        raise CrossOriginError(origin)
    return f"{origin}{parts.path or '/'}?{urlencode({**dict(parse_qsl(parts.query)), **query})}"


def _origin(url: str) -> str:
    """Return the scheme, host and port of an address, normalized and without a user."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _PORTS.get(parts.scheme)}"


class BearerAuth(AuthBase):
    """Adds the key to the request alone; as `auth`, it also keeps a netrc file from replacing it."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """See AuthBase."""
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return request


class _Session(requests.Session):
    """Ignores redirects: requests would read the whole body of one, however large, even if it does not follow it."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """See requests.Session."""
        return None


class CancellableSession(HTTPAdapter):
    """One thread's session, whose request another thread can abort.

    Attributes:
        session: The session of requests that this adapter serves.
        timed_out: Whether the last request was aborted because it took too long.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self.session = _Session()
        self.timed_out = False
        self._stopping = stopping
        self._deadline = math.inf
        self._socket: socket.socket | None = None
        super().__init__()
        self.session.mount("https://", self)
        self.session.mount("http://", self)

    @contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Abort the request in this block if it takes longer."""
        self.timed_out = False
        self._deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = math.inf

    def check_deadline(self, now: float) -> None:
        """Abort the request under way if its time is over; to be called again until the request has ended."""
        if now > self._deadline:
            self.timed_out = True
            self.abort()

    def abort(self) -> None:
        """Shut down the connection in use; may be called from any thread."""
        connection = self._socket
        if connection is not None:
            with suppress(OSError):  # closed already
                # Not the TLS socket's own method: TLS state belongs to the thread that reads.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """See HTTPAdapter; the connections of the returned pool report their sockets."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = partial(self._connection, type(pool).ConnectionCls)
        return pool

    def _connection(self, kind: Any, **options: Any) -> Any:
        connection = kind(**options)
        connect = connection.connect

        def connect_and_report() -> None:
            connect()
            self._socket = connection.sock
            if self._stopping.is_set():  # `abort_all` did not know this socket yet
                self.abort()

        connection.connect = connect_and_report
        return connection


class SessionPool:
    """The sessions of all threads of a client, and the thread that watches them."""

    def __init__(self, *, auth: AuthBase, headers: Mapping[str, str], stopping: threading.Event) -> None:
        self._auth = auth
        self._headers = headers
        self._stopping = stopping
        self._lock = threading.Lock()
        self._sessions: list[CancellableSession] = []
        self._local = threading.local()
        self._watcher: threading.Thread | None = None

    def current(self) -> CancellableSession:
        """Return the calling thread's session."""
        own: CancellableSession | None = getattr(self._local, "session", None)
        if own is None:
            own = self._local.session = CancellableSession(self._stopping)
            own.session.auth = self._auth
            own.session.headers.update(self._headers)
            with self._lock:
                self._sessions.append(own)
                if self._watcher is None:
                    self._watcher = threading.Thread(target=self._watch, name="requests-watch", daemon=True)
                    self._watcher.start()
        return own

    def abort_all(self) -> None:
        """Abort every request under way."""
        with self._lock:
            for own in self._sessions:
                own.abort()

    def close(self) -> None:
        """Close every connection; the client has been stopped."""
        self.abort_all()
        if self._watcher is not None:
            self._watcher.join()
        for own in self._sessions:
            own.session.close()

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            now = time.monotonic()
            with self._lock:
                for own in self._sessions:
                    own.check_deadline(now)
