"""The simulated API on the wire: HTTP over sockets, and the ways in which a connection can break."""

from __future__ import annotations

import gzip
import logging
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from pipelines.simulator.messages import Response, error

_WORTH_COMPRESSING = 1_000
_LINGER = "hh" if sys.platform == "win32" else "ii"
_log = logging.getLogger(__name__)


class Api(Protocol):
    """What knows the answers."""

    stopping: threading.Event

    def answer(self, target: str, headers: Mapping[str, str]) -> Response:
        """Answer one GET request."""

    def date(self) -> str:
        """The Date header."""


class Server(ThreadingHTTPServer):
    """Knows its open connections, so that stopping does not wait for idle clients."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def hang_up(self) -> None:
        """End every connection; their threads then end by themselves."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                _log.debug("A client had already left.")


def serving(api: Api, port: int) -> Server:
    """A server of the API on 127.0.0.1 that listens, but does not serve yet.

    Raises:
        OSError: The port is taken.
    """
    return Server(("127.0.0.1", port), partial(_Handler, api))


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP; what to say is the API's business."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet

    def __init__(self, api: Api, *args: Any) -> None:
        self.api = api
        super().__init__(*args)

    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        try:
            super().finish()
        except OSError:
            _log.debug("A client left before its answer.")

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            _log.debug("A client left before its answer.")

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
        """Break the connection as a machine does that knows nothing of it any more."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        socket.socket(fileno=self.connection.detach()).close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        _log.debug(format, *args)
