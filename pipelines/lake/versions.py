"""Name each version of a day by the fingerprint of its inputs.

From this follow which days are stale, which versions exist already and which may be published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.json_source import UNREADABLE
from pipelines.lake import layout
from pipelines.lake.state import Landed, Manifest, PublishedDay, TableSettings
from pipelines.lake.storage import Storage

if TYPE_CHECKING:
    from pipelines.lake.tables import VersionTables


class CheckRecord(msgspec.Struct, frozen=True):
    """The result of one check on one version of a day."""

    check: str
    table: str
    passed: bool
    rows: int = 0
    detail: str = ""


class Audit(msgspec.Struct, frozen=True):
    """_audit.json: sizes and rows of a version's files, and the results of the checks. Written last."""

    checks_version: int
    bytes: dict[str, int]
    rows: dict[str, int]
    results: list[CheckRecord] = msgspec.field(name="verdicts")

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(result.passed for result in self.results)

    @property
    def failed(self) -> list[CheckRecord]:
        """The results of the checks that did not pass."""
        return [result for result in self.results if not result.passed]


def fingerprint(landed: Landed, day: date, settings: TableSettings) -> str:
    """Return the version that a day's inputs give now: 24 hex digits.

    The day before is an input too: one of its calls may nest a leg that is an item of this day.
    """
    days = (landed.days.get(day), landed.days.get(day - timedelta(days=1)))
    text = msgspec.json.encode(
        [[known.digest if known else "" for known in days], settings.table_version, settings.shaping]
    )
    return hashlib.sha256(text).hexdigest()[:24]


def settings_digest(settings: TableSettings) -> str:
    """Return a short hash of table settings, to recognize days that were built with others."""
    return hashlib.sha256(msgspec.json.encode([settings.table_version, settings.shaping])).hexdigest()[:12]


def stale_days(landed: Landed, manifest: Manifest, settings: TableSettings) -> list[date]:
    """Return the landed days whose published version is not the one their inputs give, oldest first."""
    return [
        day
        for day in sorted(landed.days)
        if (published := manifest.days.get(day)) is None or published.version != fingerprint(landed, day, settings)
    ]


def damaged_days(storage: Storage, manifest: Manifest) -> set[date]:
    """Return the published days whose files are missing or have another size; a new build restores them."""
    return {day for day, published in manifest.days.items() if _is_damaged(storage, day, published)}


def _is_damaged(storage: Storage, day: date, published: PublishedDay) -> bool:
    audit = f"{layout.version_folder(day, published.version)}/{layout.AUDIT}"
    return storage.size(audit) is None or not _are_whole(storage, day, published.version, published.bytes)


def _are_whole(storage: Storage, day: date, version: str, sizes: Mapping[str, int]) -> bool:
    """Return whether every table file of a version has the size it was written with."""
    return all(storage.size(layout.table_file(day, version, table)) == sizes.get(table) for table in TABLES)


def read_audit_file(storage: Storage, day: date, version: str) -> Audit | None:
    """Read _audit.json of a version, whatever became of its tables; None if it cannot be read."""
    raw = storage.read(f"{layout.version_folder(day, version)}/{layout.AUDIT}")
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Audit)
    except UNREADABLE:
        return None


def read_audit(storage: Storage, day: date, version: str) -> Audit | None:
    """Read _audit.json of a complete version; None if a file is missing or has another size."""
    audit = read_audit_file(storage, day, version)
    return audit if audit is not None and _are_whole(storage, day, version, audit.bytes) else None


def write_audit(
    storage: Storage,
    day: date,
    version: str,
    checks_version: int,
    results: Sequence[CheckRecord],
    *,
    tables: VersionTables | None = None,
) -> Audit:
    """Mark a version as complete, with the results of its checks.

    Args:
        storage: The lake's files.
        day: The day.
        version: Its version.
        checks_version: Version of the checks.
        results: Their results.
        tables: The version's tables, if they are open already.

    Raises:
        FileNotFoundError: A table's file is missing.
    """
    files = {table: layout.table_file(day, version, table) for table in TABLES}
    rows = {table: tables.rows(table) if tables else _rows(storage, file) for table, file in files.items()}
    sizes = {table: storage.size(file) or 0 for table, file in files.items()}
    audit = Audit(checks_version=checks_version, bytes=sizes, rows=rows, results=list(results))
    with storage.create(f"{layout.version_folder(day, version)}/{layout.AUDIT}", read_only=True) as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(audit), indent=1))
    return audit


def _rows(storage: Storage, file: str) -> int:
    with storage.open_input(file) as source:
        return int(pq.read_metadata(source).num_rows)
