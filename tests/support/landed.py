"""What landed, beside what the API lists, and what the record says of the last scan."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq

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


def last_scan(storage: Storage) -> dict[str, Any]:
    """The newest line of the record of scans."""
    scan: dict[str, Any] = pq.read_table(storage.open_input(layout.SCANS)).to_pylist()[-1]
    return scan
