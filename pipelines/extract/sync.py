"""Sync: one scan of the API whose calls land, with a checkpoint from which the next sync resumes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta

from pipelines.errors import ChorusCallsError, KeyRefusedError, disk_trouble
from pipelines.extract.http.client import CallsClient, Page
from pipelines.extract.http.prefetch import Prefetcher, prefetching
from pipelines.extract.landing.landing import Landing
from pipelines.extract.landing.raw_writer import require_landing_log
from pipelines.extract.landing.tombstones import DEFAULT_GUARD, DeletionDetector, DeletionGuard, Refusal, tombstones
from pipelines.extract.scan.checkpoint import Checkpoint, Journal, load_journal, resume, take_checkpoint, watermark
from pipelines.extract.scan.ordered import advance
from pipelines.extract.scan.state import Ending, Order, Phase, Scan, Shown
from pipelines.extract.scan.unordered import UnorderedScan, advance_unordered
from pipelines.extract.scan_report import FULL, INCREMENTAL, PageProgress, ScanReport, record
from pipelines.lake import state
from pipelines.lake.locks import LAKE, SYNC
from pipelines.lake.maintenance.compaction import compact
from pipelines.lake.state import Stored
from pipelines.lake.storage import Storage

_FEWEST_SAVED, _MOST_SAVED = 5, 100
"""Pages between two savings: a fiftieth of the list, within these bounds. So much is read again after a crash."""
_FRESH_STARTS = 2


class Run:
    """One sync under way; the caller holds its locks."""

    def __init__(
        self,
        storage: Storage,
        pages: Prefetcher,
        journal: Stored[Journal],
        *,
        start_date: date,
        until: datetime | None,
        allowance: DeletionGuard,
        workers: int,
        on_page: Callable[[PageProgress], None] | None,
    ) -> None:
        landed = state.load_landed(storage)
        require_landing_log(storage, landed)
        self._storage = storage
        self._ahead = pages
        self._journal = journal
        self._until = until
        self._allowance = allowance
        self._workers = workers
        self._on_page = on_page
        self._landing = Landing(storage, landed, start_date=start_date, sync_id=secrets.token_hex(4))
        self._report = ScanReport(FULL if until is None else INCREMENTAL, state.now())
        # What had landed before: landing replaces this state with later ones and leaves it as it is.
        self._roll = DeletionDetector(storage, landed.value.days if until is None else {}, self._landing.screen)
        self._began = time.monotonic()
        self._pages = self._breaks = 0
        self._scan: Scan | UnorderedScan = Scan()

    def perform(self, client: CallsClient, max_pages: int | None) -> ScanReport:
        """Read to the end, whatever it is, and keep what was read."""
        self._report.requests, self._report.retries = -client.requests, -client.retries
        self._client = client
        try:
            self._read_all(max_pages)
            self._save()
            refusal = self._mark_gone()
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
        self._finish(refusal.ending if refusal else self._scan.ending or Ending.FAILED)
        if refusal:
            message = f"The sync is incomplete: {refusal.reason}"
            raise ChorusCallsError(message)
        if not self._report.complete and self._scan.ending is not Ending.LIMITED:
            raise ChorusCallsError(_incomplete(f"{self._report.ending}."))
        return self._report

    def _read_all(self, max_pages: int | None) -> None:
        """Scan until an ending; where pages do not join, once more from the beginning, then without joining them."""
        # A scan that is resumed has not seen all of the list as it is now, so it could not mark what is accepted.
        is_resumable = self._report.mode == FULL and not self._allowance.accepted
        checkpoint = self._journal.value.checkpoint if is_resumable else None
        for start in [None] * _FRESH_STARTS if checkpoint is None else [checkpoint, None]:
            self._start(start)
            self._read(self._begin(start, self._left(max_pages)))
            # Of a short list in no order known pages may come again and again; passes tell that from a broken paging.
            in_vain = self._scan.ending in {Ending.NOT_JOINED, Ending.REPEATED}
            if not in_vain and not self._scan.clearly_unordered:
                return
            if self._scan.clearly_unordered:
                break
        self._start()
        self._read(UnorderedScan(max_pages=self._left(max_pages)))

    def _left(self, max_pages: int | None) -> int | None:
        return None if max_pages is None else max(max_pages - self._pages, 1)

    def _begin(self, checkpoint: Checkpoint | None, max_pages: int | None) -> Scan:
        if checkpoint is not None:
            return resume(checkpoint, max_pages)
        is_oldest_first = self._until is not None and self._journal.value.order is Order.OLDEST
        phase = Phase.SEEK if is_oldest_first else Phase.WALK
        return Scan(until=self._until, max_pages=max_pages, phase=phase)

    def _start(self, checkpoint: Checkpoint | None = None) -> None:
        """Begin a reading: with nothing known of the list, or with what an earlier one had proven."""
        self._report.resumed = checkpoint is not None
        self._head = checkpoint.head if checkpoint else []
        self._newest = checkpoint.newest if checkpoint else None
        self._scan_began = checkpoint.started_at if checkpoint else self._report.started_at
        self._pages_before = checkpoint.pages if checkpoint else 0
        self._from_before = {*checkpoint.head, *checkpoint.tail} if checkpoint else set[str]()
        self._seen = set(self._from_before)
        self._unsaved = 0
        self._pages += self._scan.pages
        self._breaks += self._scan.breaks if isinstance(self._scan, Scan) else 0
        self._scan = Scan()

    def _read(self, scan: Scan | UnorderedScan) -> None:
        self._scan = scan
        while self._scan.ending is None:
            self._take(self._ahead.page(self._scan.ahead(self._workers), self._scan.limit))
            self._unsaved += 1
            if self._landing.full or (isinstance(self._scan, Scan) and self._unsaved >= _saved_together(self._scan)):
                self._save()
            if self._on_page:
                self._on_page(self._progress())
            if isinstance(self._scan, Scan) and self._scan.clearly_unordered:
                return

    def _take(self, page: Page) -> None:
        """Hold back what a page brings, and let the scan decide what it means."""
        items = self._landing.add(page.items)
        self._roll.see(items)
        keys = tuple(item.key for item in items)
        unseen = frozenset(key for key in keys if key not in self._seen)
        shown = Shown(page.offset, keys, unseen, tuple(item.instant for item in items), page.total)
        if self._scan.pages == 0 and not self._report.resumed:
            self._head = list(keys)
            self._newest = min(max(shown.known_times), self._report.started_at) if shown.known_times else None
        self._scan = (
            advance(self._scan, shown) if isinstance(self._scan, Scan) else advance_unordered(self._scan, shown)
        )
        self._seen |= self._scan.accepted

    def _save(self) -> None:
        """Land what is held back, then write down how far the scan is proven."""
        self._landing.flush()
        self._unsaved = 0
        scan = self._scan
        is_over = scan.ending not in {None, Ending.LIMITED}
        if self._report.mode == FULL and isinstance(scan, Scan) and scan.tail and not (is_over or scan.hole):
            self._journal.value.checkpoint = take_checkpoint(
                scan, started_at=self._scan_began, newest=self._newest, head=self._head, pages_before=self._pages_before
            )
            state.commit(self._storage, self._journal)

    def _mark_gone(self) -> Refusal | None:
        """Mark the known calls that are gone, where the scan proves that they are; or say why that has to be asked."""
        scan, report = self._scan, self._report
        if not isinstance(scan, Scan) or scan.ending is not Ending.END or scan.unordered:
            return None
        if report.mode != FULL or report.resumed:
            return None
        absent = self._roll.absent()
        refusal = self._allowance.refusal(absent, hidden=scan.hidden)
        deleted = {} if refusal else absent.deleted
        self._landing.mark(tombstones(deleted, absent.moved))
        report.calls_deleted = sum(map(len, deleted.values()))
        report.calls_moved = sum(map(len, absent.moved.values()))
        return refusal

    def _close(self, ending: Ending) -> None:
        """Keep what was read before the scan was stopped."""
        try:
            self._save()
        finally:
            self._write_report(ending)

    def _finish(self, ending: Ending) -> None:
        """Let the journal say how far the scan came, and the record what it did."""
        journal = self._journal.value
        if ending.complete or ending.proven:
            journal.order = self._scan.order
        if ending.proven and isinstance(self._scan, Scan):
            journal.watermark = watermark(self._scan, self._newest, self._scan_began)
        if ending is not Ending.LIMITED and self._report.mode == FULL:
            journal.checkpoint = None
            journal.full_scan_at = self._scan_began if ending.proven else journal.full_scan_at
        state.commit(self._storage, self._journal)
        self._write_report(ending)

    def _write_report(self, ending: Ending) -> None:
        report, scan, counts = self._report, self._scan, self._landing.counts
        report.ending, report.order = ending, scan.order
        report.pages = self._pages + scan.pages
        report.chain_breaks = self._breaks + (scan.breaks if isinstance(scan, Scan) else 0)
        report.requests += self._client.requests
        report.retries += self._client.retries
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


def _saved_together(scan: Scan) -> int:
    pages = (scan.total or 0) // max(scan.widest, 1)
    return min(max(pages // 50, _FEWEST_SAVED), _MOST_SAVED)


def _incomplete(reason: str) -> str:
    return f"The sync is incomplete: {reason} What was read is landed; run it again to go on."


_PATIENCE = 2.0
"""Seconds to wait for another sync: none ends so soon, but who cleans the lake holds its lock for less."""


def sync(
    storage: Storage,
    client: CallsClient,
    *,
    start_date: date,
    full: bool = False,
    max_pages: int | None = None,
    allowance: DeletionGuard = DEFAULT_GUARD,
    lookback_hours: float = 48,
    workers: int = 1,
    on_page: Callable[[PageProgress], None] | None = None,
) -> ScanReport:
    """Land what is new or changed at the API.

    Args:
        storage: The lake's files; its settings have been admitted.
        client: The API.
        start_date: The first day that a call may belong to.
        full: Read the whole list, even where what is newer than the last complete scan would do.
        max_pages: Stop after so many pages; the report then says `limited`.
        allowance: How many known calls may be marked deleted. Where any number may be, the whole list is read anew.
        lookback_hours: How far to read behind the newest call that was known when the last complete scan began.
        workers: How many pages may be asked for at a time.
        on_page: Told after each page.

    Returns:
        What was done. Its ending is a complete one, or LIMITED.

    Raises:
        LakeBusyError: Another sync is running.
        KeyRefusedError: The API refused the key.
        ChorusCallsError: The scan is incomplete, or more calls are gone than may be marked deleted; what it had read
            is landed.
    """
    with storage.lock(SYNC, wait=_PATIENCE), storage.lock(LAKE, shared=True):
        journal = load_journal(storage)
        until = None if full or allowance.accepted else _until(journal.value, lookback_hours)
        with prefetching(client, workers) as pages:
            run = Run(
                storage,
                pages,
                journal,
                start_date=start_date,
                until=until,
                allowance=allowance,
                workers=workers,
                on_page=on_page,
            )
            try:
                report = run.perform(client, max_pages)
            except ChorusCallsError:
                compact(storage, state.load_landed(storage))
                raise
        compact(storage, state.load_landed(storage))
        return report


def _until(journal: Journal, lookback_hours: float) -> datetime | None:
    """How far back an incremental scan reads; None where only a full one will do."""
    if journal.order in {None, Order.NONE} or journal.full_scan_at is None or journal.watermark is None:
        return None
    return journal.watermark - timedelta(hours=lookback_hours)
