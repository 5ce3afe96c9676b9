"""Plays pages to a scan, for tests of its decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipelines.extract.scan.ordered import OrderedScan
from pipelines.extract.scan.state import PageSeen

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Reader:
    """Plays pages to a scan and keeps its run, as a sync does."""

    def __init__(self, scan: OrderedScan | None = None, known: range = range(0)) -> None:
        self.scan = scan or OrderedScan()
        self.run = {str(number) for number in known}

    def show(self, numbers, total: int | None = None) -> OrderedScan:
        """Show a page whose calls are known by their place in a newest-first list that was quiet: 0 is the newest."""
        keys = tuple(str(number) for number in numbers)
        times = tuple(NOON - timedelta(minutes=number) for number in numbers)
        unseen = frozenset(key for key in keys if key not in self.run)
        self.scan = self.scan.after(PageSeen(self.scan.offset, keys, unseen, times, total))
        self.run |= self.scan.accepted
        return self.scan
