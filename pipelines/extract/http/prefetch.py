"""Fetch the pages that a scan will probably ask for next while it still waits for the present one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Self

from pipelines.errors import ChorusCallsError
from pipelines.extract.http.client import CallsClient, Page
from pipelines.lake import state

CLOCK_TOLERANCE = timedelta(hours=1)
"""How far this machine's clock and the API's may differ."""
_WAIT_SECONDS = 0.5
"""The longest single wait: a signal that comes just before a wait does not end it."""


class Prefetcher:
    """Gives pages one by one, as they are asked for, and fetches others meanwhile; to be used in a `with` block.

    A prefetched page shows the list as it was a little earlier, or later, than a page fetched alone would; whether it
    joins is for the scan to decide, as for any page.

    Attributes:
        workers: The number of pages that may be requested at a time.
    """

    def __init__(self, client: CallsClient, workers: int) -> None:
        self.workers = workers
        self._client = client
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pages")
        self._pending: dict[tuple[int, int], Future[Page]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Pending pages are of no interest any more: their threads end with their requests, and nothing waits for them.
        self._pool.shutdown(wait=False, cancel_futures=True)

    def page(self, offsets: Sequence[int], limit: int) -> Page:
        """Return the page at the first offset, and fetch those at the other offsets meanwhile.

        Pages that were prefetched at other offsets are dropped.

        Raises:
            ChorusCallsError: That page did not come, or this machine's clock differs from the API's. Errors of
                prefetched pages are raised when those are asked for.
        """
        wanted = [(offset, limit) for offset in offsets]
        for place in self._pending.keys() - set(wanted):
            self._pending.pop(place).cancel()
        for place in wanted:
            if place not in self._pending:
                self._pending[place] = self._pool.submit(self._fetch, *place)
        page = self._pending.pop(wanted[0])
        while not wait([page], _WAIT_SECONDS).done:
            pass
        return page.result()

    def _fetch(self, offset: int, limit: int) -> Page:
        page = self._client.page(offset, limit)
        if page.date is not None and abs(state.now() - page.date) > CLOCK_TOLERANCE:  # days and versions depend on it
            message = (
                f"This machine's clock and the API's differ by more than an hour ({state.now():%Y-%m-%d %H:%M} and "
                f"{page.date:%Y-%m-%d %H:%M} UTC). Set the clock."
            )
            raise ChorusCallsError(message)
        return page
