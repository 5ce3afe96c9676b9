"""One function that mends whatever a crash between two steps may have left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pipelines.lake import state
from pipelines.lake.locks import PUBLISH, try_exclusive_access
from pipelines.lake.maintenance.drop_versions import manifest_is_lost, may_be_unmasked, remove_unmasked
from pipelines.lake.maintenance.expire_versions import expire
from pipelines.lake.maintenance.retention import days_before, remove_before_floor, retention_floor
from pipelines.lake.names import names_digest, shown_names
from pipelines.lake.publish import Catalog, orphan_links, restart_grace_period, unlinked, update_links
from pipelines.lake.state import Manifest
from pipelines.lake.storage import LakeBusyError, Storage
from pipelines.lake.versions import damaged_days


@dataclass
class Reconciled:
    """What had to be mended."""

    catalog_made: bool = False
    links_swung: int = 0
    links_removed: int = 0
    days_pruned: int = 0
    versions_removed: int = 0
    raw_files_removed: int = 0
    unfinished_removed: int = 0


def reconcile(storage: Storage, catalog: Catalog, keep_versions: timedelta) -> Reconciled:
    """Bring catalog and links up to the manifest, finish removals, and remove what nobody can need any more.

    Idempotent; where there is nothing to do, no file is touched. Published days whose files were lost are left to the
    next build, and the catalog waits for them. So does everything where the manifest itself was lost.

    Args:
        storage: The lake's files.
        catalog: The readers' catalog.
        keep_versions: How long a version stays after it ceased to be published.
    """
    done = Reconciled()
    _serve(storage, catalog, done)
    _finish_removals(storage, catalog, done)
    cleaned = expire(storage, keep_versions)
    done.versions_removed += cleaned.versions
    done.raw_files_removed = cleaned.raw_files
    done.unfinished_removed = cleaned.unfinished
    return done


def _serve(storage: Storage, catalog: Catalog, done: Reconciled) -> None:
    """Bring what readers open up to the manifest."""
    kept = state.load_manifest(storage)
    if not (
        _is_outdated(storage, kept, catalog)
        or catalog.is_unfinished()
        or unlinked(storage, kept.value, kept.value.days)
        or orphan_links(storage, kept)
    ):
        return
    with storage.lock(PUBLISH):
        kept = state.load_manifest(storage)
        if _is_outdated(storage, kept, catalog) and not damaged_days(storage, kept.value):
            if kept.value.unreferenced:
                restart_grace_period(kept, catalog)
                state.commit(storage, kept)
            catalog.make(kept.value)
            done.catalog_made = True
        catalog.remove_unfinished()
        done.links_swung = update_links(storage, kept.value, kept.value.days)
        for path in orphan_links(storage, kept):
            storage.delete(path)
            done.links_removed += 1


def _finish_removals(storage: Storage, catalog: Catalog, done: Reconciled) -> None:
    """Go on with removing what must not be kept, where whoever began it was killed, unless somebody is at work."""
    pending = may_be_unmasked(storage) or days_before(storage, retention_floor(storage))
    if not pending or manifest_is_lost(storage, catalog):
        return
    try:
        with try_exclusive_access(storage):
            done.days_pruned = len(remove_before_floor(storage, catalog))
            if may_be_unmasked(storage):
                done.versions_removed = len(remove_unmasked(storage, catalog))
    except LakeBusyError:
        return


def _is_outdated(storage: Storage, manifest: state.Stored[Manifest], catalog: Catalog) -> bool:
    """Say whether the catalog lags behind the manifest, or shows the present days with other names than are known.

    One that is ahead of the manifest, as where that was lost, shows more than could be made again.
    """
    made_from, names = catalog.shown()
    if made_from is None or made_from < manifest.value.generation:
        return True
    return made_from == manifest.value.generation and names != names_digest(shown_names(storage))
