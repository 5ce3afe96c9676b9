"""What a sync leaves for the next: where a scan was cut off, how far the last complete one reached, and a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.extract.scan import OVERLAP, Ending, Order, Scan
from pipelines.lake import layout, state
from pipelines.lake.state import FORMAT, Kept
from pipelines.lake.storage import Storage

FULL = "full"
INCREMENTAL = "incremental"
_KEPT_SCANS = 10_000

SCANS_SCHEMA = pa.schema(
    [
        ("started_at", pa.timestamp("us", "UTC")),
        ("finished_at", pa.timestamp("us", "UTC")),
        ("mode", pa.string()),
        ("order", pa.string()),
        ("resumed", pa.bool_()),
        ("complete", pa.bool_()),
        ("ending", pa.string()),
        ("pages", pa.int64()),
        ("requests", pa.int64()),
        ("retries", pa.int64()),
        ("calls_seen", pa.int64()),
        ("calls_new", pa.int64()),
        ("calls_changed", pa.int64()),
        ("calls_unchanged", pa.int64()),
        ("items_rejected", pa.int64()),
        ("total_start", pa.int64()),
        ("total_end", pa.int64()),
        ("seconds", pa.float64()),
    ]
)


class Cut(msgspec.Struct, frozen=True):
    """A full scan that has not reached its end: what is proven of it, and all of that has landed.

    Attributes:
        newest: The newest call when the scan began.
        head: The calls at the head of the list when the scan began.
        tail: The last calls of the proven part, which ends at the offset `end`.
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


class Journal(msgspec.Struct):
    """state/scan.json.

    Attributes:
        order: How the API listed calls in the last complete scan.
        frontier: The newest call known when the last complete scan began.
        full_scan_at: When the last complete full scan began.
        cut: The full scan that was cut off, if one was.
    """

    format: int = FORMAT
    order: Order | None = None
    frontier: datetime | None = None
    full_scan_at: datetime | None = None
    cut: Cut | None = None


@dataclass
class ScanReport:
    """What one scan did.

    Attributes:
        mode: `full` or `incremental`.
        order: How the API lists calls, as observed.
        ending: How it ended.
        resumed: Whether it went on where an earlier one had been cut off.
        pages: Pages read; `requests` is more by what had to be asked again (`retries`).
        calls_seen: Different items on the pages; each is new, changed, unchanged or rejected.
        total_start: How many items the API said there are, at the beginning; None where it did not say.
        total_end: The same, at the end.
        changed_days: The days of which something landed.
    """

    mode: str
    started_at: datetime
    order: Order = Order.NONE
    ending: Ending = Ending.FAILED
    resumed: bool = False
    finished_at: datetime | None = None
    seconds: float = 0.0
    pages: int = 0
    requests: int = 0
    retries: int = 0
    calls_seen: int = 0
    calls_new: int = 0
    calls_changed: int = 0
    calls_unchanged: int = 0
    items_rejected: int = 0
    total_start: int | None = None
    total_end: int | None = None
    changed_days: list[date] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the scan saw all it was for."""
        return self.ending.complete


def load_journal(storage: Storage) -> Kept[Journal]:
    """Read the journal; an empty one where none was written yet."""
    return state.load(storage, layout.SCAN, Journal, Journal())


def resume(cut: Cut, max_pages: int | None) -> Scan:
    """The scan that goes on where another one was cut off; it has to find that one's last calls again."""
    return Scan(
        offset=max(cut.end - OVERLAP, 0),
        max_pages=max_pages,
        tail=tuple(cut.tail),
        end=cut.end,
        size=cut.size,
        rising=cut.rising,
        falling=cut.falling,
        total=cut.total,
    )


def record(storage: Storage, report: ScanReport) -> None:
    """Add a scan to the record of all scans."""
    row = {name: getattr(report, name) for name in SCANS_SCHEMA.names}
    row |= {"order": str(report.order), "ending": str(report.ending)}
    scans = pa.Table.from_pylist([row], SCANS_SCHEMA)
    if storage.size(layout.SCANS) is not None:
        before = pq.read_table(storage.open_input(layout.SCANS))
        scans = pa.concat_tables([before, scans], promote_options="default").slice(
            max(before.num_rows + 1 - _KEPT_SCANS, 0)
        )
    with storage.create(layout.SCANS) as stream:
        pq.write_table(scans, stream, compression="zstd")
