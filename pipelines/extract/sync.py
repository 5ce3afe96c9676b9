"""Sync: read the API's list of calls, land what is new or changed, and leave a checkpoint for the next sync."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date

from msgspec.structs import replace

from pipelines.errors import ChorusCallsError, KeyRefusedError, disk_trouble
from pipelines.extract.http.client import CallsClient, Page
from pipelines.extract.http.prefetch import Prefetcher
from pipelines.extract.landing.items import SeenItem
from pipelines.extract.landing.landing import Landing, require_landing_log
from pipelines.extract.landing.tombstones import DEFAULT_GUARD, DeletionDetector, DeletionGuard, Refusal, tombstones
from pipelines.extract.scan import Scan
from pipelines.extract.scan.ordered import OrderedScan, Phase
from pipelines.extract.scan.state import Checkpoint, Ending, Order, PageSeen
from pipelines.extract.scan.unordered import UnorderedScan
from pipelines.extract.scan_report import FULL, INCREMENTAL, PageProgress, ScanReport, record_scan
from pipelines.extract.sync_state import SyncState, load_sync_state, watermark
from pipelines.lake import state
from pipelines.lake.locks import LAKE, SYNC
from pipelines.lake.maintenance.compaction import compact
from pipelines.lake.state import Stored
from pipelines.lake.storage import Storage

_LOCK_WAIT_SECONDS = 2.0
"""How long to wait for the lock: no other sync ends so soon, but lake maintenance holds it for less."""


def sync(
    storage: Storage,
    client: CallsClient,
    *,
    start_date: date,
    full: bool = False,
    max_pages: int | None = None,
    guard: DeletionGuard = DEFAULT_GUARD,
    lookback_hours: float = 48,
    workers: int = 1,
    on_page: Callable[[PageProgress], None] | None = None,
) -> ScanReport:
    """Land what is new or changed at the API.

    Args:
        storage: The lake's files; its settings have been admitted.
        client: The API.
        start_date: The first day that a call may belong to.
        full: Read the whole list, even if calls newer than the last complete scan would be enough.
        max_pages: Stop after this many pages; the report's ending is then `LIMITED`.
        guard: How many known calls may be marked deleted. If any number may be, the whole list is read again.
        lookback_hours: How far to read behind the newest call that was known when the last complete scan began.
        workers: The number of pages that may be requested at a time.
        on_page: Called after each page.

    Returns:
        What the scan did. Its ending is a complete one, or LIMITED.

    Raises:
        LakeBusyError: Another sync is running.
        KeyRefusedError: The API refused the key.
        ChorusCallsError: The scan is incomplete, or the deletion guard refused; what was read is landed.
    """
    with storage.lock(SYNC, wait=_LOCK_WAIT_SECONDS), storage.lock(LAKE, shared=True):
        run = _SyncRun(
            storage,
            client,
            start_date=start_date,
            full=full,
            max_pages=max_pages,
            guard=guard,
            lookback_hours=lookback_hours,
            on_page=on_page,
        )
        try:
            with Prefetcher(client, workers) as pages:
                report = run.perform(pages)
        except ChorusCallsError:
            compact(storage, state.load_landed(storage))
            raise
        compact(storage, state.load_landed(storage))
        return report


class _Reading:
    """One reading of the list, from its beginning or from a checkpoint.

    Attributes:
        scan: What the pages have shown, and what to ask for next.
        start: The checkpoint, or the head of the list as the first page showed it.
        is_resumed: Whether the reading began at a checkpoint.
        keys: The items accepted so far, with those known from the checkpoint.
    """

    def __init__(self, scan: Scan, start: Checkpoint) -> None:
        self.scan = scan
        self.start = start
        self.is_resumed = bool(start.tail)
        self.keys = {*start.head, *start.tail}
        self._known = len(self.keys)

    @property
    def calls_seen(self) -> int:
        """The number of different items that this reading accepted."""
        return len(self.keys) - self._known

    def take(self, page: Page, items: Sequence[SeenItem]) -> None:
        """Let the scan decide what a page means."""
        keys = tuple(item.key for item in items)
        unseen = frozenset(key for key in keys if key not in self.keys)
        seen = PageSeen(page.offset, keys, unseen, tuple(item.instant for item in items), page.total)
        if self.scan.pages == 0 and not self.is_resumed:
            newest = min(max(seen.known_times), self.start.started_at) if seen.known_times else None
            self.start = replace(self.start, head=list(keys), newest=newest)
        self.scan = self.scan.after(seen)
        self.keys |= self.scan.accepted


class _SyncRun:
    """One sync; the caller holds its locks."""

    def __init__(
        self,
        storage: Storage,
        client: CallsClient,
        *,
        start_date: date,
        full: bool,
        max_pages: int | None,
        guard: DeletionGuard,
        lookback_hours: float,
        on_page: Callable[[PageProgress], None] | None,
    ) -> None:
        self._saved: Stored[SyncState] = load_sync_state(storage)
        self._until = None if full or guard.accepted else self._saved.value.boundary(lookback_hours)
        self._is_full = self._until is None
        landed = state.load_landed(storage)
        require_landing_log(storage, landed)
        self._landing = Landing(storage, landed, start_date=start_date, sync_id=secrets.token_hex(4))
        # Landing replaces the landed days and does not change them, so these stay the days before this sync.
        days_before = landed.value.days if self._is_full else {}
        self._detector = DeletionDetector(storage, days_before, self._landing.suppression)
        self._storage = storage
        self._client = client
        self._max_pages = max_pages
        self._guard = guard
        self._on_page = on_page
        self._requests_before, self._retries_before = client.requests, client.retries
        self._report = ScanReport(FULL if self._is_full else INCREMENTAL, state.now())
        self._began = time.monotonic()
        self._fresh_start = Checkpoint(self._report.started_at)
        self._reading = _Reading(OrderedScan(), self._fresh_start)
        self._earlier_scans: list[Scan] = []
        self._unsaved = 0

    def perform(self, pages: Prefetcher) -> ScanReport:
        """Read the list until the scan ends, and save what was read, however it ends.

        See `sync` for the report and the errors.
        """
        try:
            self._read_list(pages)
            self._save()
            refusal = self._mark_deletions()
        except KeyboardInterrupt:
            self._save_and_report(Ending.INTERRUPTED)
            raise
        except KeyRefusedError as error:
            self._save_and_report(Ending.FAILED)
            raise KeyRefusedError(_incomplete(error.message)) from None
        except ChorusCallsError as error:
            self._save_and_report(Ending.FAILED)
            raise ChorusCallsError(_incomplete(error.message), error.exit_code) from error
        except OSError as error:
            with suppress(OSError):  # on a full disk the record of the scan is the smallest loss
                self._write_report(Ending.FAILED)
            raise ChorusCallsError(_incomplete(disk_trouble(error))) from error
        ending = refusal.ending if refusal else self._scan.ending or Ending.FAILED
        self._save_outcome(ending)
        if refusal:
            message = f"The sync is incomplete: {refusal.reason}"
            raise ChorusCallsError(message)
        if not ending.complete and ending is not Ending.LIMITED:
            raise ChorusCallsError(_incomplete(f"{ending}."))
        return self._report

    @property
    def _scan(self) -> Scan:
        return self._reading.scan

    @property
    def _pages_read(self) -> int:
        return sum(scan.pages for scan in (*self._earlier_scans, self._scan))

    def _read_list(self, pages: Prefetcher) -> None:
        """Read to an ending. If pages do not join, read once more from the beginning, then without joining pages."""
        # A resumed scan has not seen all of the list as it is now, so it could not mark the accepted deletions.
        is_resumable = self._is_full and not self._guard.accepted
        checkpoint = self._saved.value.checkpoint if is_resumable else None
        for start in (checkpoint, None):
            self._read(pages, self._ordered_scan(start), start)
            if self._scan.needs_unordered:
                break
            # A short list in an unknown order may repeat pages by chance; an unordered scan shows whether the offset is
            # ignored.
            if self._scan.ending not in {Ending.NOT_JOINED, Ending.REPEATED}:
                return
        self._read(pages, UnorderedScan(max_pages=self._pages_left()))

    def _pages_left(self) -> int | None:
        return None if self._max_pages is None else max(self._max_pages - self._pages_read, 1)

    def _ordered_scan(self, checkpoint: Checkpoint | None) -> OrderedScan:
        if checkpoint is not None:
            return OrderedScan.resume(checkpoint, self._pages_left())
        seeks = self._until is not None and self._saved.value.order is Order.OLDEST
        return OrderedScan(until=self._until, max_pages=self._pages_left(), phase=Phase.SEEK if seeks else Phase.WALK)

    def _read(self, pages: Prefetcher, scan: Scan, checkpoint: Checkpoint | None = None) -> None:
        """Read pages until the scan ends, or shows that the list has no order."""
        self._earlier_scans.append(self._scan)
        reading = self._reading = _Reading(scan, checkpoint or self._fresh_start)
        self._unsaved = 0
        while reading.scan.ending is None and not reading.scan.needs_unordered:
            page = pages.page(reading.scan.next_offsets(pages.workers), reading.scan.limit)
            items = self._landing.add(page.items)
            self._detector.add(items)
            reading.take(page, items)
            self._unsaved += 1
            interval = reading.scan.save_interval
            if self._landing.full or (interval is not None and self._unsaved >= interval):
                self._save()
            if self._on_page:
                self._on_page(self._progress())

    def _save(self) -> None:
        """Land what is held back, then save the checkpoint up to which the list is proven."""
        self._landing.flush()
        self._unsaved = 0
        checkpoint = self._scan.take_checkpoint(self._reading.start) if self._is_full else None
        if checkpoint is not None:
            self._saved.value.checkpoint = checkpoint
            state.commit(self._storage, self._saved)

    def _mark_deletions(self) -> Refusal | None:
        """Land tombstones for the known calls that the scan proves to be gone; return the deletion guard's refusal."""
        if not self._scan.proves_deletions or not self._is_full or self._reading.is_resumed:
            return None
        missing = self._detector.missing()
        refusal = self._guard.refusal(missing, hidden=self._scan.hidden)
        deleted = {} if refusal else missing.deleted
        self._landing.land_tombstones(tombstones(deleted, missing.moved))
        self._report.calls_deleted = sum(map(len, deleted.values()))
        self._report.calls_moved = sum(map(len, missing.moved.values()))
        return refusal

    def _save_and_report(self, ending: Ending) -> None:
        """Save what was read before the scan was stopped."""
        try:
            self._save()
        finally:
            self._write_report(ending)

    def _save_outcome(self, ending: Ending) -> None:
        """Save how far the scan came for the next sync, and write the report."""
        saved, reading = self._saved.value, self._reading
        if ending.complete or ending.proven:
            saved.order = reading.scan.order
        if ending.proven:
            saved.watermark = watermark(reading.scan, reading.start)
        if ending is not Ending.LIMITED and self._is_full:
            saved.checkpoint = None
            saved.full_scan_at = reading.start.started_at if ending.proven else saved.full_scan_at
        state.commit(self._storage, self._saved)
        self._write_report(ending)

    def _write_report(self, ending: Ending) -> None:
        report, scan, counts = self._report, self._scan, self._landing.counts
        report.ending, report.order, report.resumed = ending, scan.order, self._reading.is_resumed
        report.pages = self._pages_read
        report.chain_breaks = sum(one.chain_breaks for one in (*self._earlier_scans, scan))
        report.requests = self._client.requests - self._requests_before
        report.retries = self._client.retries - self._retries_before
        report.calls_seen = self._reading.calls_seen
        report.calls_new, report.calls_changed, report.items_rejected = counts.new, counts.changed, counts.rejected
        report.total_start, report.total_end = scan.total_start, scan.total
        report.changed_days = sorted(self._landing.changed_days)
        report.finished_at = state.now()
        report.seconds = time.monotonic() - self._began
        record_scan(self._storage, report)

    def _progress(self) -> PageProgress:
        counts = self._landing.counts
        return PageProgress(self._pages_read, len(self._reading.keys), counts.new, counts.changed, self._scan.total)


def _incomplete(reason: str) -> str:
    return f"The sync is incomplete: {reason} What was read is landed; run it again to resume."
