"""What a sync leaves for the next one: the checkpoint of an unfinished full scan, and the watermark."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from pipelines.extract.scan.state import Checkpoint, Order, ScanState
from pipelines.lake import layout, state
from pipelines.lake.state import FORMAT, Stored
from pipelines.lake.storage import Storage


class SyncState(msgspec.Struct):
    """state/scan.json.

    Attributes:
        order: How the API listed calls in the last complete scan.
        watermark: The creation time of the newest call known when the last complete scan began.
        full_scan_at: When the last complete full scan began.
        checkpoint: The unfinished full scan, if there is one.
    """

    format: int = FORMAT
    order: Order | None = None
    watermark: datetime | None = msgspec.field(default=None, name="frontier")
    full_scan_at: datetime | None = None
    checkpoint: Checkpoint | None = msgspec.field(default=None, name="cut")

    def boundary(self, lookback_hours: float) -> datetime | None:
        """Return how far back an incremental scan reads; None if only a full scan will do."""
        if self.order in {None, Order.NONE} or self.full_scan_at is None or self.watermark is None:
            return None
        return self.watermark - timedelta(hours=lookback_hours)


def load_sync_state(storage: Storage) -> Stored[SyncState]:
    """Read the state of the last sync; an empty one if there was none."""
    return state.load(storage, layout.SCAN, SyncState, SyncState())


def watermark(scan: ScanState, start: Checkpoint) -> datetime | None:
    """Return when the newest call was created that a scan knew when it began: all calls up to it have been seen.

    Args:
        scan: The scan, at its end.
        start: Its start; the newest call on its first page is the newest of all only if the list is newest first.
    """
    if scan.order is Order.NEWEST or scan.newest is None:
        return start.newest
    return min(scan.newest, start.started_at)
