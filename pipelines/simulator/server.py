"""The simulated Chorus API over real HTTP on loopback: the documented endpoints, their key check and their errors."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pipelines.simulator.directory import Staffed, directory
from pipelines.simulator.listing import ChangingListing, Listing, Order, fixed_listing
from pipelines.simulator.messages import Exchange, Middleware, Request, Respond, Response, error, page, page_bounds
from pipelines.simulator.wire import Server, serving

ROOT = "/v1/"
CALLS = "calls"
DEFAULT_KEY = "sk_simulated"
_log = logging.getLogger(__name__)


class SimulatedApi:
    """A running API; a context manager that serves from `with` on, or from `start()` until `stop()`.

    Attributes:
        requests: What was asked of the calls so far, in order of arrival, and the status of each answer.
        faults: What stands between a request for calls and its answer, outermost first. May be changed while serving;
            any callable `(request, respond) -> Response` will do, and answering without `respond` replaces the answer.
        directory: The items of the lists of agents and phone numbers, by their paths. May be changed while serving.
        directory_requests: What was asked of these.
        directory_faults: What stands before these.
        order: How calls are listed. May be changed while serving.
        key: The key that is let in. May be changed while serving, as when keys are rotated.
        stopping: Set once the server stops.
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
            items: Instead of a world: exactly these items, listed as given. Bytes are sent as they are.
            key: The key that is let in.
            port: The port on 127.0.0.1; 0 takes a free one.
            order: How calls are listed.
            faults: See the attribute.
            clock: What the Date header shows; the real time where not given.
        """
        self._listing = world if world is not None else fixed_listing(items or ())
        self.key = key
        self._port = port
        self._clock = clock or (lambda: datetime.now(UTC))
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()
        self.order = order
        self.faults: list[Middleware] = list(faults)
        self.requests: list[Exchange] = []
        self.directory = directory(self._listing.company if isinstance(self._listing, Staffed) else None)
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
        self._server = serving(self, self._port)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and wait until nothing serves any more."""
        if self._server is None or self._thread is None:
            return
        self.stopping.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, target: str, headers: Mapping[str, str]) -> Response:
        """Answer one GET request.

        Args:
            target: The path with its query.
            headers: The request's headers, names in lower case.
        """
        url = urlsplit(target)
        path = url.path.rstrip("/").removeprefix(ROOT)
        if not url.path.startswith(ROOT) or path not in {CALLS, *self.directory}:
            return error(404, "Not found")
        exchanges = self.requests if path == CALLS else self.directory_requests
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
        respond: Respond = self._page if path == CALLS else partial(self._directory_page, path)
        for fault in reversed(list(self.faults if path == CALLS else self.directory_faults)):
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
        """The Date header."""
        return format_datetime(self._clock().astimezone(UTC), usegmt=True)


def _behind(fault: Middleware, respond: Respond) -> Respond:
    return lambda request: fault(request, respond)
