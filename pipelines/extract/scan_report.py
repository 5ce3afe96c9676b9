"""What a sync tells: how far it is while it runs, what it did when it ends, and a line of record for each scan."""

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
_KEPT_SCANS = 10_000
_TRUE_SHARE = 0.9
"""Of the calls that were seen: an API that counts fewer is wrong, also where calls were removed during the scan."""

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
    """How far a sync is after a page.

    Attributes:
        pages: Pages read.
        seen: Different items seen.
        new: Calls landed for the first time.
        changed: Calls landed because they differ from their last version.
        total: How many items the API says there are.
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
        ending: How it ended.
        resumed: Whether it went on where an earlier one had been cut off.
        pages: Pages read; `requests` is more by what had to be asked again (`retries`).
        calls_seen: Different items on the pages; each is new, changed, unchanged or rejected.
        calls_deleted: Known calls that the API no longer lists, and that are marked deleted now.
        calls_moved: Known calls that left the day they were known on, since the API lists them on another.
        chain_breaks: Pages that did not join what was read before, so that the scan had to look where the list went on.
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
    calls_deleted: int = 0
    calls_moved: int = 0
    items_rejected: int = 0
    chain_breaks: int = 0
    total_start: int | None = None
    total_end: int | None = None
    changed_days: list[date] = field(default_factory=list)

    @property
    def calls_unchanged(self) -> int:
        """Calls that were seen as they had landed before."""
        return max(self.calls_seen - self.calls_new - self.calls_changed - self.items_rejected, 0)

    @property
    def complete(self) -> bool:
        """Whether the scan saw all it was for."""
        return self.ending.complete

    @property
    def contradiction(self) -> str | None:
        """What is odd about a whole list that was seen to its end: the API's count of calls is another than theirs."""
        totals = [total for total in (self.total_start, self.total_end) if total is not None]
        if self.mode != FULL or not self.complete or self.resumed or not totals:
            return None
        if min(totals) <= self.calls_seen and max(totals) >= _TRUE_SHARE * self.calls_seen:
            return None
        counted = f"{totals[-1]:,} call{'s' * (totals[-1] != 1)}"
        return f"The API counts {counted}, but its list showed {self.calls_seen:,} and then ended."

    def as_dict(self) -> dict[str, Any]:
        """Return the facts of the scan as JSON has them."""
        return {
            "mode": self.mode,
            "order": str(self.order),
            "ending": str(self.ending),
            "complete": self.complete,
            "resumed": self.resumed,
            "pages": self.pages,
            "requests": self.requests,
            "calls_seen": self.calls_seen,
            "calls_new": self.calls_new,
            "calls_changed": self.calls_changed,
            "calls_unchanged": self.calls_unchanged,
            "calls_deleted": self.calls_deleted,
            "calls_moved": self.calls_moved,
            "items_rejected": self.items_rejected,
            "total_start": self.total_start,
            "total_end": self.total_end,
            "changed_days": [str(day) for day in self.changed_days],
            "seconds": round(self.seconds, 3),
        }

    def sentence(self) -> str:
        """Return the scan in one line."""
        counts = (
            (self.calls_deleted, "deleted"),
            (self.calls_moved, "moved to another day"),
            (self.items_rejected, "rejected"),
        )
        more = "".join(f", {number:,} {what}" for number, what in counts if number)
        return (
            f"{self.mode} scan {'complete' if self.complete else self.ending}: {self.pages:,} pages, "
            f"{self.calls_seen:,} calls seen, {self.calls_new:,} new, {self.calls_changed:,} changed{more} "
            f"({self.seconds:.1f} s)"
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
