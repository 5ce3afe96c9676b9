"""A sync: one scan of the API whose calls land, with a journal from which the next one goes on if it is cut off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from pipelines.errors import ChorusCallsError
from pipelines.extract.ahead import pages_ahead
from pipelines.extract.client import CallsClient
from pipelines.extract.deletions import UNASKED, Allowance
from pipelines.extract.journal import Journal, load_journal
from pipelines.extract.outcome import Order
from pipelines.extract.report import PageProgress, ScanReport
from pipelines.extract.run import Run
from pipelines.lake import state
from pipelines.lake.compaction import compact
from pipelines.lake.storage import Storage

__all__ = ["PageProgress", "ScanReport", "sync"]

_PATIENCE = 2.0
"""Seconds to wait for another sync: none ends so soon, but who cleans the lake holds its lock for less."""


def sync(
    storage: Storage,
    client: CallsClient,
    *,
    start_date: date,
    full: bool = False,
    max_pages: int | None = None,
    allowance: Allowance = UNASKED,
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
    with storage.lock("sync", wait=_PATIENCE), storage.lock("lake", shared=True):
        journal = load_journal(storage)
        until = None if full or allowance.accepted else _until(journal.value, lookback_hours)
        with pages_ahead(client, workers) as pages:
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
    if journal.order in {None, Order.NONE} or journal.full_scan_at is None or journal.frontier is None:
        return None
    return journal.frontier - timedelta(hours=lookback_hours)
