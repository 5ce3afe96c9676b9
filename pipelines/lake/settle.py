"""One function that mends whatever a crash between two steps may have left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pipelines.dictionary import TABLES
from pipelines.lake import layout, state
from pipelines.lake.publish import Catalog, swing_links
from pipelines.lake.state import Manifest
from pipelines.lake.storage import Storage
from pipelines.lake.versions import lost_days


@dataclass
class Settled:
    """What had to be mended."""

    catalog_made: bool = False
    links_swung: int = 0
    versions_removed: int = 0


def settle(storage: Storage, catalog: Catalog, keep_versions: timedelta) -> Settled:
    """Bring catalog and links up to the manifest, and remove versions that no reader can need any more.

    Idempotent; where there is nothing to do, no file is touched. Published days whose files were lost are left to the
    next build, and the catalog waits for them.

    Args:
        storage: The lake's files.
        catalog: The readers' catalog.
        keep_versions: How long a version stays after it ceased to be published.
    """
    manifest = state.load_manifest(storage).value
    done = Settled()
    if not (_catalog_lags(manifest, catalog) or _unlinked(storage, manifest) or _unneeded(manifest, keep_versions)):
        return done
    with storage.lock("publish"):
        kept = state.load_manifest(storage)
        manifest = kept.value
        lost = lost_days(storage, manifest)
        if not lost and _catalog_lags(manifest, catalog):
            catalog.make(manifest)
            done.catalog_made = True
        done.links_swung = swing_links(storage, manifest, sorted(manifest.days.keys() - lost))
        done.versions_removed = _remove_versions(storage, kept, keep_versions)
    return done


def _catalog_lags(manifest: Manifest, catalog: Catalog) -> bool:
    made_from = catalog.generation()
    return made_from is None or made_from < manifest.generation


def _unlinked(storage: Storage, manifest: Manifest) -> bool:
    return any(
        storage.size(layout.link_file(day, table)) != published.bytes[table]
        for day, published in manifest.days.items()
        for table in TABLES
    )


def _unneeded(manifest: Manifest, keep_versions: timedelta) -> list[str]:
    """Folders of versions that have been unreferenced for long enough."""
    limit = state.now() - keep_versions
    return [folder for folder, since in manifest.unreferenced.items() if since < limit]


def _remove_versions(storage: Storage, kept: state.Kept[Manifest], keep_versions: timedelta) -> int:
    folders = _unneeded(kept.value, keep_versions)
    for folder in folders:
        for file in storage.list(folder):
            storage.delete(file.path)
        del kept.value.unreferenced[folder]
    if folders:
        state.commit(storage, kept)
    return len(folders)
