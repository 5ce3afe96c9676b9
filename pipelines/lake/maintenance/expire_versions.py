"""Remove versions of days: expire those that no reader can hold any more, and drop at once those that must not be kept.

`expire` also removes orphan raw files and unfinished files. A build may be about to use any of them: a raw
file that was merged since the build was planned, or a version that comes back into use. So they are removed only while
no sync and no build runs. Versions in the plan of a Dagster run, which releases the lock between its steps, are kept.
`drop_versions` waits for nothing.

`state/lake.json` remembers that unmasked versions may be left from the change of CHORUS_PII until every published day
has been rebuilt and the other versions are dropped. So an interrupted build loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, raw, state
from pipelines.lake.identity import load_lake, load_table_settings
from pipelines.lake.locks import PUBLISH, SWAP, try_exclusive_access
from pipelines.lake.publish import (
    Catalog,
    catalog_lags,
    drop_from_plans,
    orphan_links,
    planned_versions,
    restart_grace_period,
    update_links,
)
from pipelines.lake.state import LakeRecord, Manifest, Stored
from pipelines.lake.storage import LakeBusyError, Storage
from pipelines.lake.versions import damaged_days, fingerprint, settings_digest


@dataclass
class Expired:
    """How many versions and files were removed."""

    versions: int = 0
    raw_files: int = 0
    unfinished: int = 0


def expire(storage: Storage, keep_versions: timedelta) -> Expired:
    """Remove versions after their grace period, orphans and unfinished files, unless a sync or a build is running."""
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
        or raw.orphan_files(storage, state.load_landed(storage))
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


def drop_versions(storage: Storage, catalog: Catalog, days: Collection[date], *, keep_published: bool) -> list[str]:
    """Drop the versions of days, whether published, unreferenced, refused, half-built or planned by a run.

    Readers lose the days in one commit; what they open by an older manifest or catalog is gone. The generation grows
    only where a published day is dropped. After a kill at any step readers see a committed state, and another call
    does the rest.

    Args:
        storage: The lake's files; the caller holds the locks `SYNC` and `LAKE` exclusively, and not `PUBLISH`.
        catalog: The readers' catalog.
        days: The days.
        keep_published: Keep the published version of each day and the one that its inputs give now. A caller that
            removes something from the inputs must commit that first, or the old version still is the present one.

    Returns:
        The folders of the dropped versions.

    Raises:
        ChorusCallsError: The manifest is lost, or the catalog cannot be made.
    """
    days = set(days)
    with storage.lock(PUBLISH):
        stored = known_manifest(storage, catalog)
        manifest = stored.value
        keep = _versions_to_keep(storage, manifest, days) if keep_published else set()
        dropped = _versions_to_drop(storage, days, keep)
        drop_from_plans(storage, days, keep)
        _remove_from_manifest(storage, catalog, stored, days, keep)
        if catalog_lags(stored, catalog) and not damaged_days(storage, manifest):
            catalog.make(manifest)
        catalog.remove_unfinished()
        update_links(storage, manifest, days & manifest.days.keys())
        for path in orphan_links(storage, stored):
            storage.delete(path)
        for folder in dropped:
            remove_folder(storage, folder)
        for folder in _empty_folders(storage, days):
            remove_folder(storage, folder)
    return dropped


def known_manifest(storage: Storage, catalog: Catalog) -> Stored[Manifest]:
    """Read the manifest.

    Raises:
        ChorusCallsError: It is lost.
    """
    stored = state.load_manifest(storage)
    if manifest_is_lost(storage, catalog):
        message = (
            f"{storage.address(layout.MANIFEST)} is missing, though days were published. "
            "Run `chorus-calls doctor --repair`, then try again."
        )
        raise ChorusCallsError(message)
    return stored


def manifest_is_lost(storage: Storage, catalog: Catalog) -> bool:
    """Return whether days were published and the manifest is missing."""
    return storage.size(layout.MANIFEST) is None and (
        bool(catalog.generation()) or any(storage.folders(table) for table in TABLES)
    )


def remove_folder(storage: Storage, folder: str) -> None:
    """Remove a folder with all its files."""
    for file in storage.list(folder):
        storage.delete(file.path)
    storage.delete(f"{folder}/{layout.AUDIT}")  # removes an empty folder too, whether or not the file exists


def remove_orphans(storage: Storage) -> int:
    """Remove the raw files that are not in the landing log; the caller holds `SYNC` and `LAKE` exclusively."""
    return _delete(storage, raw.orphan_files(storage, state.load_landed(storage)))


def remove_unfinished(storage: Storage) -> int:
    """Remove the unfinished files of killed writers; the caller holds `SYNC`, `LAKE` and `PUBLISH` exclusively."""
    with storage.lock(SWAP):  # taken by every other writer
        return _delete(storage, storage.unfinished())


def _delete(storage: Storage, paths: Collection[str]) -> int:
    for path in paths:
        storage.delete(path)
    return len(paths)


def _versions_to_keep(storage: Storage, manifest: Manifest, days: Collection[date]) -> set[str]:
    """Return the folders of the published versions and of those that the inputs give now.

    A refused day needs the latter: otherwise it would be built, refused and dropped again and again.
    """
    keep = {layout.version_folder(day, manifest.days[day].version) for day in days if day in manifest.days}
    settings = load_table_settings(storage)
    if settings is not None:
        landed = state.load_landed(storage).value
        keep |= {layout.version_folder(day, fingerprint(landed, day, settings)) for day in days}
    return keep


def _versions_to_drop(storage: Storage, days: Collection[date], keep: Collection[str]) -> list[str]:
    found = [
        layout.version_folder(day, version)
        for day in sorted(days)
        for version in storage.folders(layout.day_folder(day))
    ]
    return [folder for folder in found if folder not in keep]


def _remove_from_manifest(
    storage: Storage, catalog: Catalog, stored: Stored[Manifest], days: Collection[date], keep: Collection[str]
) -> None:
    """Remove days from the manifest unless their version is kept, and their dropped versions from `unreferenced`."""
    manifest = stored.value
    gone = [
        day for day in days & manifest.days.keys() if layout.version_folder(day, manifest.days[day].version) not in keep
    ]
    notes = [
        folder for folder in manifest.unreferenced if folder not in keep and layout.day_of(folder.split("/")[1]) in days
    ]
    lags = bool(manifest.unreferenced) and catalog_lags(stored, catalog)
    if not gone and not notes and not lags:
        return
    for day in gone:
        del manifest.days[day]
    for folder in notes:
        del manifest.unreferenced[folder]
    restart_grace_period(stored, catalog)
    if gone:
        manifest.generation += 1
        manifest.committed_at = state.now()
    state.commit(storage, stored)


def _empty_folders(storage: Storage, days: Collection[date]) -> list[str]:
    """Return the folders of days in which nothing is left, not even a version without a file."""
    folders = [f"{layout.DAYS}/{name}" for name in storage.folders(layout.DAYS) if layout.day_of(name) in days]
    return [folder for folder in folders if not storage.folders(folder) and not storage.list(folder)]


def may_be_unmasked(storage: Storage) -> bool:
    """Return whether versions may be left that were built before CHORUS_PII became `mask`."""
    lake = load_lake(storage)
    return lake is not None and lake.unmasked_versions


def drop_unmasked(storage: Storage, catalog: Catalog) -> list[str]:
    """Drop the versions that are no longer published, and clear the reminder once every published day is masked.

    The caller holds the locks `SYNC` and `LAKE` exclusively.

    Returns:
        The folders of the dropped versions.
    """
    days = {day for folder in storage.folders(layout.DAYS) if (day := layout.day_of(folder)) is not None}
    dropped = drop_versions(storage, catalog, days, keep_published=True)
    settings = load_table_settings(storage)
    published = state.load_manifest(storage).value.days.values()
    if settings and all(day.settings_digest == settings_digest(settings) for day in published):

        def all_masked(lake: LakeRecord | None) -> LakeRecord | None:
            if lake is None or lake.settings != settings:  # others were accepted in between; the next call decides
                return None
            return msgspec.structs.replace(lake, unmasked_versions=False)

        state.update(storage, layout.LAKE, LakeRecord, all_masked)
    return dropped
