"""The simulated API over HTTP on loopback: endpoints, key check, errors, and broken connections."""

from __future__ import annotations

import gzip
import logging
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pipelines.simulator.listing import ChangingListing, FixedListing, Listing, Order, directory
from pipelines.simulator.messages import Exchange, Middleware, Request, Respond, Response, error, page, page_bounds

DEFAULT_KEY = "sk_simulated"
_ROOT = "/v1/"
_CALLS = "calls"
_WORTH_COMPRESSING = 1_000
_LINGER = "hh" if sys.platform == "win32" else "ii"
_log = logging.getLogger(__name__)


class _Server(ThreadingHTTPServer):
    """Keeps its open connections, so that stopping does not wait for idle clients."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def close_connections(self) -> None:
        """Shut every connection down; their threads then end by themselves."""
        for connection in list(self.connections):
            with suppress(OSError):  # the client has left
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP; the API decides the response."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet

    def __init__(self, api: SimulatedApi, *args: Any) -> None:
        self.api = api
        super().__init__(*args)

    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with suppress(OSError):  # the client has left
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):  # the client has left
            super().handle()

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.api.answer(self.path, headers))

    def do_POST(self) -> None:
        self.close_connection = True  # its body is not read
        self._send(error(405, "Method not allowed").with_headers(Allow="GET"))

    do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the names http.server looks for

    def _send(self, response: Response) -> None:
        if response.silent:
            self._reset()
            return
        body, headers = response.body, dict(response.headers)
        asked = "gzip" in self.headers.get("Accept-Encoding", "")
        if asked and len(body) > _WORTH_COMPRESSING and "Content-Encoding" not in headers:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        length = {} if "Transfer-Encoding" in headers else {"Content-Length": str(len(body))}
        self.send_response_only(response.status)
        for name, value in {"Date": self.api.date(), **length, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if response.sent_bytes is not None:
            body = body[: response.sent_bytes]
            self.close_connection = True
        self._write(body, response.pause)
        if response.reset:
            self._reset()

    def _write(self, body: bytes, pause: float) -> None:
        pieces = [body[place : place + 1] for place in range(len(body))] if pause else [body]
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            if pause and self.api.stopping.wait(pause):
                break

    def _reset(self) -> None:
        """Reset the connection with a TCP RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        socket.socket(fileno=self.connection.detach()).close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        _log.debug(format, *args)


class SimulatedApi:
    """A running API; it serves within a `with` block, or from `start()` until `stop()`.

    Attributes:
        requests: The requests for calls so far, in order of arrival, with the status of each response.
        faults: Middleware between a request for calls and its response, outermost first. May be changed while serving;
            any callable `(request, respond) -> Response`. One that does not call `respond` replaces the response.
        directory: The items of the lists of agents and phone numbers, by their paths. May be changed while serving.
        directory_requests: The requests for these.
        directory_faults: Middleware before these.
        key: The accepted API key. May be changed while serving, as when keys are rotated.
    """

    def __init__(
        self,
        world: Listing | None = None,
        *,
        items: Iterable[Mapping[str, Any] | bytes] | None = None,
        key: str = DEFAULT_KEY,
        port: int = 0,
        order: Order | str = Order.NEWEST,
        faults: Iterable[Middleware] = (),
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Prepare a server; nothing listens yet.

        Args:
            world: Where the calls come from, usually a `World`.
            items: Instead of a world: exactly these items, in this order. Bytes are sent as they are.
            key: The accepted API key.
            port: The port on 127.0.0.1; 0 takes a free one.
            order: The order of the calls.
            faults: See the attribute.
            clock: The time in the Date header; by default the real time.
        """
        self._listing = world if world is not None else FixedListing(items or ())
        self.key = key
        self._port = port
        self._clock = clock or (lambda: datetime.now(UTC))
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()
        self.order = order
        self.faults: list[Middleware] = list(faults)
        self.requests: list[Exchange] = []
        self.directory = directory(getattr(world, "company", None))
        self.directory_requests: list[Exchange] = []
        self.directory_faults: list[Middleware] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """The base URL, for CHORUS_API_URL: `http://127.0.0.1:PORT/v1`."""
        if self._server is None:
            msg = "The simulated API is not running: use it in a with statement, or call start()."
            raise RuntimeError(msg)
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def start(self) -> Self:
        """Listen and serve in the background.

        Raises:
            OSError: The port is taken.
        """
        self.stopping.clear()
        self._server = _Server(("127.0.0.1", self._port), partial(_Handler, self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and wait until the server has ended."""
        if self._server is None or self._thread is None:
            return
        self.stopping.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, target: str, headers: Mapping[str, str]) -> Response:
        """Answer one GET request."""
        url = urlsplit(target)
        path = url.path.rstrip("/").removeprefix(_ROOT)
        if not url.path.startswith(_ROOT) or path not in {_CALLS, *self.directory}:
            return error(404, "Not found")
        exchanges = self.requests if path == _CALLS else self.directory_requests
        with self._lock:
            self._asked[path] += 1
            number = self._asked[path]
        limit, offset, details = page_bounds(parse_qs(url.query, keep_blank_values=True))
        known = {name: value for name, value in headers.items() if name != "authorization"}
        if headers.get("authorization") != f"Bearer {self.key}":
            response = error(401, "Unauthorized", [{"field": "Authorization", "message": "Missing or unknown API key"}])
        elif limit is None or offset is None:
            response = error(400, "Validation failed", details)
        else:
            changing = self._listing if isinstance(self._listing, ChangingListing) else None
            request = Request(number, target, limit, offset, known, self.stopping, listing=changing)
            response = self._through_faults(request, path)
        with self._lock:
            exchanges.append(Exchange(number, target, limit, offset, response.status, known))
        _log.info("GET %s %d", target, response.status)
        return response

    def _through_faults(self, request: Request, path: str) -> Response:
        respond: Respond = self._page if path == _CALLS else partial(self._directory_page, path)
        for fault in reversed(list(self.faults if path == _CALLS else self.directory_faults)):
            respond = _behind(fault, respond)
        return respond(request)

    def _page(self, request: Request) -> Response:
        order = request.order or Order(self.order)
        items, total = self._listing.page(order, request.offset, request.limit, draw=request.number)
        return page(items, total=total, limit=request.limit, offset=request.offset)

    def _directory_page(self, path: str, request: Request) -> Response:
        items = self.directory[path]
        shown = items[request.offset : request.offset + request.limit]
        return page(shown, total=len(items), limit=request.limit, offset=request.offset)

    def date(self) -> str:
        """Return the Date header."""
        return format_datetime(self._clock().astimezone(UTC), usegmt=True)


def _behind(fault: Middleware, respond: Respond) -> Respond:
    return lambda request: fault(request, respond)
