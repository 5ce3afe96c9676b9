"""Repair: makes lost state again, while nobody else works on the lake.

No data is deleted: what cannot be read is moved aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from pipelines.doctor.rebuild_state import (
    Counted,
    has_complete_versions,
    landed_from_raw,
    manifest_from_versions,
    repair_landed,
)
from pipelines.doctor.state_files import broken_plans, scans_readable
from pipelines.doctor.subject import Subject, look_at
from pipelines.errors import ChorusCallsError
from pipelines.extract.scan.checkpoint import Journal
from pipelines.lake import layout, state
from pipelines.lake.locks import PUBLISH, try_exclusive_access
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.state import LakeRecord, Manifest, Stored
from pipelines.lake.storage import Storage
from pipelines.serve.catalog import DuckDBCatalog
from pipelines.settings import Settings

_ASIDE: Final = "state/broken"
_NAMED: Final = 3
_PATIENCE: Final = 2.0
"""Seconds to wait for others: those who clean the lake are done by then, those who sync or build are not."""


def repair(settings: Settings) -> list[str]:
    """Make lost state again, then settle the lake; what was done, a sentence each.

    Raises:
        LakeBusyError: Others are working on the lake.
        ChorusCallsError: A newer program wrote the lake.
    """
    subject = look_at(settings)
    if subject.empty:
        return []
    storage = subject.storage
    with try_exclusive_access(storage, wait=_PATIENCE), storage.lock(PUBLISH):
        subject = look_at(settings)
        _refuse_newer(subject)
        done = [*_set_broken_aside(subject), *_lake(subject), *_landed(subject), *_manifest(subject)]
    catalog = DuckDBCatalog(settings.catalog_path, storage, currency=settings.currency)
    settled = reconcile(storage, catalog, timedelta(hours=settings.keep_versions_hours))
    if settled.catalog_made:
        done.append("made the catalog again")
    if settled.links_swung:
        done.append(f"put {settled.links_swung:,} links in their places")
    return done


def _refuse_newer(subject: Subject) -> None:
    for found in (subject.lake, subject.landed, subject.journal, subject.manifest):
        if found.error and not found.broken:
            raise found.error
    lake, shaping = subject.lake.value, subject.shaping
    if lake and shaping and shaping.table_version < lake.table_version:
        message = "A newer chorus-calls wrote this lake. Upgrade chorus-calls to repair it."
        raise ChorusCallsError(message, exit_code=2)


def _set_broken_aside(subject: Subject) -> Iterator[str]:
    files = (subject.lake, subject.landed, subject.journal, subject.manifest, subject.names)
    broken = [found.path for found in files if found.broken]
    if not scans_readable(subject):
        broken.append(layout.SCANS)
    moves = {path: f"{path}.broken-{state.now():%Y%m%dT%H%M%SZ}" for path in broken}
    moves |= {path: f"{_ASIDE}/{path}" for path in broken_plans(subject)}  # beside others it would be read as a plan
    for path, aside in moves.items():
        _move(subject.storage, path, aside)
        yield f"moved {path}, which cannot be read, to {aside}"


def _move(storage: Storage, path: str, target: str) -> None:
    with storage.create(target) as stream:
        stream.write(storage.read(path) or b"")
    storage.delete(path)


def _lake(subject: Subject) -> Iterator[str]:
    """Give the lake its identity again; the next sync adds whose calls it holds."""
    if subject.shaping is None or not (subject.lake_is_lost or subject.lake.broken):
        return
    record = LakeRecord(shaping=subject.shaping.record, table_version=subject.shaping.table_version)
    state.commit(subject.storage, Stored(layout.LAKE, record, None))
    yield f"made {layout.LAKE} again from the present settings"


def _landed(subject: Subject) -> Iterator[str]:
    """Let the landing log count what is in raw."""
    storage = subject.storage
    if subject.landed_is_lost or subject.landed.broken:
        kept, counted = Stored(layout.LANDED, state.Landed(), None), landed_from_raw(storage, subject.raw)
        kept.value = counted.landed
        state.commit(storage, kept)
        yield f"made {layout.LANDED} again from raw: {len(counted.landed.days):,} days"
    elif subject.landed.value is not None:
        kept = state.load_landed(storage)
        counted = repair_landed(storage, kept.value, subject.raw)
        if not (counted.gone or counted.unreadable or counted.changed):
            return
        state.commit(storage, kept)
    else:
        return
    yield from _told(counted)
    for path in counted.unreadable:
        _move(storage, path, f"{_ASIDE}/{path}")
    if counted.gone or counted.unreadable:
        yield from _read_all_next(storage)


def _told(counted: Counted) -> Iterator[str]:
    for words, paths in (
        ("does not count any more, since it is gone", counted.gone),
        (f"cannot be read and does not count; it is in {_ASIDE} now", counted.unreadable),
        ("counts as it is now", counted.changed),
    ):
        if paths:
            yield f"{_listed(paths)}: {words}"


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more


def _read_all_next(storage: Storage) -> Iterator[str]:
    """Let the next sync read the whole list: what a scan has seen is no longer what has landed."""
    kept = state.read(storage, layout.SCAN, Journal)
    if kept and (kept.value.checkpoint or kept.value.full_scan_at):
        kept.value.checkpoint, kept.value.full_scan_at = None, None
        state.commit(storage, kept)
    yield "the next `chorus-calls sync` reads the whole list, and lands again what the API still has"


def _manifest(subject: Subject) -> Iterator[str]:
    """Publish again what is complete, where it is not known any more what was published."""
    storage, shaping = subject.storage, subject.lake_shaping
    if shaping is None or not (subject.manifest.missing or subject.manifest.broken):
        return
    if subject.manifest.missing and not (subject.was_published or has_complete_versions(storage)):
        return
    landed = state.load_landed(storage).value
    manifest: Manifest = manifest_from_versions(storage, landed, shaping, subject.settings.catalog_path)
    state.commit(storage, Stored(layout.MANIFEST, manifest, None))
    waiting = len(landed.days.keys() - manifest.days.keys())
    yield f"made {layout.MANIFEST} again from complete versions: {len(manifest.days):,} days"
    if waiting:
        yield f"{waiting:,} days wait for `chorus-calls build`"
