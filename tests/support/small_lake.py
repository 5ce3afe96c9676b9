"""A lake of a few given rows, written by the lake's own functions as landing and building do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.dictionary.schemas import arrow_schema, raw_schema
from pipelines.lake import identity, layout, raw, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.compaction import compact
from pipelines.lake.state import LandedDay, LandedFile, Manifest, PublishedDay, TableSettings
from pipelines.lake.versions import fingerprint
from tests.support.extraction import raw_rows

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
            raw.add_file(landed, raw.CALLS, name, LandedFile(rows=calls, bytes=size))
        if rejected:
            raw.add_file(landed, raw.REJECTED, f"{name}r", LandedFile(rows=rejected, bytes=size))
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


DAY = date(2026, 3, 10)
FIRST = datetime(2026, 3, 11, 8, tzinfo=UTC)
IDS = ["a", "b", "ca", "é", "𝄞"]


def land(storage, name, *versions, day=DAY, kind=raw.CALLS):
    """Land versions (call id, hour, payload or None) as one file of a day."""
    rows = [
        {
            "call_id": call_id,
            "landed_at": FIRST + timedelta(hours=hour),
            "sync_id": name,
            "payload_hash": None if payload is None else f"hash of {payload}",
            "deleted": payload is None,
            "payload": payload,
        }
        for call_id, hour, payload in versions
    ]
    kept = state.load_landed(storage)
    file = raw.write_versions(storage, kind, day, pa.Table.from_pylist(rows, schema=raw_schema()), name)
    raw.add_file(kept.value.days.setdefault(day, LandedDay()), kind, name, file)
    state.commit(storage, kept)


def land_many(storage, number, *, day=DAY, first=0):
    """Land one call in so many files, a version in each."""
    for hour in range(first, first + number):
        land(storage, f"2026031{hour // 24 + 1}T{hour % 24:02d}0000000000Z-5f", ("a", hour, f"version {hour}"), day=day)


def compacted(storage):
    return compact(storage, state.load_landed(storage))


def files(storage, day=DAY, kind=raw.CALLS):
    """Return the names of the files that count of a day."""
    return sorted(raw.files_of(state.load_landed(storage).value.days[day], kind))


def seen(storage):
    """Return everything that a reader of raw can see of a day."""
    landed = state.load_landed(storage).value.days[DAY]
    rejected = raw.known_versions(storage, DAY, landed, raw.REJECTED).rows()
    return {
        "newest": [
            [row for part in raw.read_day(storage, DAY, landed, chunk) for row in part.to_pylist()] for chunk in (2, 99)
        ],
        "known": raw.known_versions(storage, DAY, landed).rows(),
        "payloads": raw.payloads(storage, DAY, landed, IDS),
        "rejected": sorted(rejected, key=repr),
        "rejected rows": sorted(raw.read_rejected(storage, DAY, landed).to_pylist(), key=repr),
        "versions": sorted((row for kind in ("calls", "rejected") for row in raw_rows(storage, kind)), key=repr),
        "digest": landed.digest,
    }


def digest_of_landed_names(storage, kinds=(raw.CALLS, raw.REJECTED)):
    """Return the digest that counting gives for the names under which a day's rows have landed."""
    names = [
        (origin, kind)
        for kind in kinds
        for name in files(storage, kind=kind)
        for origin in raw.landed_names(
            pq.read_schema(storage.root / f"raw/{kind}/call_date={DAY}/{name}.parquet"), name
        )
    ]
    counted = LandedDay()
    for name, kind in sorted(names):
        raw.add_file(counted, kind, name, state.LandedFile(1, 1))
    return counted.digest


@dataclass
class RememberingCatalog:
    """Replaces the readers' catalog where a test is about when it is made.

    Attributes:
        generations: Those of the manifests it was made from, the newest last.
        failing: Whether making it fails, as on a full disk.
    """

    generations: list[int] = field(default_factory=list)
    failing: bool = False

    def make(self, manifest: Manifest) -> None:
        if self.failing:
            message = "no space left"
            raise OSError(message)
        self.generations.append(manifest.generation)

    def generation(self) -> int | None:
        return self.generations[-1] if self.generations else None

    def shown(self) -> tuple[int | None, str]:
        return self.generation(), ""

    def is_unfinished(self) -> bool:
        return False

    def remove_unfinished(self) -> None:
        pass
