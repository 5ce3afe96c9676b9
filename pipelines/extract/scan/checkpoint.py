"""What a sync leaves for the next one: where a full scan was cut off, and how far the last complete one reached."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pipelines.extract.scan.state import OVERLAP, Order, OrderedScan
from pipelines.lake import layout, state
from pipelines.lake.state import FORMAT, Stored
from pipelines.lake.storage import Storage


class Checkpoint(msgspec.Struct, frozen=True):
    """A full scan that has not reached its end: what is proven of it, and all of that has landed.

    Attributes:
        newest: The newest call when the scan began.
        head: The calls at the head of the list when the scan began.
        tail: The last calls of the proven part, which ends at the offset `end`; the very last was created at `edge`.
    """

    started_at: datetime
    newest: datetime | None
    head: list[str]
    tail: list[str]
    end: int
    pages: int
    size: int
    rising: int
    falling: int
    total: int | None
    edge: datetime | None = None


class SyncState(msgspec.Struct):
    """state/scan.json.

    Attributes:
        order: How the API listed calls in the last complete scan.
        watermark: The newest call known when the last complete scan began.
        full_scan_at: When the last complete full scan began.
        checkpoint: The full scan that was cut off, if one was.
    """

    format: int = FORMAT
    order: Order | None = None
    watermark: datetime | None = msgspec.field(default=None, name="frontier")
    full_scan_at: datetime | None = None
    checkpoint: Checkpoint | None = msgspec.field(default=None, name="cut")


def load_sync_state(storage: Storage) -> Stored[SyncState]:
    """Read the journal; an empty one where none was written yet."""
    return state.load(storage, layout.SCAN, SyncState, SyncState())


def resume(checkpoint: Checkpoint, max_pages: int | None) -> OrderedScan:
    """The scan that goes on where another one was cut off; it has to find that one's last calls again."""
    return OrderedScan(
        offset=max(checkpoint.end - OVERLAP, 0),
        max_pages=max_pages,
        tail=tuple(checkpoint.tail),
        edge=checkpoint.edge,
        blind=True,
        end=checkpoint.end,
        size=checkpoint.size,
        rising=checkpoint.rising,
        falling=checkpoint.falling,
        total=checkpoint.total,
    )


def take_checkpoint(
    scan: OrderedScan, *, started_at: datetime, newest: datetime | None, head: list[str], pages_before: int
) -> Checkpoint:
    """What has to be known of a scan so that another one can go on where it is now."""
    return Checkpoint(
        started_at=started_at,
        newest=newest,
        head=head,
        tail=list(scan.tail),
        edge=scan.edge,
        end=scan.end,
        pages=pages_before + scan.pages,
        size=scan.size,
        rising=scan.rising,
        falling=scan.falling,
        total=scan.total,
    )


def watermark(scan: OrderedScan, newest_at_first: datetime | None, began: datetime) -> datetime | None:
    """The newest call that was known when a scan began: all up to it have been seen.

    Args:
        scan: The scan, at its end.
        newest_at_first: The newest call on its first page, which only in a list that is newest first is the newest one.
        began: When it began.
    """
    if scan.order is Order.NEWEST or scan.newest is None:
        return newest_at_first
    return min(scan.newest, began)
