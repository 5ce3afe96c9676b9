"""Removing old days for good, and not fetching them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from pipelines.build.workspace import Workspace
from pipelines.lake import layout, raw, state
from pipelines.lake.purge import known_manifest
from pipelines.lake.retention import days_before, raise_floor, remove_before_floor
from pipelines.lake.storage import Storage
from pipelines.removal.alone import alone


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


def prune(workspace: Workspace, floor: date, *, say: Callable[[str], None]) -> OldDays:
    """Remove for good what lies before a floor: raw files and tables, for every reader; they do not land again.

    It waits until no sync and no build is at work. The floor's own day turns stale, since the day before belonged to
    what it was built from. Where this is cut off, the next sync, build or prune does the rest.

    Args:
        workspace: The lake; its settings have been admitted.
        floor: The first day that is kept.
        say: Told what is waited for.

    Returns:
        What was removed.

    Raises:
        ChorusCallsError: The manifest is lost, or the catalog cannot be made.
    """
    storage = workspace.storage
    with alone(storage, say):
        known_manifest(storage, workspace.catalog)
        found = old_days(storage, floor)
        raise_floor(storage, floor)
        remove_before_floor(storage, workspace.catalog)
    return found


def _calls(storage: Storage, days: list[date]) -> list[int]:
    """Count the calls of each day: in its tables, or in raw where there are none yet."""
    published = state.load_manifest(storage).value.days
    landed = state.load_landed(storage).value.days
    return [
        published[day].rows["calls"] if day in published else len(raw.known_versions(storage, day, landed.get(day)))
        for day in days
    ]
