"""Fetching the pages that a scan will probably ask for next while it still waits for the present one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta

from pipelines.errors import ChorusCallsError
from pipelines.extract.http.client import CallsClient, Page
from pipelines.lake import state

CLOCK_TOLERANCE = timedelta(hours=1)
"""How far this machine's clock and the API's may be apart."""
_SECONDS = 0.5
"""Seconds between looks at whether the program is to stop: a signal that comes just before a wait does not end it."""


class Prefetcher:
    """Gives pages one by one, as they are asked for, and has others on their way meanwhile.

    A page that was fetched ahead shows the list as it was a little earlier, or later, than a page fetched alone would;
    whether it joins is the scan's to judge, as for any page.
    """

    def __init__(self, client: CallsClient, pool: ThreadPoolExecutor) -> None:
        self._client = client
        self._pool = pool
        self._coming: dict[tuple[int, int], Future[Page]] = {}

    def page(self, offsets: Sequence[int], limit: int) -> Page:
        """Return the page at the first of some offsets; those at the others are on their way from now on.

        What is on its way and is no longer among them is given up.

        Raises:
            ChorusCallsError: That page did not come, or this machine's clock is not the API's. Of others this is told
                when they are asked for.
        """
        wanted = [(offset, limit) for offset in offsets]
        for place in self._coming.keys() - set(wanted):
            self._coming.pop(place).cancel()
        for offset, _ in wanted:
            if (offset, limit) not in self._coming:
                self._coming[offset, limit] = self._pool.submit(self._fetch, offset, limit)
        coming = self._coming.pop(wanted[0])
        while not wait([coming], _SECONDS).done:
            pass
        return coming.result()

    def _fetch(self, offset: int, limit: int) -> Page:
        page = self._client.page(offset, limit)
        if page.date is not None and abs(state.now() - page.date) > CLOCK_TOLERANCE:  # days and versions go by it
            message = (
                f"This machine's clock and the API's differ by more than an hour ({state.now():%Y-%m-%d %H:%M} and "
                f"{page.date:%Y-%m-%d %H:%M} UTC). Set the clock."
            )
            raise ChorusCallsError(message)
        return page


@contextmanager
def prefetching(client: CallsClient, workers: int) -> Iterator[Prefetcher]:
    """Give pages for a block, with at most so many requests at a time."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pages")
    try:
        yield Prefetcher(client, pool)
    finally:
        # What is still on its way is of no interest: its threads end with their requests, and nobody waits for them.
        pool.shutdown(wait=False, cancel_futures=True)
