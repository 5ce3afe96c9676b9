"""HTTP sessions of a client: one a thread, cancellable from another thread, redirected within the origin only.

A server that sends a byte now and then is never idle, so that no timeout of a socket ends its answer; nor does a
thread that waits for an answer hear that it should stop. Here a thread of its own watches the requests under way and
shuts the socket of one that takes too long, and of all of them once the client is stopped.
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


class ElsewhereError(Exception):
    """A redirect to another scheme, host or port; the text says which."""


def followed(url: str, location: str, bounds: Mapping[str, str]) -> str:
    """Return the address that a redirect leads to.

    Args:
        url: What was asked.
        location: What the answer's Location says.
        bounds: The query's limit and offset, which not every server carries over.

    Raises:
        ElsewhereError: It leads to another origin.
    """
    try:
        target = urljoin(url, location)
        there, parts = _origin(target), urlsplit(target)
    except ValueError:
        message = "an address that is none"
        raise ElsewhereError(message) from None
    if there != _origin(url):
        raise ElsewhereError(there)
    query = {**dict(parse_qsl(parts.query)), **bounds}
    return f"{there}{parts.path or '/'}?{urlencode(query)}"


def _origin(url: str) -> str:
    """Scheme, host and port of an address, written in one way and without a user."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _PORTS.get(parts.scheme)}"


_TICK = 0.25
"""Seconds between two looks at the requests under way."""


class Bearer(AuthBase):
    """Puts the key into the request alone: as `auth` it also keeps a netrc file from replacing it."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """See AuthBase."""
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return request


class _Session(requests.Session):
    """Leaves redirects alone: requests would read the whole body of one, however large, though it is not to follow."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """See requests.Session."""
        return None


class Line(HTTPAdapter):
    """One thread's way to the API.

    Attributes:
        late: Whether the last request was ended because it took too long.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self.session = _Session()
        self.late = False
        self._stopping = stopping
        self._ends_at = math.inf
        self._socket: socket.socket | None = None
        super().__init__()
        self.session.mount("https://", self)
        self.session.mount("http://", self)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let what is asked for in a block take so long at most."""
        self.late = False
        self._ends_at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._ends_at = math.inf

    def check(self, now: float) -> None:
        """End the request under way if its time is over; to be called again until it has ended."""
        if now > self._ends_at:
            self.late = True
            self.hang_up()

    def hang_up(self) -> None:
        """End the connection in use, from whatever thread."""
        connection = self._socket
        if connection is not None:
            with suppress(OSError):  # closed already
                # Of TLS nothing is told: its state belongs to the thread that reads.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """See HTTPAdapter; the connections of the pool it returns make their sockets known."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = partial(self._connection, type(pool).ConnectionCls)
        return pool

    def _connection(self, kind: Any, **options: Any) -> Any:
        connection = kind(**options)
        connect = connection.connect

        def connect_and_tell() -> None:
            connect()
            self._socket = connection.sock
            if self._stopping.is_set():  # whoever stopped the client did not know this socket yet
                self.hang_up()

        connection.connect = connect_and_tell
        return connection


class Connections:
    """The lines of all threads of a client, and the thread that watches them."""

    def __init__(self, *, auth: AuthBase, headers: Mapping[str, str], stopping: threading.Event) -> None:
        self._auth = auth
        self._headers = headers
        self._stopping = stopping
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._own = threading.local()
        self._watcher: threading.Thread | None = None

    def line(self) -> Line:
        """Return the line of the thread that asks."""
        line: Line | None = getattr(self._own, "line", None)
        if line is None:
            line = self._own.line = Line(self._stopping)
            line.session.auth = self._auth
            line.session.headers.update(self._headers)
            with self._lock:
                self._lines.append(line)
                if self._watcher is None:
                    self._watcher = threading.Thread(target=self._watch, name="requests-watch", daemon=True)
                    self._watcher.start()
        return line

    def hang_up(self) -> None:
        """End every request under way."""
        with self._lock:
            for line in self._lines:
                line.hang_up()

    def close(self) -> None:
        """Close every connection; the client has been stopped."""
        self.hang_up()
        if self._watcher is not None:
            self._watcher.join()
        for line in self._lines:
            line.session.close()

    def _watch(self) -> None:
        while not self._stopping.wait(_TICK):
            now = time.monotonic()
            with self._lock:
                for line in self._lines:
                    line.check(now)
