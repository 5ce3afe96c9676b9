"""Retention: the first day that is kept. Older days are removed for good and do not land again.

The floor is moved first and the days are removed after it, so whoever finds days before the floor finds a removal that
was cut off, and goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from pipelines.lake import layout, raw, state
from pipelines.lake.identity import lake_record
from pipelines.lake.maintenance.drop_versions import drop_versions, remove_folder
from pipelines.lake.publish import Catalog
from pipelines.lake.state import LakeRecord
from pipelines.lake.storage import Storage, SwapConflictError


def retention_floor(storage: Storage) -> date | None:
    """Return the first day that is kept; None where all are."""
    kept = state.read(storage, layout.LAKE, LakeRecord)
    return kept.value.retention_floor if kept else None


def raise_floor(storage: Storage, floor: date) -> None:
    """Move the floor forward; it never goes back.

    Raises:
        ChorusCallsError: The lake has no identity yet.
    """
    kept = lake_record(storage)
    if kept.value.retention_floor is not None and kept.value.retention_floor >= floor:
        return
    kept.value.retention_floor = floor
    try:
        state.commit(storage, kept)
    except SwapConflictError:  # settings were accepted meanwhile
        raise_floor(storage, floor)


def days_before(storage: Storage, floor: date | None) -> list[date]:
    """Return the days before a floor of which anything is left: landed, published, or a folder of theirs."""
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

    First they count as landed no more, so that nobody builds them again; then readers lose them, in one step.

    Args:
        storage: The lake's files; the caller holds the locks `sync` and `lake` for itself.
        catalog: The readers' catalog.

    Returns:
        The days.

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
    """What of a lake is older than it is to be kept.

    Attributes:
        floor: The first day that is kept.
        days: The days before it of which anything is left, oldest first.
        calls: Their calls, those deleted at the API among them.
        rejected_items: Items that could not be placed and arrived on these days.
        bytes: The size of their raw files and of all versions of their tables.
    """

    floor: date
    days: list[date]
    calls: int
    rejected_items: int
    bytes: int


def floor_of(age: timedelta) -> date:
    """Return the first day that is kept where days of a greater age are not.

    Raises:
        OverflowError: There is no such day.
    """
    return state.now().astimezone(UTC).date() - age


def old_days(storage: Storage, floor: date) -> OldDays:
    """Say what lies before a floor, or before the lake's own where that is later; nothing is changed."""
    kept = state.read(storage, layout.LAKE, state.LakeRecord)
    known = kept.value.retention_floor if kept else None
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
    """Count the calls of each day: in its tables, or in raw where there are none yet."""
    published = state.load_manifest(storage).value.days
    landed = state.load_landed(storage).value.days
    return [
        published[day].rows["calls"] if day in published else len(raw.known_versions(storage, day, landed.get(day)))
        for day in days
    ]
