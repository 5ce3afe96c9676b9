"""A day's version is the fingerprint of its inputs.

From it follow what is stale, what exists already and what may be published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.json_source import UNREADABLE
from pipelines.lake import layout
from pipelines.lake.state import Landed, Manifest, PublishedDay, ShapingRecord
from pipelines.lake.storage import Storage

if TYPE_CHECKING:
    from pipelines.lake.tables import VersionTables


@dataclass(frozen=True)
class Shaping:
    """What shapes tables beside the raw calls: some settings, and the version of the code that makes tables."""

    record: ShapingRecord
    table_version: int


class VerdictRecord(msgspec.Struct, frozen=True):
    """What one check found in one version of a day."""

    check: str
    table: str
    passed: bool
    rows: int = 0
    detail: str = ""


class Audit(msgspec.Struct, frozen=True):
    """_audit.json: sizes and rows of the files of a version, and what the checks found. Written last."""

    checks_version: int
    bytes: dict[str, int]
    rows: dict[str, int]
    verdicts: list[VerdictRecord]

    @property
    def passed(self) -> bool:
        """Say whether every check passed."""
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def failed(self) -> list[VerdictRecord]:
        """Return the verdicts of the checks that did not pass."""
        return [verdict for verdict in self.verdicts if not verdict.passed]


def fingerprint(landed: Landed, day: date, shaping: Shaping) -> str:
    """Return the version that a day's inputs give now: 24 hex digits.

    The day before belongs to the inputs, since a call of its may nest a leg that is an item of this day.
    """
    days = (landed.days.get(day), landed.days.get(day - timedelta(days=1)))
    text = msgspec.json.encode(
        [[known.digest if known else "" for known in days], shaping.table_version, shaping.record]
    )
    return hashlib.sha256(text).hexdigest()[:24]


def shaping_digest(shaping: Shaping) -> str:
    """Return a short hash of what shapes tables, to tell days that were built with other settings."""
    return hashlib.sha256(msgspec.json.encode([shaping.table_version, shaping.record])).hexdigest()[:12]


def stale_days(landed: Landed, manifest: Manifest, shaping: Shaping) -> list[date]:
    """Return the landed days whose published version is not the one their inputs give, oldest first."""
    return [
        day
        for day in sorted(landed.days)
        if (published := manifest.days.get(day)) is None or published.version != fingerprint(landed, day, shaping)
    ]


def damaged_days(storage: Storage, manifest: Manifest) -> set[date]:
    """Return the published days whose version is no longer there as a whole; building them again brings it back."""
    return {day for day, published in manifest.days.items() if _is_damaged(storage, day, published)}


def _is_damaged(storage: Storage, day: date, published: PublishedDay) -> bool:
    audit = f"{layout.version_folder(day, published.version)}/{layout.AUDIT}"
    return storage.size(audit) is None or not _are_whole(storage, day, published.version, published.bytes)


def _are_whole(storage: Storage, day: date, version: str, sizes: Mapping[str, int]) -> bool:
    """Whether the tables of a version are there as they were written."""
    return all(storage.size(layout.table_file(day, version, table)) == sizes.get(table) for table in TABLES)


def read_verdicts(storage: Storage, day: date, version: str) -> Audit | None:
    """Return what _audit.json of a version says, whatever became of its tables; None where it cannot be read."""
    raw = storage.read(f"{layout.version_folder(day, version)}/{layout.AUDIT}")
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Audit)
    except UNREADABLE:
        return None


def read_audit(storage: Storage, day: date, version: str) -> Audit | None:
    """Return what the checks found in a complete version; None where it is incomplete, or a file is not as written."""
    audit = read_verdicts(storage, day, version)
    return audit if audit is not None and _are_whole(storage, day, version, audit.bytes) else None


def write_audit(
    storage: Storage,
    day: date,
    version: str,
    checks_version: int,
    verdicts: Sequence[VerdictRecord],
    *,
    tables: VersionTables | None = None,
) -> Audit:
    """Say that a version is complete and what the checks found in it.

    Args:
        storage: The lake's files.
        day: The day.
        version: Its version.
        checks_version: Version of the checks.
        verdicts: What they found.
        tables: The version's tables, where they are open already.

    Raises:
        FileNotFoundError: A table's file is missing.
    """
    files = {table: layout.table_file(day, version, table) for table in TABLES}
    rows = {table: tables.rows(table) if tables else _rows(storage, file) for table, file in files.items()}
    sizes = {table: storage.size(file) or 0 for table, file in files.items()}
    audit = Audit(checks_version=checks_version, bytes=sizes, rows=rows, verdicts=list(verdicts))
    with storage.create(f"{layout.version_folder(day, version)}/{layout.AUDIT}", read_only=True) as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(audit), indent=1))
    return audit


def _rows(storage: Storage, file: str) -> int:
    with storage.open_input(file) as source:
        return int(pq.read_metadata(source).num_rows)
