"""Drop versions of days at once and for good, whatever readers and runs would do with them.

Cleaning, in its own module, removes what nobody needs any more, and waits for that; this here waits for nobody.

`state/lake.json` remembers from the change of the setting on that such versions may lie about, until every published
day was built anew and the others are gone. So it matters nothing where a build was cut off, or which days wait.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, raw, state
from pipelines.lake.identity import lake_shaping
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
from pipelines.lake.storage import Storage, SwapConflictError
from pipelines.lake.versions import damaged_days, fingerprint, shaping_digest


def drop_versions(storage: Storage, catalog: Catalog, days: Collection[date], *, keep_published: bool) -> list[str]:
    """Remove the versions of days: those that are or were published, were refused, are half built or in a run's plan.

    Readers see the days go in one step, manifest first; what they open by an older manifest or catalog is gone. The
    generation moves on only where a published day went. Killed between any two steps, readers have a committed state,
    and another call does the rest. Plans of Dagster's runs lose the days, so that their later steps leave these alone.

    Args:
        storage: The lake's files; the caller holds the locks `sync` and `lake` for itself, and not `publish`.
        catalog: The readers' catalog.
        days: The days.
        keep_published: Leave the published version of each, and the one that its inputs give now. Whoever takes
            something out of the inputs has to commit that before, or the old version counts as this one.

    Returns:
        The folders of the removed versions.

    Raises:
        ChorusCallsError: The manifest is lost, so nobody knows what is published; or the catalog cannot be made.
    """
    days = set(days)
    with storage.lock(PUBLISH):
        kept = known_manifest(storage, catalog)
        manifest = kept.value
        staying: set[str] = _versions_to_keep(storage, manifest, days) if keep_published else set()
        doomed = _versions_to_drop(storage, days, staying)
        drop_from_plans(storage, days, staying)
        _commit_without(storage, catalog, kept, days, staying)
        if catalog_lags(kept, catalog) and not damaged_days(storage, manifest):
            catalog.make(manifest)
        catalog.remove_unfinished()
        update_links(storage, manifest, days & manifest.days.keys())
        for path in orphan_links(storage, kept):
            storage.delete(path)
        for folder in doomed:
            remove_folder(storage, folder)
        for folder in _emptied(storage, days):
            remove_folder(storage, folder)
    return doomed


def known_manifest(storage: Storage, catalog: Catalog) -> Stored[Manifest]:
    """Return what is published.

    Raises:
        ChorusCallsError: The manifest is lost.
    """
    kept = state.load_manifest(storage)
    if manifest_is_lost(storage, catalog):
        message = (
            f"{storage.address(layout.MANIFEST)} is missing, though days were published. "
            "Run `chorus-calls doctor --repair`, then try again."
        )
        raise ChorusCallsError(message)
    return kept


def manifest_is_lost(storage: Storage, catalog: Catalog) -> bool:
    """Say whether days were published and the manifest is not there."""
    return storage.size(layout.MANIFEST) is None and (
        bool(catalog.generation()) or any(storage.folders(table) for table in TABLES)
    )


def remove_folder(storage: Storage, folder: str) -> None:
    """Remove a folder of files, also one that has none."""
    for file in storage.list(folder):
        storage.delete(file.path)
    storage.delete(f"{folder}/{layout.AUDIT}")  # takes along the folder, whether or not there is such a file


def remove_orphans(storage: Storage) -> int:
    """Remove the raw files that do not count; the caller holds the locks `sync` and `lake` for itself."""
    paths = raw.uncounted(storage, state.load_landed(storage))
    for path in paths:
        storage.delete(path)
    return len(paths)


def remove_unfinished(storage: Storage) -> int:
    """Remove what dead writers left; the caller holds `sync`, `lake` and `publish`."""
    with storage.lock(SWAP):  # the last of those who write
        paths = storage.unfinished()
        for path in paths:
            storage.delete(path)
    return len(paths)


def _versions_to_keep(storage: Storage, manifest: Manifest, days: Collection[date]) -> set[str]:
    """The folders of the versions that are published, and of those that the inputs give now.

    A day that was refused needs the latter: else it would be built, refused and purged for ever.
    """
    staying = {layout.version_folder(day, manifest.days[day].version) for day in days if day in manifest.days}
    shaping = lake_shaping(storage)
    if shaping is not None:
        landed = state.load_landed(storage).value
        staying |= {layout.version_folder(day, fingerprint(landed, day, shaping)) for day in days}
    return staying


def _versions_to_drop(storage: Storage, days: Collection[date], staying: Collection[str]) -> list[str]:
    found = [
        layout.version_folder(day, version)
        for day in sorted(days)
        for version in storage.folders(layout.day_folder(day))
    ]
    return [folder for folder in found if folder not in staying]


def _commit_without(
    storage: Storage, catalog: Catalog, kept: Stored[Manifest], days: Collection[date], staying: Collection[str]
) -> None:
    """Take days out of what is published, unless their version stays, and notes out of what is unreferenced."""
    manifest = kept.value
    gone = [
        day
        for day in days & manifest.days.keys()
        if layout.version_folder(day, manifest.days[day].version) not in staying
    ]
    notes = [
        folder
        for folder in manifest.unreferenced
        if folder not in staying and layout.day_of(folder.split("/")[1]) in days
    ]
    lags = bool(manifest.unreferenced) and catalog_lags(kept, catalog)
    if not gone and not notes and not lags:
        return
    for day in gone:
        del manifest.days[day]
    for folder in notes:
        del manifest.unreferenced[folder]
    restart_grace_period(kept, catalog)  # versions of other days, which readers may have open by a catalog that lags
    if gone:
        manifest.generation += 1
        manifest.committed_at = state.now()
    state.commit(storage, kept)


def _emptied(storage: Storage, days: Collection[date]) -> list[str]:
    """The folders of days in which nothing is left, not even a version without a file."""
    folders = [f"{layout.DAYS}/{name}" for name in storage.folders(layout.DAYS) if layout.day_of(name) in days]
    return [folder for folder in folders if not storage.folders(folder) and not storage.list(folder)]


def may_be_unmasked(storage: Storage) -> bool:
    """Say whether versions may lie about that were built before the lake's settings became to mask."""
    kept = state.read(storage, layout.LAKE, LakeRecord)
    return kept is not None and kept.value.unmasked_versions


def remove_unmasked(storage: Storage, catalog: Catalog) -> list[str]:
    """Remove the versions that are no longer published, and forget about them once every published day is masked.

    Args:
        storage: The lake's files; the caller holds the locks `sync` and `lake` for itself.
        catalog: The readers' catalog.

    Returns:
        The folders of the removed versions.
    """
    days = {day for folder in storage.folders(layout.DAYS) if (day := layout.day_of(folder)) is not None}
    removed = drop_versions(storage, catalog, days, keep_published=True)
    shaping = lake_shaping(storage)
    published = state.load_manifest(storage).value.days.values()
    if shaping and all(known.shaping == shaping_digest(shaping) for known in published):
        _all_are_masked(storage)
    return removed


def _all_are_masked(storage: Storage) -> None:
    kept = state.read(storage, layout.LAKE, LakeRecord)
    if kept is None or not kept.value.unmasked_versions:
        return
    kept.value.unmasked_versions = False
    try:
        state.commit(storage, kept)
    except SwapConflictError:  # other settings were accepted meanwhile: the next one looks again
        return
