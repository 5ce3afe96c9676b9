"""Reconcile the lake with its manifest: repair whatever a crash between two steps left behind."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from pipelines.lake import state
from pipelines.lake.locks import PUBLISH, try_exclusive_access
from pipelines.lake.maintenance.expire_versions import drop_unmasked, expire, manifest_is_lost, may_be_unmasked
from pipelines.lake.maintenance.retention import days_before, remove_before_floor, retention_floor
from pipelines.lake.names import names_digest, shown_names
from pipelines.lake.publish import Catalog, orphan_links, restart_grace_period, unlinked, update_links
from pipelines.lake.state import Manifest, Stored
from pipelines.lake.storage import LakeBusyError, Storage
from pipelines.lake.versions import damaged_days


@dataclass
class Reconciled:
    """What had to be repaired or removed."""

    catalog_made: bool = False
    links_updated: int = 0
    links_removed: int = 0
    days_pruned: int = 0
    versions_removed: int = 0
    raw_files_removed: int = 0
    unfinished_removed: int = 0


def reconcile(storage: Storage, catalog: Catalog, keep_versions: timedelta) -> Reconciled:
    """Bring catalog and links up to the manifest, finish interrupted removals, and remove what nobody needs any more.

    Idempotent; if there is nothing to do, no file is touched. Published days with lost files are left to the next
    build, and the catalog waits for them. If the manifest itself is lost, nothing is done.
    """
    done = Reconciled()
    _update_catalog_and_links(storage, catalog, done)
    _finish_removals(storage, catalog, done)
    expired = expire(storage, keep_versions)
    done.versions_removed += expired.versions
    done.raw_files_removed = expired.raw_files
    done.unfinished_removed = expired.unfinished
    return done


def _update_catalog_and_links(storage: Storage, catalog: Catalog, done: Reconciled) -> None:
    stored = state.load_manifest(storage)
    if not (
        _is_outdated(storage, stored, catalog)
        or catalog.is_unfinished()
        or unlinked(storage, stored.value, stored.value.days)
        or orphan_links(storage, stored)
    ):
        return
    with storage.lock(PUBLISH):
        stored = state.load_manifest(storage)
        if _is_outdated(storage, stored, catalog) and not damaged_days(storage, stored.value):
            if stored.value.unreferenced:
                restart_grace_period(stored, catalog)
                state.commit(storage, stored)
            catalog.make(stored.value)
            done.catalog_made = True
        catalog.remove_unfinished()
        done.links_updated = update_links(storage, stored.value, stored.value.days)
        for path in orphan_links(storage, stored):
            storage.delete(path)
            done.links_removed += 1


def _finish_removals(storage: Storage, catalog: Catalog, done: Reconciled) -> None:
    """Finish interrupted prunes and the removal of unmasked versions, unless a sync or a build is running."""
    pending = may_be_unmasked(storage) or days_before(storage, retention_floor(storage))
    if not pending or manifest_is_lost(storage, catalog):
        return
    with suppress(LakeBusyError), try_exclusive_access(storage):
        done.days_pruned = len(remove_before_floor(storage, catalog))
        if may_be_unmasked(storage):
            done.versions_removed = len(drop_unmasked(storage, catalog))


def _is_outdated(storage: Storage, manifest: Stored[Manifest], catalog: Catalog) -> bool:
    """Return whether the catalog is behind the manifest, or shows the present days with other names than are known.

    A catalog that is ahead, as where the manifest was lost, shows more than could be made again.
    """
    made_from, names = catalog.shown()
    if made_from is None or made_from < manifest.value.generation:
        return True
    return made_from == manifest.value.generation and names != names_digest(shown_names(storage))
