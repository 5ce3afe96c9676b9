"""Compact raw: merge a day's small files, which hourly syncs leave by the dozen, so that a day stays quick to read.

All rows and the day's digest stay the same, so no day turns stale. The merged files only leave the landing log;
they are removed later, since a running build may have planned with them.
"""

from __future__ import annotations

import logging
import secrets
from datetime import date

import pyarrow as pa

from pipelines.lake import raw, state
from pipelines.lake.state import Landed, LandedFile, Stored
from pipelines.lake.storage import Storage

SMALL = 16_000_000
"""A raw file of fewer bytes is small."""
MANY = 8
"""The number of small files of a day and kind from which they are merged."""
BUDGET = 32_000_000
"""Bytes of unpacked rows that are merged at once, unless two files alone have more; the next sync merges the rest."""
DAYS_AT_ONCE = 31
"""The number of days and kinds whose files are merged in one sync."""

_LOG = logging.getLogger(__name__)
_EXPECTED_ERRORS = (OSError, pa.ArrowException)


def compact(storage: Storage, landed: Stored[Landed]) -> list[tuple[date, str]]:
    """Merge the small raw files of days that have many of them, and commit the merged ones in their place.

    A day whose files cannot be read or written, as on a full disk, stays as it is. That costs only speed, so it is
    logged and left to the next sync.
    The caller holds the locks of a sync.

    Returns:
        The days and kinds of files that were merged.
    """
    merged: list[tuple[date, str]] = []
    for day, kind in _due(landed.value):
        try:
            _merge(storage, landed.value, day, kind)
            merged.append((day, kind))
        except _EXPECTED_ERRORS as error:
            _LOG.warning("Raw files of %s stay unmerged until the next sync: %s", day, error)
    if merged:
        try:
            state.commit(storage, landed)
        except _EXPECTED_ERRORS as error:
            _LOG.warning("Raw files stay unmerged until the next sync: %s", error)
            return []
    return merged


def _due(landed: Landed) -> list[tuple[date, str]]:
    """Return the days and kinds with many small files, those with the most first."""
    numbers = {
        (day, kind): len(_small(raw.files_of(landed.days[day], kind)))
        for day in landed.days
        for kind in (raw.CALLS, raw.REJECTED)
    }
    due = [place for place, number in numbers.items() if number >= MANY]
    return sorted(due, key=lambda place: (-numbers[place], place))[:DAYS_AT_ONCE]


def _small(files: dict[str, LandedFile]) -> list[str]:
    """Return the names of the small files, newest first."""
    return sorted((name for name, file in files.items() if file.bytes < SMALL), reverse=True)


def _merge(storage: Storage, landed: Landed, day: date, kind: str) -> None:
    """Merge small files of a day into one, which replaces them in the landing log and keeps the day's digest."""
    files = raw.files_of(landed.days[day], kind)
    merged: dict[str, pa.Table] = {}
    size = 0
    # From the newest back, so that a large old file is not rewritten for each new one.
    for name in _small(files):
        rows = raw.read_file(storage, kind, day, name)
        size += rows.nbytes
        if size > BUDGET and len(merged) > 1:
            break
        merged[name] = rows
    names = sorted(merged)
    # Its name sorts after the merged files, and before what landed after them.
    name = f"{names[-1].partition('-')[0]}-compact-{secrets.token_hex(4)}"
    versions = pa.concat_tables(merged[old] for old in names)
    landed_names = [origin for old in names for origin in raw.landed_names(merged[old].schema, old)]
    file = raw.write_versions(storage, kind, day, versions, name, merged=landed_names)
    for old in names:
        del files[old]
    files[name] = file
