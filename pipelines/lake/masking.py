"""From numbers as sent to masked ones: versions that were built with CHORUS_PII=raw are not kept for their readers.

`state/lake.json` remembers from the change of the setting on that such versions may lie about, until every published
day was built anew and the others are gone. So it matters nothing where a build was cut off, or which days wait.
"""

from __future__ import annotations

from pipelines.lake import layout, state
from pipelines.lake.identity import lake_shaping
from pipelines.lake.publish import Catalog
from pipelines.lake.purge import purge_versions
from pipelines.lake.state import LakeRecord
from pipelines.lake.storage import Storage, SwapConflictError
from pipelines.lake.versions import shaping_digest


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
    removed = purge_versions(storage, catalog, days, keep_published=True)
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
