"""Drop versions of days at once and for good, whatever readers and runs still do with them.

`expire_versions` waits until nobody needs a version; this module does not wait.

`state/lake.json` remembers that unmasked versions may be left from the change of CHORUS_PII until every published day
has been rebuilt and the other versions are dropped. So an interrupted build loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import msgspec

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, raw, state
from pipelines.lake.identity import load_lake, load_table_settings
from pipelines.lake.locks import PUBLISH, SWAP
from pipelines.lake.publish import (
    Catalog,
    catalog_lags,
    drop_from_plans,
    orphan_links,
    restart_grace_period,
    update_links,
)
from pipelines.lake.state import LakeRecord, Manifest, Stored
from pipelines.lake.storage import Storage
from pipelines.lake.versions import damaged_days, fingerprint, settings_digest


def drop_versions(storage: Storage, catalog: Catalog, days: Collection[date], *, keep_published: bool) -> list[str]:
    """Drop the versions of days, whether published, unreferenced, refused, half-built or planned by a run.

    Readers lose the days in one commit; what they open by an older manifest or catalog is gone. The generation grows
    only where a published day is dropped. After a kill at any step readers see a committed state, and another call
    does the rest.

    Args:
        storage: The lake's files; the caller holds the locks `SYNC` and `LAKE` exclusively, and not `PUBLISH`.
        catalog: The readers' catalog.
        days: The days.
        keep_published: Keep the published version of each day and the one that its inputs give now. Whoever removes
            something from the inputs must commit that first, or the old version still counts as the present one.

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
    """Say whether days were published and the manifest is missing."""
    return storage.size(layout.MANIFEST) is None and (
        bool(catalog.generation()) or any(storage.folders(table) for table in TABLES)
    )


def remove_folder(storage: Storage, folder: str) -> None:
    """Remove a folder with all its files."""
    for file in storage.list(folder):
        storage.delete(file.path)
    storage.delete(f"{folder}/{layout.AUDIT}")  # removes an empty folder too, whether or not the file exists


def remove_orphans(storage: Storage) -> int:
    """Remove the raw files that do not count; the caller holds `SYNC` and `LAKE` exclusively."""
    return _delete(storage, raw.uncounted(storage, state.load_landed(storage)))


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
    """Say whether versions may be left that were built before CHORUS_PII became `mask`."""
    lake = load_lake(storage)
    return lake is not None and lake.unmasked_versions


def drop_unmasked(storage: Storage, catalog: Catalog) -> list[str]:
    """Drop the versions that are no longer published, and clear the reminder once every published day is masked.

    Args:
        storage: The lake's files; the caller holds the locks `SYNC` and `LAKE` exclusively.
        catalog: The readers' catalog.

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
