"""What landed, beside what the API lists, and what the record says of the last scan."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from pipelines.lake import layout
from pipelines.lake.storage import Storage
from pipelines.simulator import World
from tests.support.extraction import raw_rows


def listed_ids(world: World) -> list[str]:
    """The ids of the calls that a world lists now, sorted."""
    return sorted(json.loads(item)["id"] for item in world.items())


def landed_ids(storage: Storage) -> list[str]:
    """The ids of the calls that landed, sorted, as often as a version of them did."""
    return sorted(row["call_id"] for row in raw_rows(storage))


def listed(world: World) -> dict[str, str]:
    """The calls that a world lists now, as it sends them, by id."""
    return {json.loads(item)["id"]: item.decode() for item in world.items()}


def landed_payloads(storage: Storage) -> dict[str, str]:
    """The newest payload of every call that landed, by id."""
    return {row["call_id"]: row["payload"] for row in raw_rows(storage)}


def scans(storage: Storage) -> pl.DataFrame:
    """The record of scans."""
    return pl.read_parquet(storage.address(layout.SCANS))


def last_scan(storage: Storage) -> dict[str, Any]:
    """The newest line of the record of scans."""
    return scans(storage).row(-1, named=True)
