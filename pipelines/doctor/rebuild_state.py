"""Lost state, made again from what it was about: the landing log from raw, the manifest from complete versions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.doctor.raw_files import footer_rows, landed_names, parts_of
from pipelines.lake import layout, raw, state
from pipelines.lake.raw import recount
from pipelines.lake.state import Landed, LandedDay, LandedFile, Manifest, PublishedDay
from pipelines.lake.storage import Storage, StoredFile
from pipelines.lake.versions import Shaping, fingerprint, read_audit, shaping_digest
from pipelines.serve.catalog import open_catalog, read_generation

_Place = tuple[str, str]
"""The name of a raw file and its kind, which tell it from all others of its day."""


@dataclass
class Counted:
    """A landing log that counts what is there.

    Attributes:
        landed: The log.
        gone: Files that counted and are not there.
        unreadable: Files that are there and cannot count.
        changed: Files that count with other rows or bytes than before.
    """

    landed: Landed
    gone: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _RawFile:
    """A raw file as it lies there: what is known of it, and the names under which its rows have landed."""

    known: LandedFile
    names: frozenset[str]


def _raw_file(storage: Storage, path: str, size: int) -> _RawFile | None:
    """Look at a raw file; None where it cannot be read."""
    rows, names = footer_rows(storage, path), landed_names(storage, path)
    return None if rows is None or names is None else _RawFile(LandedFile(rows=rows, bytes=size), frozenset(names))


def landed_from_raw(storage: Storage, files: Iterable[StoredFile]) -> Counted:
    """Make the landing log from the raw files alone.

    Names tell when files landed, so counting in their order gives each day its digest again.
    """
    counted = Counted(Landed())
    days: dict[date, dict[_Place, _RawFile]] = defaultdict(dict)
    newest: list[datetime] = []
    for file in files:
        with suppress(ValueError):  # what lies where no raw file lies is left alone
            day, kind, name = parts_of(file.path)
            found, landed_at = _raw_file(storage, file.path, file.size), _newest(storage, file.path)
            if found is None or landed_at is None:
                counted.unreadable.append(file.path)
                continue
            days[day][name, kind] = found
            newest.append(landed_at)
    for day, there in sorted(days.items()):
        _count(counted.landed.days.setdefault(day, LandedDay()), _once(there))
    counted.landed.newest_landed_at = max(newest, default=None)
    return counted


def _newest(storage: Storage, path: str) -> datetime | None:
    """Return when the newest row of a raw file landed; None where that cannot be read."""
    try:
        with storage.open_input(path) as source:
            moment: datetime | None = pc.max(pq.read_table(source, columns=["landed_at"])["landed_at"]).as_py()
    except (OSError, pa.ArrowException):
        return None
    return moment


def _once(there: Mapping[_Place, _RawFile]) -> dict[_Place, _RawFile]:
    """Choose files so that everything that landed is in them, and in one alone where that can be.

    Files that were merged lie beside the one that they were merged into for a while, and a process that died while
    merging leaves a file that overlaps with others.
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
            if not file.names <= covered:  # better counted twice than not at all
                kept[place] = file
                covered |= file.names
    return kept


def _next(left: Mapping[_Place, _RawFile]) -> _Place:
    """Return a file that has what no other has, else the one that has the most."""
    times = Counter(name for file in left.values() for name in file.names)
    for place, file in left.items():
        if any(times[name] == 1 for name in file.names):
            return place
    return max(left, key=lambda place: (len(left[place].names), place))


def _count(day: LandedDay, files: Mapping[_Place, _RawFile]) -> None:
    recount(day, {place: (file.known, file.names) for place, file in files.items()})


def repair_landed(storage: Storage, landed: Landed, files: Iterable[StoredFile]) -> Counted:
    """Let a landing log count what is there, as it is; days of which nothing is left go from it."""
    sizes = {file.path: file.size for file in files}
    counted = Counted(landed)
    for day, known in sorted(landed.days.items()):
        before = {
            (name, kind): file for kind in (raw.CALLS, raw.REJECTED) for name, file in raw.counted(known, kind).items()
        }
        after: dict[_Place, _RawFile] = {}
        for name, kind in before:
            path = layout.raw_file(kind, day, name)
            found = _raw_file(storage, path, sizes[path]) if path in sizes else None
            if found is not None:
                after[name, kind] = found
            else:
                (counted.unreadable if path in sizes else counted.gone).append(path)
        changed = {place: file.known for place, file in after.items() if file.known != before[place]}
        if len(after) < len(before):
            _count(known, after)
        for (name, kind), file in sorted(changed.items(), key=lambda one: one[0]):
            raw.count(known, kind, name, file)  # once more: the digest has to move on for the day to be built again
            counted.changed.append(layout.raw_file(kind, day, name))
    landed.days = {day: known for day, known in landed.days.items() if known.calls or known.rejected}
    return counted


def manifest_from_versions(storage: Storage, landed: Landed, shaping: Shaping, catalog: Path) -> Manifest:
    """Publish again what is complete and passed: each day's present version, else the one that the catalog names.

    The generation is above the catalog's, so that the catalog is made again.
    """
    manifest = Manifest(generation=(read_generation(catalog) or 0) + 1, committed_at=state.now())
    shown = _versions_of(catalog)
    for day in sorted(landed.days.keys() | shown.keys()):
        current = fingerprint(landed, day, shaping)
        for version in (current, shown.get(day)):
            audit = read_audit(storage, day, version) if version else None
            if version and audit and audit.passed:
                manifest.days[day] = PublishedDay(
                    version=version,
                    published_at=state.now(),
                    rows=audit.rows,
                    bytes=audit.bytes,
                    shaping=shaping_digest(shaping) if version == current else "",
                )
                break
    return manifest


def _versions_of(catalog: Path) -> dict[date, str]:
    """Return the version of each day that the catalog shows, as far as there is a catalog to read."""
    with suppress(duckdb.Error), open_catalog(catalog) as connection:
        return dict(connection.execute("SELECT call_date, version FROM _days").fetchall())
    return {}


def has_complete_versions(storage: Storage) -> bool:
    """Say whether any version of any day was built to its end."""
    return any(file.path.endswith(f"/{layout.AUDIT}") for file in storage.list("days"))
