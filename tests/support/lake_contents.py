"""Reads what a lake holds from its files alone, without the product, and what readers see while writers work or die."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.serve.catalog import open_catalog
from tests.oracle.items import Version

Rows = dict[str, list[dict[str, Any]]]
FREE = frozenset({"landed_at", "first_landed_at", "version_count"})
"""Columns that say when and how often a call landed; a lake that syncs more often lands more often."""


def day_of(path: Path) -> date:
    """Return the day that a folder `call_date=…`, or a file in one, belongs to."""
    (part,) = [part for part in path.parts if part.startswith("call_date=")]
    return date.fromisoformat(part.partition("=")[2])


def state(lake: Path, name: str) -> dict[str, Any]:
    """Return a JSON file of the lake; empty where it is not there."""
    path = lake / name
    return json.loads(path.read_bytes()) if path.exists() else {}


def counted(lake: Path, kind: str) -> set[Path]:
    """Return the raw files that count."""
    days = state(lake, "state/landed.json").get("days", {})
    return {lake / f"raw/{kind}/call_date={day}/{name}.parquet" for day, files in days.items() for name in files[kind]}


def versions(lake: Path, kind: str = "calls") -> dict[date, list[Version]]:
    """Return everything that has landed and counts, by day."""
    found: dict[date, list[Version]] = {}
    for path in sorted(counted(lake, kind)):
        moved = (pl.col("payload_hash") == "moved").alias("moved")
        rows = pl.read_parquet(path, hive_partitioning=False).select("call_id", "payload", "landed_at", moved).rows()
        found.setdefault(day_of(path), []).extend(Version(*row) for row in rows)
    return found


def newest(lake: Path) -> dict[tuple[date, str | None], str | None]:
    """Return the newest payload of every call."""
    return {
        (day, version.call_id): version.payload
        for day, of_day in versions(lake).items()
        for version in sorted(of_day, key=lambda version: version.landed_at)
    }


def rows(lake: Path) -> dict[date, Rows]:
    """Return the rows of every day, from the files at the places for plain globs."""
    found: dict[date, Rows] = {}
    for table in TABLES:
        for path in sorted((lake / table).rglob("*.parquet")):
            found.setdefault(day_of(path), {})[table] = pl.read_parquet(path, hive_partitioning=False).to_dicts()
    return found


def comparable(tables: Rows) -> Rows:
    """Return a day's rows without what differs between lakes that were synced at other times."""
    return {
        table: [{name: value for name, value in row.items() if name not in FREE} for row in rows]
        for table, rows in tables.items()
    }


def version_folders(lake: Path) -> Iterator[Path]:
    """Yield the folders of all versions of all days."""
    yield from sorted((lake / "days").glob("call_date=*/*"))


def temporary_files(lake: Path) -> list[Path]:
    """Return files in hidden folders, which writers leave there only when they are killed."""
    return sorted(path for folder in lake.rglob(".*") for path in folder.iterdir())


Days = dict[str, str]
"""The version of each day."""
Counts = dict[str, tuple[int, int]]
"""Rows and bytes of each table of a version."""


