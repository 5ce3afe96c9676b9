"""Check raw: the files in the landing log must be undamaged, and there may be no others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from pathlib import PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.doctor.inspection import Area, Finding, Subject, is_locked
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, raw, state
from pipelines.lake.locks import SYNC
from pipelines.lake.state import Landed
from pipelines.lake.storage import Storage

_RESTORE: Final = (
    "Put it back from a backup; else run `chorus-calls doctor --repair`, then `chorus-calls sync --full`, "
    "which brings back what the API still has."
)


def raw_files(subject: Subject) -> Area:
    """Check the raw files."""
    landed = subject.landed.value
    if landed is None:
        if subject.landed.error or subject.landed_is_lost:
            return Area("raw", checked=False)
        return Area("raw", findings=[*orphan_files(subject, Landed())])
    days = len(landed.days)
    return Area(
        "raw",
        f"{days:,} days, {sum(1 for _ in raw.landed_files(landed)):,} files",
        [*changed(subject, landed), *orphan_files(subject, landed)],
    )


def changed(subject: Subject, landed: Landed) -> Iterator[Finding]:
    """Find files of the landing log that are missing, have another size, or cannot be read."""
    sizes = {file.path: file.size for file in subject.raw}
    for day, kind, name, known in raw.landed_files(landed):
        path = layout.raw_file(kind, day, name)
        if path not in sizes:
            yield Finding("raw_gone", f"{path} is in the landing log, but missing.", day, _RESTORE)
        elif sizes[path] != known.bytes:
            what = f"{path} has {sizes[path]:,} bytes; {known.bytes:,} have landed."
            yield Finding("raw_size", what, day, _RESTORE)
        elif (rows := footer_rows(subject.storage, path)) != known.rows:
            has = "cannot be read as Parquet" if rows is None else f"has {rows:,} rows; {known.rows:,} have landed"
            yield Finding("raw_unreadable", f"{path} {has}.", day, _RESTORE)


def orphan_files(subject: Subject, landed: Landed) -> Iterator[Finding]:
    """Find files that are not in the landing log, which a killed sync leaves; those of a running sync are left out."""
    paths = {layout.raw_file(kind, day, name) for day, kind, name, _ in raw.landed_files(landed)}
    extra = {
        file.path: parts
        for file in subject.raw
        if file.path not in paths and file.path.endswith(".parquet") and (parts := parts_of(file.path))
    }
    if not extra or is_locked(subject.storage, SYNC):
        return
    try:
        landed = state.load_landed(subject.storage).value  # a sync that has ended since may have added them
    except ChorusCallsError:
        return
    for path, (day, kind, name) in extra.items():
        files = raw.files_of(landed.days[day], kind) if day in landed.days else {}
        if name in files or subject.storage.size(path) is None:
            continue
        if not _is_spare(subject.storage, path, layout.raw_folder(kind, day), files):
            remedy = "Run `chorus-calls sync`, which removes it and lands again what was in it."
            yield Finding("raw_uncounted", f"{path} is not in the landing log.", day, remedy)


def parts_of(path: str) -> tuple[date, str, str] | None:
    """Return day, kind and name of a file in the folder of a day of raw; None for the path of any other file."""
    match path.split("/"):
        case [layout.RAW, kind, folder, file] if day := layout.day_of(folder):
            return day, kind, file.removesuffix(".parquet")
    return None


def _is_spare(storage: Storage, path: str, folder: str, listed: Collection[str]) -> bool:
    """Return whether the rows of a file are all in files of the landing log: merged files stay for their readers."""
    known: set[str] = set()
    for name in listed:
        known.update(landed_names(storage, f"{folder}/{name}.parquet") or ())
    names = landed_names(storage, path)
    return names is not None and known.issuperset(names)


def landed_names(storage: Storage, path: str) -> list[str] | None:
    """Return the names under which the rows of a raw file have landed; None if the file cannot be read."""
    try:
        with storage.open_input(path) as source:
            return raw.landed_names(pq.read_schema(source), PurePosixPath(path).stem)
    except (OSError, pa.ArrowException):
        return None


def footer_rows(storage: Storage, path: str) -> int | None:
    """Return how many rows a Parquet file has by its footer; None if it cannot be read."""
    try:
        with storage.open_input(path) as source:
            return int(pq.read_metadata(source).num_rows)
    except (OSError, pa.ArrowException):
        return None
