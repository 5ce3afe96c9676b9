"""A sync: one scan of the API whose calls land, with a journal from which the next one goes on if it is cut off."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta

from pipelines.errors import ChorusCallsError, KeyRefusedError, disk_trouble
from pipelines.extract.client import CallsClient, Page
from pipelines.extract.journal import Cut, Journal, load_journal, resume
from pipelines.extract.landing import Landing
from pipelines.extract.outcome import Ending, Order
from pipelines.extract.raw_files import require_landing_log
from pipelines.extract.report import FULL, INCREMENTAL, PageProgress, ScanReport, record
from pipelines.extract.scan import Scan, Shown, advance
from pipelines.lake import state
from pipelines.lake.compaction import compact
from pipelines.lake.state import Kept
from pipelines.lake.storage import Storage

__all__ = ["CLOCK_TOLERANCE", "PageProgress", "ScanReport", "sync"]

_PATIENCE = 2.0
"""Seconds to wait for another sync: none ends so soon, but who cleans the lake holds its lock for less."""
_PAGES_PER_JOURNAL = 100
_FRESH_STARTS = 2
CLOCK_TOLERANCE = timedelta(hours=1)
"""How far this machine's clock may be from the API's."""


def sync(
    storage: Storage,
    client: CallsClient,
    *,
    start_date: date,
    full: bool = False,
    max_pages: int | None = None,
    lookback_hours: float = 48,
    on_page: Callable[[PageProgress], None] | None = None,
) -> ScanReport:
    """Land what is new or changed at the API.

    Args:
        storage: The lake's files; its settings have been admitted.
        client: The API.
        start_date: The first day that a call may belong to.
        full: Read the whole list, even where what is newer than the last complete scan would do.
        max_pages: Stop after so many pages; the report then says `limited`.
        lookback_hours: How far to read behind the newest call that was known when the last complete scan began.
        on_page: Told after each page.

    Returns:
        What was done. Its ending is a complete one, or LIMITED.

    Raises:
        LakeBusyError: Another sync is running.
        KeyRefusedError: The API refused the key.
        ChorusCallsError: The scan is incomplete; what it had read is landed.
    """
    with storage.lock("sync", wait=_PATIENCE), storage.lock("lake", shared=True):
        journal = load_journal(storage)
        until = None if full else _until(journal.value, lookback_hours)
        run = _Run(storage, client, journal, start_date=start_date, incremental=until is not None, on_page=on_page)
        try:
            report = run.perform(until, max_pages)
        except ChorusCallsError:
            compact(storage, state.load_landed(storage))
            raise
        compact(storage, state.load_landed(storage))
        return report


def _until(journal: Journal, lookback_hours: float) -> datetime | None:
    """How far back an incremental scan reads; None where only a full one will do."""
    if journal.order is not Order.NEWEST or journal.full_scan_at is None or journal.frontier is None:
        return None
    return journal.frontier - timedelta(hours=lookback_hours)


class _Run:
    """One sync under way."""

    def __init__(
        self,
        storage: Storage,
        client: CallsClient,
        journal: Kept[Journal],
        *,
        start_date: date,
        incremental: bool,
        on_page: Callable[[PageProgress], None] | None,
    ) -> None:
        landed = state.load_landed(storage)
        require_landing_log(storage, landed)
        self._storage = storage
        self._client = client
        self._journal = journal
        self._on_page = on_page
        self._landing = Landing(storage, landed, start_date=start_date, sync_id=secrets.token_hex(4))
        self._report = ScanReport(INCREMENTAL if incremental else FULL, state.now())
        self._began = time.monotonic()
        self._requests, self._retries = client.requests, client.retries
        self._pages = 0
        self._scan = Scan()

    def _start(self, cut: Cut | None = None) -> None:
        """Begin a scan: with nothing known of the list, or with what an earlier one had proven."""
        self._report.resumed = cut is not None
        self._head = cut.head if cut else []
        self._newest = cut.newest if cut else None
        self._scan_began = cut.started_at if cut else self._report.started_at
        self._pages_before = cut.pages if cut else 0
        self._from_before = {*cut.head, *cut.tail} if cut else set[str]()
        self._seen = set(self._from_before)
        self._unsaved = 0
        self._pages += self._scan.pages
        self._scan = Scan()

    def perform(self, until: datetime | None, max_pages: int | None) -> ScanReport:
        """Read to the end, whatever it is, and keep what was read."""
        try:
            self._read_all(until, max_pages)
            self._save()
        except KeyboardInterrupt:
            self._close(Ending.INTERRUPTED)
            raise
        except KeyRefusedError as error:
            self._close(Ending.FAILED)
            raise KeyRefusedError(_incomplete(error.message)) from None
        except ChorusCallsError as error:
            self._close(Ending.FAILED)
            raise ChorusCallsError(_incomplete(error.message), error.exit_code) from error
        except OSError as error:
            with suppress(OSError):  # the record of a scan is the least that a full disk costs
                self._write_report(Ending.FAILED)
            raise ChorusCallsError(_incomplete(disk_trouble(error))) from error
        self._finish(self._scan.ending or Ending.FAILED)
        if not self._report.complete and self._scan.ending is not Ending.LIMITED:
            raise ChorusCallsError(_incomplete(f"{self._report.ending}."))
        return self._report

    def _read_all(self, until: datetime | None, max_pages: int | None) -> None:
        """Scan until an ending; where pages do not join, once more from the beginning."""
        cut = self._journal.value.cut if self._report.mode == FULL else None
        starts = [None] * _FRESH_STARTS if cut is None else [cut, None]
        for start in starts:
            self._start(start)
            left = None if max_pages is None else max(max_pages - self._pages, 1)
            self._read(resume(start, left) if start else Scan(until=until, max_pages=left))
            if self._scan.ending is not Ending.NOT_JOINED:
                return

    def _read(self, scan: Scan) -> None:
        self._scan = scan
        while self._scan.ending is None:
            page = self._client.page(self._scan.offset, self._scan.limit)
            _check_clock(page)
            self._take(page)
            self._unsaved += 1
            if self._landing.full or self._unsaved >= _PAGES_PER_JOURNAL:
                self._save()
            if self._on_page:
                self._on_page(self._progress())

    def _take(self, page: Page) -> None:
        """Hold back what a page brings, and let the scan decide what it means."""
        items = self._landing.add(page.items)
        keys = tuple(item.key for item in items)
        times = tuple(item.instant for item in items if item.instant is not None)
        if self._scan.pages == 0 and not self._report.resumed:
            self._head = list(keys)
            self._newest = min(max(times), self._report.started_at) if times else None
        unseen = frozenset(key for key in keys if key not in self._seen)
        self._scan = advance(self._scan, Shown(page.offset, keys, unseen, times, page.total))
        self._seen |= self._scan.accepted

    def _save(self) -> None:
        """Land what is held back, then write down how far the scan is proven."""
        self._landing.flush()
        self._unsaved = 0
        scan = self._scan
        if self._report.mode == FULL and scan.tail and scan.ending in {None, Ending.LIMITED}:  # else it is over
            self._journal.value.cut = Cut(
                started_at=self._scan_began,
                newest=self._newest,
                head=self._head,
                tail=list(scan.tail),
                end=scan.end,
                pages=self._pages_before + scan.pages,
                size=scan.size,
                rising=scan.rising,
                falling=scan.falling,
                total=scan.total,
            )
            state.commit(self._storage, self._journal)

    def _close(self, ending: Ending) -> None:
        """Keep what was read before the scan was stopped."""
        try:
            self._save()
        finally:
            self._write_report(ending)

    def _finish(self, ending: Ending) -> None:
        """Let the journal say how far the scan came, and the record what it did."""
        journal = self._journal.value
        if ending.complete:
            journal.order, journal.frontier = self._scan.order, self._newest
        if ending is not Ending.LIMITED and self._report.mode == FULL:
            journal.cut = None
            journal.full_scan_at = self._scan_began if ending.complete else journal.full_scan_at
        state.commit(self._storage, self._journal)
        self._write_report(ending)

    def _write_report(self, ending: Ending) -> None:
        report, scan, counts = self._report, self._scan, self._landing.counts
        report.ending, report.order = ending, scan.order
        report.pages = self._pages + scan.pages
        report.requests = self._client.requests - self._requests
        report.retries = self._client.retries - self._retries
        report.calls_seen = len(self._seen) - len(self._from_before)
        report.calls_new, report.calls_changed, report.items_rejected = counts.new, counts.changed, counts.rejected
        report.total_start, report.total_end = scan.total_start, scan.total
        report.changed_days = sorted(self._landing.changed_days)
        report.finished_at = state.now()
        report.seconds = time.monotonic() - self._began
        record(self._storage, report)

    def _progress(self) -> PageProgress:
        counts, pages = self._landing.counts, self._pages + self._scan.pages
        return PageProgress(pages, len(self._seen), counts.new, counts.changed, self._scan.total)


def _incomplete(reason: str) -> str:
    return f"The sync is incomplete: {reason} What was read is landed; run it again to go on."


def _check_clock(page: Page) -> None:
    """Refuse a clock that is far from the API's: days and versions are told by it."""
    if page.date is not None and abs(state.now() - page.date) > CLOCK_TOLERANCE:
        message = (
            f"This machine's clock and the API's differ by more than an hour ({state.now():%Y-%m-%d %H:%M} and "
            f"{page.date:%Y-%m-%d %H:%M} UTC). Set the clock."
        )
        raise ChorusCallsError(message)
