"""Rebuild lost or unreadable state while no other process works on the lake.

The landing log is rebuilt from raw, the manifest from complete versions. No data is deleted: what cannot be read is
moved aside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.doctor.inspection import Subject, read_subject
from pipelines.doctor.raw_files import footer_rows, landed_names, parts_of
from pipelines.doctor.state_files import broken_files
from pipelines.errors import ChorusCallsError
from pipelines.extract.sync_state import SyncState
from pipelines.lake import layout, raw, state
from pipelines.lake.locks import PUBLISH, try_exclusive_access
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import published_day
from pipelines.lake.raw import replace_files
from pipelines.lake.state import (
    LakeRecord,
    Landed,
    LandedDay,
    LandedFile,
    Manifest,
    Stored,
    TableSettings,
)
from pipelines.lake.storage import Storage, StoredFile
from pipelines.lake.versions import fingerprint, read_audit, settings_digest
from pipelines.serve.catalog import DuckDBCatalog, open_catalog, read_generation
from pipelines.settings import Settings

_ASIDE: Final = "state/broken"
_NAMED: Final = 3
_WAIT_SECONDS: Final = 2.0
"""Seconds to wait for other processes: a reconcile ends within them, a sync or build does not."""


def repair(settings: Settings) -> list[str]:
    """Rebuild lost state, then reconcile the lake.

    Returns:
        What was done, a sentence each.

    Raises:
        LakeBusyError: Others are working on the lake.
        ChorusCallsError: A newer program wrote the lake.
    """
    subject = read_subject(settings)
    if subject.empty:
        return []
    storage = subject.storage
    with try_exclusive_access(storage, wait=_WAIT_SECONDS), storage.lock(PUBLISH):
        subject = read_subject(settings)
        _refuse_newer(subject)
        done = [*_move_broken_aside(subject), *_lake(subject), *_landed(subject), *_manifest(subject)]
    catalog = DuckDBCatalog(settings.catalog_path, storage, currency=settings.currency)
    reconciled = reconcile(storage, catalog, timedelta(hours=settings.keep_versions_hours))
    if reconciled.catalog_made:
        done.append("made the catalog again")
    if reconciled.links_updated:
        done.append(f"put {reconciled.links_updated:,} links in their places")
    return done


def _refuse_newer(subject: Subject) -> None:
    for found in (subject.lake, subject.landed, subject.sync_state, subject.manifest):
        if found.error and not found.broken:
            raise found.error
    lake, own = subject.lake.value, subject.table_settings
    if lake and own and own.table_version < lake.table_version:
        message = "A newer chorus-calls wrote this lake. Upgrade chorus-calls to repair it."
        raise ChorusCallsError(message, exit_code=2)


def _move_broken_aside(subject: Subject) -> Iterator[str]:
    moves = {
        # In the folder of plans it would be read as a plan.
        path: f"{_ASIDE}/{path}" if path.startswith(layout.PLANS) else f"{path}.broken-{state.now():%Y%m%dT%H%M%SZ}"
        for path in broken_files(subject)
    }
    for path, aside in moves.items():
        _move(subject.storage, path, aside)
        yield f"moved {path}, which cannot be read, to {aside}"


def _move(storage: Storage, path: str, target: str) -> None:
    with storage.create(target) as stream:
        stream.write(storage.read(path) or b"")
    storage.delete(path)


def _lake(subject: Subject) -> Iterator[str]:
    """Rebuild the lake's identity; the next sync adds the organisations."""
    own = subject.table_settings
    if own is None or not (subject.lake_is_lost or subject.lake.broken):
        return
    record = LakeRecord(shaping=own.shaping, table_version=own.table_version)
    state.commit(subject.storage, Stored(layout.LAKE, record, None))
    yield f"made {layout.LAKE} again from the present settings"