@dataclass
class Readers:
    """Looks at a lake in the three ways there are to read, again and again, and remembers what was committed.

    Attributes:
        lake: The lake's folder.
        generations: The versions of all days, by the generation of each manifest or catalog seen.
        manifest: The generation of the manifest seen last.
        catalog: That of the catalog seen last.
    """

    lake: Path
    generations: dict[int, Days] = field(default_factory=dict)
    manifest: int = 0
    catalog: int = 0
    _counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    _published: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _files: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _globbed: set[Path] = field(default_factory=set)

    def observe(self) -> None:
        """Fail where a reader would see what was never committed, or a part of it."""
        self._look_at_manifest()
        self._look_at_catalog()
        for path in {path for table in TABLES for path in (self.lake / table).glob("*/data.parquet")} | self._globbed:
            self._look_at_file(path, path.parent.parent.name)

    def _look_at_manifest(self) -> None:
        if self._is_new(self.lake / "manifest.json"):
            manifest = state(self.lake, "manifest.json")
            days = {day: known["version"] for day, known in manifest["days"].items()}
            assert manifest["generation"] >= self.manifest, "the manifest went back"
            self.manifest = manifest["generation"]
            self._remember(self.manifest, days)
            for day, known in manifest["days"].items():
                said = {table: (rows, known["bytes"][table]) for table, rows in known["rows"].items()}
                assert said == self._counts_of(day, known["version"]), (day, known["version"])
        self._assert_whole(self.generations.get(self.manifest, {}))

    def _look_at_catalog(self) -> None:
        """The catalog may be older than the manifest, never newer; a state it shows may have been missed until now."""
        if self._is_new(path := self.lake / "chorus.duckdb"):
            generation, days, shown = _read_catalog(path)
            assert self.catalog <= generation <= self.manifest, "the catalog went back, or is ahead of the manifest"
            self.catalog = generation
            self._remember(generation, days)
            expected = {
                table: {day: rows for day, version in days.items() if (rows := self._counts_of(day, version)[table][0])}
                for table in TABLES
            }
            assert shown == expected
        self._assert_whole(self.generations.get(self.catalog, {}))

    def _look_at_file(self, path: Path, table: str) -> None:
        """A file for plain globs is that of a version which is or was published; a day that is no longer has none."""
        self._globbed.add(path)
        day = str(day_of(path))
        if day not in self.generations.get(self.manifest, {}) and not path.exists():
            self._globbed.remove(path)
            self._files.pop(path, None)
        elif self._is_new(path):
            found = (pq.read_metadata(path).num_rows, path.stat().st_size)
            assert found in [self._counts_of(day, version)[table] for version in self._published[day]], path

    def _remember(self, generation: int, days: Days) -> None:
        assert self.generations.setdefault(generation, days) == days, f"there are two states {generation}"
        for day, version in days.items():
            self._published[day].add(version)

    def _assert_whole(self, days: Days) -> None:
        """Check that every file of these versions is there for a reader."""
        for day, version in days.items():
            for table, (_, size) in self._counts_of(day, version).items():
                path = self.lake / f"days/call_date={day}/{version}/{table}.parquet"
                assert path.stat().st_size == size, path

    def _counts_of(self, day: str, version: str) -> Counts:
        """Return what a version holds, counted once in its files and found to be what its audit says."""
        if (day, version) not in self._counts:
            folder = self.lake / f"days/call_date={day}/{version}"
            audit = json.loads((folder / "_audit.json").read_bytes())
            files = {table: folder / f"{table}.parquet" for table in TABLES}
            counts = {table: (pq.read_metadata(file).num_rows, file.stat().st_size) for table, file in files.items()}
            assert counts == {table: (rows, audit["bytes"][table]) for table, rows in audit["rows"].items()}, folder
            self._counts[day, version] = counts
        return self._counts[day, version]

    def _is_new(self, path: Path) -> bool:
        """Return whether a file is there, and changed since the last observation."""
        try:
            there = path.stat()
        except FileNotFoundError:
            assert path not in self._files, f"{path} is gone"
            return False
        mark = (there.st_ino, there.st_mtime_ns)
        changed = self._files.get(path) != mark
        self._files[path] = mark
        return changed


def _read_catalog(path: Path) -> tuple[int, Days, dict[str, dict[str, int]]]:
    """Generation, the version of each day, and by table and day the rows that the catalog shows."""
    count = "SELECT call_date::VARCHAR, count(*) FROM {} GROUP BY ALL"
    with open_catalog(path) as connection:
        ((generation,),) = connection.execute("SELECT generation FROM _lake").fetchall()
        days = dict(connection.execute("SELECT call_date::VARCHAR, version FROM _days").fetchall())
        shown = {table: dict(connection.execute(count.format(table)).fetchall()) for table in TABLES}
    return int(generation), days, shown
