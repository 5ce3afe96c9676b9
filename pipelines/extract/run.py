"""One sync under way: pages land as they come, and a journal says how far they are proven."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime

from pipelines.errors import ChorusCallsError, KeyRefusedError, disk_trouble
from pipelines.extract.advance import advance
from pipelines.extract.ahead import Ahead
from pipelines.extract.client import CallsClient, Page
from pipelines.extract.deletions import Allowance, Refusal, RollCall, gone
from pipelines.extract.journal import Cut, Journal, cut_off, frontier, resume
from pipelines.extract.landing import Landing
from pipelines.extract.observed import Shown
from pipelines.extract.outcome import Ending, Order
from pipelines.extract.passes import Passes, advance_passes
from pipelines.extract.raw_files import require_landing_log
from pipelines.extract.report import FULL, INCREMENTAL, PageProgress, ScanReport, record
from pipelines.extract.scan import Phase, Scan
from pipelines.lake import state
from pipelines.lake.state import Kept
from pipelines.lake.storage import Storage

_FEWEST_SAVED, _MOST_SAVED = 5, 100
"""Pages between two savings: a fiftieth of the list, within these bounds. So much is read again after a crash."""
_FRESH_STARTS = 2


class Run:
    """One sync under way; the caller holds its locks."""

    def __init__(
        self,
        storage: Storage,
        pages: Ahead,
        journal: Kept[Journal],
        *,
        start_date: date,
        until: datetime | None,
        allowance: Allowance,
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
        self._roll = RollCall(storage, landed.value.days if until is None else {}, self._landing.screen)
        self._began = time.monotonic()
        self._pages = self._breaks = 0
        self._scan: Scan | Passes = Scan()

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
        cut = self._journal.value.cut if self._report.mode == FULL and not self._allowance.accepted else None
        for start in [None] * _FRESH_STARTS if cut is None else [cut, None]:
            self._start(start)
            self._read(self._begin(start, self._left(max_pages)))
            # Of a short list in no order known pages may come again and again; passes tell that from a broken paging.
            in_vain = self._scan.ending in {Ending.NOT_JOINED, Ending.REPEATED}
            if not in_vain and not self._scan.clearly_unordered:
                return
            if self._scan.clearly_unordered:
                break
        self._start()
        self._read(Passes(max_pages=self._left(max_pages)))

    def _left(self, max_pages: int | None) -> int | None:
        return None if max_pages is None else max(max_pages - self._pages, 1)

    def _begin(self, cut: Cut | None, max_pages: int | None) -> Scan:
        if cut is not None:
            return resume(cut, max_pages)
        is_oldest_first = self._until is not None and self._journal.value.order is Order.OLDEST
        phase = Phase.SEEK if is_oldest_first else Phase.WALK
        return Scan(until=self._until, max_pages=max_pages, phase=phase)

    def _start(self, cut: Cut | None = None) -> None:
        """Begin a reading: with nothing known of the list, or with what an earlier one had proven."""
        self._report.resumed = cut is not None
        self._head = cut.head if cut else []
        self._newest = cut.newest if cut else None
        self._scan_began = cut.started_at if cut else self._report.started_at
        self._pages_before = cut.pages if cut else 0
        self._from_before = {*cut.head, *cut.tail} if cut else set[str]()
        self._seen = set(self._from_before)
        self._unsaved = 0
        self._pages += self._scan.pages
        self._breaks += self._scan.breaks if isinstance(self._scan, Scan) else 0
        self._scan = Scan()

    def _read(self, scan: Scan | Passes) -> None:
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
        self._scan = advance(self._scan, shown) if isinstance(self._scan, Scan) else advance_passes(self._scan, shown)
        self._seen |= self._scan.accepted

    def _save(self) -> None:
        """Land what is held back, then write down how far the scan is proven."""
        self._landing.flush()
        self._unsaved = 0
        scan = self._scan
        is_over = scan.ending not in {None, Ending.LIMITED}
        if self._report.mode == FULL and isinstance(scan, Scan) and scan.tail and not (is_over or scan.hole):
            self._journal.value.cut = cut_off(
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
        self._landing.mark(gone(deleted, absent.moved))
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
            journal.frontier = frontier(self._scan, self._newest, self._scan_began)
        if ending is not Ending.LIMITED and self._report.mode == FULL:
            journal.cut = None
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