def _landed(subject: Subject) -> Iterator[str]:
    """Rebuild or repair the landing log from raw."""
    storage = subject.storage
    if subject.landed_is_lost or subject.landed.broken:
        rebuilt = landed_from_raw(storage, subject.raw)
        state.commit(storage, Stored(layout.LANDED, rebuilt.landed, None))
        yield f"made {layout.LANDED} again from raw: {len(rebuilt.landed.days):,} days"
    elif subject.landed.value is not None:
        stored = state.load_landed(storage)
        rebuilt = repair_landed(storage, stored.value, subject.raw)
        if not (rebuilt.gone or rebuilt.unreadable or rebuilt.changed):
            return
        state.commit(storage, stored)
    else:
        return
    yield from _sentences(rebuilt)
    for path in rebuilt.unreadable:
        _move(storage, path, f"{_ASIDE}/{path}")
    if rebuilt.gone or rebuilt.unreadable:
        yield from _force_full_scan(storage)


def _sentences(rebuilt: RebuiltLog) -> Iterator[str]:
    for words, paths in (
        ("is no longer in the landing log, since it is missing", rebuilt.gone),
        (f"cannot be read and is no longer in the landing log; it is in {_ASIDE} now", rebuilt.unreadable),
        ("is in the landing log as it is now", rebuilt.changed),
    ):
        if paths:
            yield f"{_listed(paths)}: {words}"


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more


def _force_full_scan(storage: Storage) -> Iterator[str]:
    """Make the next sync a full scan: the watermark is no longer true of what has landed."""
    stored = state.read(storage, layout.SCAN, SyncState)
    if stored and (stored.value.checkpoint or stored.value.full_scan_at):
        stored.value.checkpoint, stored.value.full_scan_at = None, None
        state.commit(storage, stored)
    yield "the next `chorus-calls sync` reads the whole list, and lands again what the API still has"


def _manifest(subject: Subject) -> Iterator[str]:
    """Rebuild the manifest from complete versions."""
    storage, settings = subject.storage, subject.lake_settings
    if settings is None or not (subject.manifest.missing or subject.manifest.broken):
        return
    if subject.manifest.missing and not (subject.was_published or has_complete_versions(storage)):
        return
    landed = state.load_landed(storage).value
    manifest = manifest_from_versions(storage, landed, settings, subject.settings.catalog_path)
    state.commit(storage, Stored(layout.MANIFEST, manifest, None))
    waiting = len(landed.days.keys() - manifest.days.keys())
    yield f"made {layout.MANIFEST} again from complete versions: {len(manifest.days):,} days"
    if waiting:
        yield f"{waiting:,} days wait for `chorus-calls build`"


_Place = tuple[str, str]
"""The name and the kind of a raw file, unique within its day."""


@dataclass
class RebuiltLog:
    """A landing log of the files that exist.

    Attributes:
        gone: Files that it had and that are missing.
        unreadable: Files that exist and cannot be read.
        changed: Files that it now has with other rows or bytes.
    """

    landed: Landed
    gone: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _RawFile:
    """A raw file on disk: its record, and the names under which its rows have landed."""

    known: LandedFile
    names: frozenset[str]


def _raw_file(storage: Storage, path: str, size: int) -> _RawFile | None:
    """Read the footer of a raw file; None if it cannot be read."""
    rows, names = footer_rows(storage, path), landed_names(storage, path)
    return None if rows is None or names is None else _RawFile(LandedFile(rows=rows, bytes=size), frozenset(names))


def landed_from_raw(storage: Storage, files: Iterable[StoredFile]) -> RebuiltLog:
    """Rebuild the landing log from the raw files alone.

    Names sort by landing time, so counting in their order gives each day its digest again.
    """
    rebuilt = RebuiltLog(Landed())
    days: dict[date, dict[_Place, _RawFile]] = defaultdict(dict)
    newest: list[datetime] = []
    for file in files:
        if (parts := parts_of(file.path)) is None:
            continue
        day, kind, name = parts
        found, landed_at = _raw_file(storage, file.path, file.size), _newest(storage, file.path)
        if found is None or landed_at is None or not file.path.endswith(".parquet"):
            rebuilt.unreadable.append(file.path)
        else:
            days[day][name, kind] = found
            newest.append(landed_at)
    for day, there in sorted(days.items()):
        _count(rebuilt.landed.days.setdefault(day, LandedDay()), _once(there))
    rebuilt.landed.newest_landed_at = max(newest, default=None)
    return rebuilt


def _newest(storage: Storage, path: str) -> datetime | None:
    """Return when the newest row of a raw file landed; None if that cannot be read."""
    try:
        with storage.open_input(path) as source:
            moment: datetime | None = pc.max(pq.read_table(source, columns=["landed_at"])["landed_at"]).as_py()
    except (OSError, pa.ArrowException):
        return None
    return moment


