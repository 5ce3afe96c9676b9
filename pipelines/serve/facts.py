"""What the lake's small files say about its published days, for the catalog and for `status` alike."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.lake import layout, state
from pipelines.lake.identity import lake_shaping
from pipelines.lake.state import Landed, Manifest
from pipelines.lake.storage import Storage
from pipelines.lake.versions import fingerprint


def landed_states(storage: Storage, manifest: Manifest) -> dict[date, str | None]:
    """Say of each published day which state of the landed calls it was built from; None where newer ones landed.

    Returns:
        Digests of the day and of the day before, with a space between; empty for a day of which nothing landed.
    """
    landed = state.load_landed(storage).value
    shaping = lake_shaping(storage)
    return {
        day: _state(landed, day) if shaping and published.version == fingerprint(landed, day, shaping) else None
        for day, published in manifest.days.items()
    }


def _state(landed: Landed, day: date) -> str:
    days = (landed.days.get(day), landed.days.get(day - timedelta(days=1)))
    return " ".join(known.digest if known else "" for known in days)


def newest_call(storage: Storage, manifest: Manifest) -> datetime | None:
    """Return when the newest published call was created, or started where that is not known; None without calls."""
    days = [day for day, published in manifest.days.items() if published.rows.get("calls")]
    if not days:
        return None
    newest = max(days)
    file = storage.open_input(layout.table_file(newest, manifest.days[newest].version, "calls"))
    times = pq.read_table(file, columns=["created_at", "started_at"])
    moment: datetime | None = pc.max(pc.coalesce(times["created_at"], times["started_at"])).as_py()
    return moment
