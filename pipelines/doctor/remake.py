"""Lost state, made again from what it was about: the landing log from raw, the manifest from complete versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb

from pipelines.doctor.raw_files import Row, footer_rows, keys, parts_of
from pipelines.lake import layout, raw, state
from pipelines.lake.state import Landed, LandedDay, LandedFile, Manifest, PublishedDay
from pipelines.lake.storage import Storage, StoredFile
from pipelines.lake.versions import Shaping, fingerprint, read_audit
from pipelines.serve.catalog import open_catalog, read_generation


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


def landed_from_raw(storage: Storage, files: Iterable[StoredFile]) -> Counted:
    """Make the landing log from the raw files alone.

    Names tell when files landed, so counting in their order gives each day its digest again, unless files of it were
    merged since.
    """
    counted = Counted(Landed())
    days: dict[date, dict[tuple[str, str], tuple[LandedFile, set[Row]]]] = defaultdict(dict)
    newest: list[datetime] = []
    for file in files:
        with suppress(ValueError):  # what lies where no raw file lies is left alone
            day, kind, name = parts_of(file.path)
            rows = keys(storage, file.path)
            if rows is None:
                counted.unreadable.append(file.path)
                continue
            days[day][name, kind] = (LandedFile(rows=len(rows), bytes=file.size), rows)
            newest += [row[1] for row in rows if isinstance(row[1], datetime)][:1]
    for day, found in sorted(days.items()):
        _count(counted.landed.days.setdefault(day, LandedDay()), _without_merged(found))
    counted.landed.newest_landed_at = max(newest, default=None)
    return counted


def _without_merged(found: Mapping[tuple[str, str], tuple[LandedFile, set[Row]]]) -> dict[tuple[str, str], LandedFile]:
    """Leave out files all of whose rows are in a larger one: they were merged, and counting both would count twice."""
    kept: dict[tuple[str, str], LandedFile] = {}
    for (name, kind), (file, rows) in sorted(found.items(), key=lambda one: -one[1][0].rows):
        if not any(rows <= found[other][1] for other in kept if other[1] == kind):
            kept[name, kind] = file
    return kept


def _count(day: LandedDay, files: Mapping[tuple[str, str], LandedFile]) -> None:
    for (name, kind), file in sorted(files.items()):  # `calls` before `rejected`, as a flush counts them
        raw.count(day, kind, name, file)


def mend_landed(storage: Storage, landed: Landed, files: Iterable[StoredFile]) -> Counted:
    """Let a landing log count what is there, as it is; days of which nothing is left go from it."""
    sizes = {file.path: file.size for file in files}
    counted = Counted(landed)
    for day, known in sorted(landed.days.items()):
        before = {(name, kind): file for kind in (raw.CALLS, raw.REJECTED) for name, file in _of(known, kind).items()}
        after = {}
        for name, kind in before:
            path = layout.raw_file(kind, day, name)
            rows = footer_rows(storage, path) if path in sizes else None
            if rows is not None:
                after[name, kind] = LandedFile(rows=rows, bytes=sizes[path])
            else:
                (counted.unreadable if path in sizes else counted.gone).append(path)
        changed = {key: file for key, file in after.items() if file != before[key]}
        if len(after) < len(before):
            known.digest, known.calls, known.rejected = "", {}, {}
            _count(known, after)
        _count(known, changed)  # once more: the digest has to move on for the day to be built again
        counted.changed += [layout.raw_file(kind, day, name) for name, kind in changed]
    landed.days = {day: known for day, known in landed.days.items() if known.calls or known.rejected}
    return counted


def _of(day: LandedDay, kind: str) -> dict[str, LandedFile]:
    return day.calls if kind == raw.CALLS else day.rejected


def manifest_from_versions(storage: Storage, landed: Landed, shaping: Shaping, catalog: Path) -> Manifest:
    """Publish again what is complete and passed: each day's present version, else the one that the catalog names.

    The generation is above the catalog's, so that the catalog is made again.
    """
    manifest = Manifest(generation=(read_generation(catalog) or 0) + 1, committed_at=state.now())
    shown = _versions_of(catalog)
    for day in sorted(landed.days.keys() | shown.keys()):
        for version in (fingerprint(landed, day, shaping), shown.get(day)):
            audit = read_audit(storage, day, version) if version else None
            if version and audit and audit.passed:
                manifest.days[day] = PublishedDay(
                    version=version, published_at=state.now(), rows=audit.rows, bytes=audit.bytes
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