def _once(there: Mapping[_Place, _RawFile]) -> dict[_Place, _RawFile]:
    """Choose files that together hold everything that landed, each version once where that is possible.

    Merged files stay next to the file they were merged into for a while, and a process that was killed while merging
    leaves a file that overlaps with others.
    """
    kept: dict[_Place, _RawFile] = {}
    for kind in (raw.CALLS, raw.REJECTED):
        left = {place: file for place, file in there.items() if place[1] == kind}
        overlapping: dict[_Place, _RawFile] = {}
        covered: set[str] = set()
        while left:
            place = _next(left)
            kept[place] = left.pop(place)
            covered |= kept[place].names
            overlapping |= {other: file for other, file in left.items() if file.names & covered}
            left = {other: file for other, file in left.items() if other not in overlapping}
        for place, file in overlapping.items():
            if not file.names <= covered:  # better twice than not at all
                kept[place] = file
                covered |= file.names
    return kept


def _next(left: Mapping[_Place, _RawFile]) -> _Place:
    """Return a file that holds what no other holds, otherwise the one that holds the most."""
    times = Counter(name for file in left.values() for name in file.names)
    for place, file in left.items():
        if any(times[name] == 1 for name in file.names):
            return place
    return max(left, key=lambda place: (len(left[place].names), place))


def _count(day: LandedDay, files: Mapping[_Place, _RawFile]) -> None:
    replace_files(day, {place: (file.known, file.names) for place, file in files.items()})


def repair_landed(storage: Storage, landed: Landed, files: Iterable[StoredFile]) -> RebuiltLog:
    """Make a landing log list the files on disk as they are; days of which nothing is left leave it."""
    sizes = {file.path: file.size for file in files}
    rebuilt = RebuiltLog(landed)
    for day, known in sorted(landed.days.items()):
        before = {
            (name, kind): file for kind in (raw.CALLS, raw.REJECTED) for name, file in raw.files_of(known, kind).items()
        }
        after: dict[_Place, _RawFile] = {}
        for name, kind in before:
            path = layout.raw_file(kind, day, name)
            found = _raw_file(storage, path, sizes[path]) if path in sizes else None
            if found is not None:
                after[name, kind] = found
            else:
                (rebuilt.unreadable if path in sizes else rebuilt.gone).append(path)
        changed = {place: file.known for place, file in after.items() if file.known != before[place]}
        if len(after) < len(before):
            _count(known, after)
        for (name, kind), file in sorted(changed.items(), key=lambda one: one[0]):
            raw.add_file(known, kind, name, file)  # added again to change the digest, so that the day turns stale
            rebuilt.changed.append(layout.raw_file(kind, day, name))
    landed.days = {day: known for day, known in landed.days.items() if known.calls or known.rejected}
    return rebuilt


def manifest_from_versions(storage: Storage, landed: Landed, settings: TableSettings, catalog: Path) -> Manifest:
    """Rebuild a manifest: of each day the present version if it passed its checks, otherwise the catalog's.

    Its generation is above the catalog's, so that the catalog is made again.
    """
    manifest = Manifest(generation=(read_generation(catalog) or 0) + 1, committed_at=state.now())
    shown = _versions_of(catalog)
    for day in sorted(landed.days.keys() | shown.keys()):
        current = fingerprint(landed, day, settings)
        for version in (current, shown.get(day)):
            audit = read_audit(storage, day, version) if version else None
            if version and audit and audit.passed:
                digest = settings_digest(settings) if version == current else ""
                manifest.days[day] = published_day(version, audit, digest)
                break
    return manifest


def _versions_of(catalog: Path) -> dict[date, str]:
    """Return the version of each day that the catalog shows; none if no catalog can be read."""
    with suppress(duckdb.Error), open_catalog(catalog) as connection:
        return dict(connection.execute("SELECT call_date, version FROM _days").fetchall())
    return {}


def has_complete_versions(storage: Storage) -> bool:
    """Return whether any version of any day is complete."""
    return any(file.path.endswith(f"/{layout.AUDIT}") for file in storage.list("days"))
