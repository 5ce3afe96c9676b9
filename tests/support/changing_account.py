"""An account whose calls come, go and move between full scans, and what a lake knows of them afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from pipelines.extract.landing.tombstones import DeletionGuard
from pipelines.extract.scan_report import ScanReport
from pipelines.lake import raw, state
from pipelines.lake.storage import Storage
from tests.support.extraction import call, raw_rows, synced
from tests.support.simulated import simulated_api

FIRST = datetime(2026, 3, 1, 20, tzinfo=UTC)
DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)
ALL = DeletionGuard(1.0)


class Account:
    """Calls of an account, twenty minutes apart from 20:00 on, listed newest first."""

    def __init__(self, size: int = 24) -> None:
        self.calls = {f"c{n:03}": FIRST + timedelta(minutes=20 * n) for n in range(size)}
        self.others: list[bytes] = []

    def items(self) -> list[bytes]:
        newest_first = sorted(self.calls.items(), key=lambda of: of[1], reverse=True)
        return [*self.others, *(call(name, createdAt=created.isoformat()) for name, created in newest_first)]

    def sync(self, storage: Storage, **options) -> ScanReport:
        settings = {name: options.pop(name) for name in ("order", "faults") if name in options}
        with simulated_api(items=self.items(), **settings) as api:
            return synced(storage, api, **{"full": True, "guard": ALL, **options})

    def move(self, name: str, days: int) -> None:
        self.calls[name] += timedelta(days=days)

    def lose(self, names: Iterable[str]) -> None:
        for name in list(names):
            del self.calls[name]


def gone(storage: Storage) -> dict[str, str]:
    """Return what the newest version says of each call that is marked, by `call day`."""
    newest = {(row["call_id"], row["call_date"]): row for row in raw_rows(storage)}
    return {f"{name} {day}": row["payload_hash"] for (name, day), row in newest.items() if row["deleted"]}


def shown(storage: Storage, day: date) -> dict[str, tuple[bool, int]]:
    """Return what a build reads of a day: of each call whether it is alive, and how many versions it has."""
    rows = raw.read_day(storage, day, state.load_landed(storage).value.days.get(day), 100)
    listed = [row for part in rows for row in part.to_pylist()]
    return {row["call_id"]: (row["deleted_at"] is None, row["version_count"]) for row in listed}
