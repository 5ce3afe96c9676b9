"""A lake of a few hand-written rows, put down through the lake's own functions as landing and building do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import identity, layout, raw, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import LandedFile, Manifest, PublishedDay, TableSettings
from pipelines.lake.versions import fingerprint

SETTINGS = TableSettings(timezone="UTC", pii="mask", pii_key_check="0" * 16, outcomes="shipped", table_version=1)

Rows = Iterable[Mapping[str, Any]]


def at(text: str) -> datetime:
    """Return an instant in UTC, such as `at("2026-01-05 10:00")`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class SmallLake:
    """A lake below a folder, whose days are landed and published with the rows that a test gives."""

    def __init__(self, folder: Path) -> None:
        self.storage = LocalStorage(folder)
        identity.require_same_settings(self.storage, SETTINGS)

    @property
    def manifest(self) -> Manifest:
        return state.load_manifest(self.storage).value

    def land(self, day: date, *, calls: int = 1, rejected: int = 0, size: int = 100) -> None:
        """Say that a raw file with so many calls, and one with so many rejected items, has landed on a day."""
        kept = state.load_landed(self.storage)
        landed = kept.value.days.setdefault(day, state.LandedDay())
        name = f"file{len(landed.calls) + len(landed.rejected)}"
        if calls:
            raw.count(landed, raw.CALLS, name, LandedFile(rows=calls, bytes=size))
        if rejected:
            raw.count(landed, raw.REJECTED, f"{name}r", LandedFile(rows=rejected, bytes=size))
        kept.value.newest_landed_at = datetime.now(UTC)
        state.commit(self.storage, kept)

    def write(self, day: date, version: str, tables: Mapping[str, Rows]) -> None:
        """Write the eight files of a version of a day; what a row does not say is null."""
        for table in TABLES:
            with self.storage.create(layout.table_file(day, version, table), read_only=True) as stream:
                rows = [dict(row) for row in tables.get(table, ())]
                pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(table)), stream)

    def publish(self, day: date, tables: Mapping[str, Rows], *, version: str | None = None) -> str:
        """Write a version of a day and put it into the manifest; by default that which its landed state gives."""
        version = version or fingerprint(state.load_landed(self.storage).value, day, SETTINGS)
        tables = {table: list(rows) for table, rows in tables.items()}
        self.write(day, version, tables)
        sizes = {table: self.storage.size(layout.table_file(day, version, table)) or 0 for table in TABLES}
        rows = {table: len(tables.get(table, ())) for table in TABLES}
        kept = state.load_manifest(self.storage)
        kept.value.days[day] = PublishedDay(version=version, published_at=state.now(), rows=rows, bytes=sizes)
        kept.value.generation += 1
        kept.value.committed_at = state.now()
        state.commit(self.storage, kept)
        return version

    def scans(self, *scans: Mapping[str, Any]) -> None:
        """Replace the record of scans; each has at least started_at, mode and complete."""
        with self.storage.create(layout.SCANS) as stream:
            pq.write_table(pa.Table.from_pylist([dict(scan) for scan in scans], schema=_SCANS), stream)

    def digest(self) -> str:
        """Return a hash over every file's path and bytes, to show that nothing was touched."""
        files = self.storage.list("")
        return hashlib.sha256(repr([(f.path, self.storage.read(f.path)) for f in files]).encode()).hexdigest()


_SCANS = pa.schema(
    [
        ("started_at", pa.timestamp("us", "UTC")),
        ("finished_at", pa.timestamp("us", "UTC")),
        ("mode", pa.string()),
        ("seen", pa.int64()),
        ("complete", pa.bool_()),
        ("ending", pa.string()),
    ]
)
