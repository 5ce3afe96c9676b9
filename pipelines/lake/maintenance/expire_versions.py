"""Remove what nobody needs any more: expired versions, raw files that do not count, unfinished files.

A build may be about to use any of them: a raw file that was merged since the build was planned, or a version that comes
back into use. So they are removed only while no sync and no build runs. Versions in the plan of a Dagster run, which
releases the lock between its steps, are kept.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from pipelines.lake import layout, raw, state
from pipelines.lake.identity import load_table_settings
from pipelines.lake.locks import PUBLISH, try_exclusive_access
from pipelines.lake.maintenance.drop_versions import remove_folder, remove_orphans, remove_unfinished
from pipelines.lake.publish import planned_versions
from pipelines.lake.state import Manifest, Stored
from pipelines.lake.storage import LakeBusyError, Storage
from pipelines.lake.versions import fingerprint


@dataclass
class Expired:
    """How many versions and files were removed."""

    versions: int = 0
    raw_files: int = 0
    unfinished: int = 0


def expire(storage: Storage, keep_versions: timedelta) -> Expired:
    """Remove what nobody needs any more, unless a sync or a build is running.

    Args:
        storage: The lake's files.
        keep_versions: The grace period of a version after it ceased to be published.
    """
    done = Expired()
    if not _has_work(storage, keep_versions):
        return done
    with suppress(LakeBusyError), try_exclusive_access(storage), storage.lock(PUBLISH):
        done.raw_files = remove_orphans(storage)
        done.versions = _expire_versions(storage, keep_versions)
        done.unfinished = remove_unfinished(storage)
    return done


def _has_work(storage: Storage, keep_versions: timedelta) -> bool:
    manifest = state.load_manifest(storage)
    return bool(
        storage.unfinished()
        or raw.uncounted(storage, state.load_landed(storage))
        or _newly_unreferenced(storage, manifest)
        or _expired(storage, manifest.value, keep_versions)
    )


def _expire_versions(storage: Storage, keep_versions: timedelta) -> int:
    """Remove the versions whose grace period is over, and start it for those newly found unreferenced."""
    stored = state.load_manifest(storage)
    new = _newly_unreferenced(storage, stored)
    stored.value.unreferenced.update(dict.fromkeys(new, state.now()))
    expired = _expired(storage, stored.value, keep_versions)
    for folder in expired:
        remove_folder(storage, folder)
        del stored.value.unreferenced[folder]
    if new or expired:
        state.commit(storage, stored)
    return len(expired)


def _newly_unreferenced(storage: Storage, manifest: Stored[Manifest]) -> list[str]:
    """Return the versions that are neither published nor known as unreferenced: half-built and refused ones."""
    if manifest.raw is None:  # lost, or nothing has ever been published
        return []
    known = {layout.version_folder(day, published.version) for day, published in manifest.value.days.items()}
    known |= manifest.value.unreferenced.keys()
    found = [
        f"{layout.DAYS}/{day}/{version}"
        for day in storage.folders(layout.DAYS)
        for version in storage.folders(f"{layout.DAYS}/{day}")
    ]
    return _unneeded(storage, [folder for folder in found if folder not in known])


def _expired(storage: Storage, manifest: Manifest, keep_versions: timedelta) -> list[str]:
    """Return the versions that have been unreferenced for longer than the grace period."""
    limit = state.now() - keep_versions
    return _unneeded(storage, [folder for folder, since in manifest.unreferenced.items() if since < limit])


def _unneeded(storage: Storage, folders: list[str]) -> list[str]:
    """Leave out the versions that a build may use: those that the inputs give now, and those in plans."""
    settings = load_table_settings(storage) if folders else None
    if settings is None:
        return []
    landed = state.load_landed(storage).value
    days = {day for folder in folders if (day := layout.day_of(folder.split("/")[1])) is not None}
    needed = {layout.version_folder(day, fingerprint(landed, day, settings)) for day in days}
    needed |= planned_versions(storage)
    return [folder for folder in folders if folder not in needed]
