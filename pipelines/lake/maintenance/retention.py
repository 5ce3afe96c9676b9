"""Retention: the first day that is kept. Older days are removed for good and do not land again.

The floor is raised first and the days are removed after it. So days before the floor are the mark of an interrupted
removal, which the next sync, build or prune finishes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, timedelta

import msgspec

from pipelines.lake import layout, raw, state
from pipelines.lake.identity import load_lake, update_lake
from pipelines.lake.maintenance.expire_versions import drop_versions, remove_folder
from pipelines.lake.publish import Catalog
from pipelines.lake.state import LakeRecord
from pipelines.lake.storage import Storage


def retention_floor(storage: Storage) -> date | None:
    """Return the first day that is kept; None if all are."""
    lake = load_lake(storage)
    return lake.retention_floor if lake else None


def raise_floor(storage: Storage, floor: date) -> None:
    """Raise the floor; it never goes back.

    Raises:
        ChorusCallsError: The lake has no identity yet.
    """

    def raised(lake: LakeRecord) -> LakeRecord:
        return msgspec.structs.replace(lake, retention_floor=max(floor, lake.retention_floor or floor))

    update_lake(storage, raised)


def days_before(storage: Storage, floor: date | None) -> list[date]:
    """Return the days before a floor of which anything is left: landed, published, or a folder on disk."""
    if floor is None:
        return []
    days = {
        *state.load_landed(storage).value.days,
        *state.load_manifest(storage).value.days,
        *_days_of_folders(storage),
    }
    return sorted(day for day in days if day < floor)


def remove_before_floor(storage: Storage, catalog: Catalog) -> list[date]:
    """Remove all that is left of the days before the floor, raw files and tables; idempotent.

    They leave the landing log first, so that no build makes them again; then readers lose them in one commit.
    The caller holds the locks `SYNC` and `LAKE` exclusively.

    Returns:
        The removed days.

    Raises:
        ChorusCallsError: The manifest is lost, or the catalog cannot be made.
    """
    days = days_before(storage, retention_floor(storage))
    landed = state.load_landed(storage)
    if gone := landed.value.days.keys() & set(days):
        for day in gone:
            del landed.value.days[day]
        state.commit(storage, landed)
    if days:
        drop_versions(storage, catalog, days, keep_published=False)
    for day in days:
        for kind in (raw.CALLS, raw.REJECTED):
            remove_folder(storage, layout.raw_folder(kind, day))
    return days


def _days_of_folders(storage: Storage) -> Iterator[date]:
    for place in (f"{layout.RAW}/{raw.CALLS}", f"{layout.RAW}/{raw.REJECTED}", layout.DAYS):
        for folder in storage.folders(place):
            if (day := layout.day_of(folder)) is not None:
                yield day


@dataclass(frozen=True)
class OldDays:
    """What a prune removes.

    Attributes:
        days: The days before it of which anything is left, oldest first.
        calls: How many calls they have, including those deleted at the API.
        rejected_items: How many items without a usable day arrived on these days.
        bytes: The size of their raw files and of all versions of their tables.
    """

    floor: date
    days: list[date]
    calls: int
    rejected_items: int
    bytes: int


def floor_of(age: timedelta) -> date:
    """Return the first day that is kept when older days than this age are removed.

    Raises:
        OverflowError: There is no such day.
    """
    return state.now().astimezone(UTC).date() - age


def old_days(storage: Storage, floor: date) -> OldDays:
    """Report what lies before a floor, or before the lake's own if that is later; nothing is changed."""
    known = retention_floor(storage)
    floor = max(floor, known) if known else floor
    days = days_before(storage, floor)
    landed = state.load_landed(storage).value.days
    rejected = [file for day in days if day in landed for file in landed[day].rejected.values()]
    folders = [
        folder
        for day in days
        for folder in (layout.day_folder(day), *(layout.raw_folder(kind, day) for kind in (raw.CALLS, raw.REJECTED)))
    ]
    return OldDays(
        floor=floor,
        days=days,
        calls=sum(_calls(storage, days)),
        rejected_items=sum(file.rows for file in rejected),
        bytes=sum(file.size for folder in folders for file in storage.list(folder)),
    )


def _calls(storage: Storage, days: list[date]) -> list[int]:
    """Count the calls of each day in its tables, or in raw where it has none yet."""
    published = state.load_manifest(storage).value.days
    landed = state.load_landed(storage).value.days
    return [
        published[day].rows["calls"] if day in published else len(raw.known_versions(storage, day, landed.get(day)))
        for day in days
    ]
