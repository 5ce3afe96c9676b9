"""The report of a scan: its progress while it runs, what it did when it ends, and a row in the record of scans."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.extract.scan.state import Ending, Order
from pipelines.lake import layout
from pipelines.lake.storage import Storage

FULL = "full"
INCREMENTAL = "incremental"
_MAX_RECORDED_SCANS = 10_000
_MIN_COUNTED_SHARE = 0.9
"""An API that counts fewer than this share of the calls seen is wrong, even if calls were removed during the scan."""
_ONLY_RECORDED = frozenset({"started_at", "finished_at", "retries", "chain_breaks"})
"""Columns of the record that `as_dict` leaves out."""

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
        ("calls_deleted", pa.int64()),
        ("calls_moved", pa.int64()),
        ("items_rejected", pa.int64()),
        ("chain_breaks", pa.int64()),
        ("total_start", pa.int64()),
        ("total_end", pa.int64()),
        ("seconds", pa.float64()),
    ]
)


@dataclass(frozen=True)
class PageProgress:
    """The progress of a sync after a page.

    Attributes:
        seen: Different items seen.
        new: Calls landed for the first time.
        changed: Calls landed because they differ from their last version.
        total: The number of items that the API reports; None if it reports none.
    """

    pages: int
    seen: int
    new: int
    changed: int
    total: int | None


@dataclass
class ScanReport:
    """What one scan did.

    Attributes:
        mode: `full` or `incremental`.
        order: How the API lists calls, as observed.
        pages: Pages read; `requests` also counts requests that were made again (`retries`).
        calls_seen: Different items on the pages; each is new, changed, unchanged or rejected.
        calls_deleted: Known calls that the API no longer lists, and that are marked deleted now.
        calls_moved: Known calls that left the day they were known on, since the API lists them on another.
        chain_breaks: Pages that did not join what was read before, so that the scan searched where the list continues.
        total_start: The number of items that the API reported at the beginning; None if it reported none.
        total_end: The same, at the end.
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
    calls_deleted: int = 0
    calls_moved: int = 0
    items_rejected: int = 0
    chain_breaks: int = 0
    total_start: int | None = None
    total_end: int | None = None
    changed_days: list[date] = field(default_factory=list)

    @property
    def calls_unchanged(self) -> int:
        """The number of calls that are as they had landed before."""
        return max(self.calls_seen - self.calls_new - self.calls_changed - self.items_rejected, 0)

    @property
    def complete(self) -> bool:
        """Whether the scan saw everything that it was started for."""
        return self.ending.complete

    @property
    def contradiction(self) -> str | None:
        """A warning if the API counts other than the calls that a full scan saw; None if the numbers agree."""
        totals = [total for total in (self.total_start, self.total_end) if total is not None]
        if self.mode != FULL or not self.complete or self.resumed or not totals:
            return None
        if min(totals) <= self.calls_seen and max(totals) >= _MIN_COUNTED_SHARE * self.calls_seen:
            return None
        counted = f"{totals[-1]:,} call{'s' * (totals[-1] != 1)}"
        return f"The API counts {counted}, but its list showed {self.calls_seen:,} and then ended."

    def as_row(self) -> dict[str, Any]:
        """Return the report as a row of SCANS_SCHEMA."""
        row = {name: getattr(self, name) for name in SCANS_SCHEMA.names}
        return row | {"order": str(self.order), "ending": str(self.ending)}

    def as_dict(self) -> dict[str, Any]:
        """Return the facts that are shown to people and programs, as JSON values."""
        facts = {name: value for name, value in self.as_row().items() if name not in _ONLY_RECORDED}
        return facts | {"changed_days": [str(day) for day in self.changed_days], "seconds": round(self.seconds, 3)}

    def sentence(self) -> str:
        """Return the report in one sentence for the terminal."""
        marks = {
            "deleted": self.calls_deleted,
            "moved to another day": self.calls_moved,
            "rejected": self.items_rejected,
        }
        return (
            f"{self.mode} scan {'complete' if self.complete else self.ending}: {self.pages:,} pages, "
            f"{self.calls_seen:,} calls seen, {self.calls_new:,} new, {self.calls_changed:,} changed"
            f"{''.join(f', {number:,} {what}' for what, number in marks.items() if number)} ({self.seconds:.1f} s)"
        )


def record_scan(storage: Storage, report: ScanReport) -> None:
    """Append a scan to the record of scans, which keeps the newest ones."""
    scans = pa.Table.from_pylist([report.as_row()], SCANS_SCHEMA)
    if storage.size(layout.SCANS) is not None:
        before = pq.read_table(storage.open_input(layout.SCANS))
        first = max(before.num_rows + 1 - _MAX_RECORDED_SCANS, 0)
        scans = pa.concat_tables([before, scans], promote_options="default").slice(first)
    with storage.create(layout.SCANS) as stream:
        pq.write_table(scans, stream, compression="zstd")
