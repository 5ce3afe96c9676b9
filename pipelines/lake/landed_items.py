"""How many items of a day have landed: what a build may neither lose nor make more of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from pipelines.lake import raw
from pipelines.lake.state import LandedDay
from pipelines.lake.storage import Storage


def landed_items(storage: Storage, day: date, landed: LandedDay | None) -> Mapping[str, int]:
    """Count what has landed of a day, without reading any payload.

    Args:
        storage: The lake's files.
        day: The day.
        landed: The raw files of it that count, None where there are none.

    Returns:
        By core table how many items make rows of it: `calls` those calls that are still of this day, deleted ones among
        them; `data_issues` the items that were rejected, each of which is one of its rows.
    """
    versions = raw.known_versions(storage, day, landed)
    moved = pl.col("deleted") & (pl.col("payload_hash") == raw.MOVED)
    return {
        "calls": versions.filter(~moved).height,
        "data_issues": sum(file.rows for file in landed.rejected.values()) if landed else 0,
    }
