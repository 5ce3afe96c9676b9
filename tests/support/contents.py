"""What a lake holds, read from its files with plain means: no function of the product stands between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.dictionary import TABLES
from tests.oracle.items import Version

Rows = dict[str, list[dict[str, Any]]]
FREE = frozenset({"landed_at", "first_landed_at", "version_count"})
"""Columns that say when and how often a call landed; a lake that syncs more often lands more often."""


def day_of(path: Path) -> date:
    """The day that a folder `call_date=…`, or a file in one, belongs to."""
    (part,) = [part for part in path.parts if part.startswith("call_date=")]
    return date.fromisoformat(part.partition("=")[2])


def state(lake: Path, name: str) -> dict[str, Any]:
    """A JSON file of the lake; empty where it is not there."""
    path = lake / name
    return json.loads(path.read_bytes()) if path.exists() else {}


def counted(lake: Path, kind: str) -> set[Path]:
    """The raw files that count."""
    days = state(lake, "state/landed.json").get("days", {})
    return {lake / f"raw/{kind}/call_date={day}/{name}.parquet" for day, files in days.items() for name in files[kind]}


def versions(lake: Path, kind: str = "calls") -> dict[date, list[Version]]:
    """Everything that has landed and counts, by day."""
    found: dict[date, list[Version]] = {}
    for path in sorted(counted(lake, kind)):
        rows = pl.read_parquet(path, hive_partitioning=False).select("call_id", "payload", "landed_at").rows()
        found.setdefault(day_of(path), []).extend(Version(*row) for row in rows)
    return found


def newest(lake: Path) -> dict[tuple[date, str | None], str | None]:
    """The newest payload of every call."""
    return {
        (day, version.call_id): version.payload
        for day, of_day in versions(lake).items()
        for version in sorted(of_day, key=lambda version: version.landed_at)
    }


def rows(lake: Path) -> dict[date, Rows]:
    """The rows of every day, from the files at the places for plain globs."""
    found: dict[date, Rows] = {}
    for table in TABLES:
        for path in sorted((lake / table).rglob("*.parquet")):
            found.setdefault(day_of(path), {})[table] = pl.read_parquet(path, hive_partitioning=False).to_dicts()
    return found


def comparable(tables: Rows) -> Rows:
    """A day's rows without what differs between lakes that were synced at other times."""
    return {
        table: [{name: value for name, value in row.items() if name not in FREE} for row in rows]
        for table, rows in tables.items()
    }


def version_folders(lake: Path) -> Iterator[Path]:
    """The folders of all versions of all days."""
    yield from sorted((lake / "days").glob("call_date=*/*"))


def temporary_files(lake: Path) -> list[Path]:
    """Files in hidden folders, which writers leave there only when they are killed."""
    return sorted(path for folder in lake.rglob(".*") for path in folder.iterdir())
