"""Removing what nobody needs any more: versions no reader can hold, raw files that do not count, unfinished files.

A build may be about to use any of them: a raw file that was merged into another one since the build was planned, a
version that comes back into use. So they are removed only while no sync and no build is at work, and never if a run of
Dagster, which lets go of its lock between its steps, has them in its plan. Where somebody is at work, they wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pipelines.lake import layout, raw, state
from pipelines.lake.identity import lake_shaping
from pipelines.lake.locks import PUBLISH, try_exclusive_access
from pipelines.lake.maintenance.drop_versions import remove_folder, remove_orphans, remove_unfinished
from pipelines.lake.publish import planned_versions
from pipelines.lake.state import Manifest, Stored
from pipelines.lake.storage import LakeBusyError, Storage
from pipelines.lake.versions import fingerprint


@dataclass
class Expired:
    """How many were removed."""

    versions: int = 0
    raw_files: int = 0
    unfinished: int = 0


def expire(storage: Storage, keep_versions: timedelta) -> Expired:
    """Remove what nobody needs any more, unless somebody is at work in the lake.

    Args:
        storage: The lake's files.
        keep_versions: How long a version stays for its readers after it ceased to be published.
    """
    done = Expired()
    if not _has_work(storage, keep_versions):
        return done
    try:
        with try_exclusive_access(storage), storage.lock(PUBLISH):
            done.raw_files = remove_orphans(storage)
            done.versions = _remove_versions(storage, keep_versions)
            done.unfinished = remove_unfinished(storage)
    except LakeBusyError:
        return done
    return done


def _has_work(storage: Storage, keep_versions: timedelta) -> bool:
    manifest = state.load_manifest(storage)
    return bool(
        storage.unfinished()
        or raw.uncounted(storage, state.load_landed(storage))
        or _unnoted(storage, manifest)
        or _expired(storage, manifest.value, keep_versions)
    )


def _remove_versions(storage: Storage, keep_versions: timedelta) -> int:
    """Remove what has been unreferenced for long enough, and note what else is unreferenced from now on."""
    kept = state.load_manifest(storage)
    new = _unnoted(storage, kept)
    kept.value.unreferenced.update(dict.fromkeys(new, state.now()))
    expired = _expired(storage, kept.value, keep_versions)
    for folder in expired:
        remove_folder(storage, folder)
        del kept.value.unreferenced[folder]
    if new or expired:
        state.commit(storage, kept)
    return len(expired)


def _unnoted(storage: Storage, manifest: Stored[Manifest]) -> list[str]:
    """Versions that are not published and not yet noted as unreferenced: half built ones, and refused ones."""
    if manifest.raw is None:  # what is published is not known, or nothing has ever been
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
    """Versions that have been unreferenced for so long that no reader can be at them."""
    limit = state.now() - keep_versions
    return _unneeded(storage, [folder for folder, since in manifest.unreferenced.items() if since < limit])


def _unneeded(storage: Storage, folders: list[str]) -> list[str]:
    """Leave out versions that a build may use: those that their day's inputs give now, and those in plans."""
    shaping = lake_shaping(storage) if folders else None
    if shaping is None:
        return []
    landed = state.load_landed(storage).value
    days = {day for folder in folders if (day := layout.day_of(folder.split("/")[1])) is not None}
    needed = {layout.version_folder(day, fingerprint(landed, day, shaping)) for day in days}
    needed |= planned_versions(storage)
    return [folder for folder in folders if folder not in needed]
