"""The status of the lake: what has landed, what is published, what is pending; read from small files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.lake import layout, state
from pipelines.lake.identity import load_table_settings
from pipelines.lake.maintenance.retention import retention_floor
from pipelines.lake.names import shown_names
from pipelines.lake.state import Landed, LandedFile, Manifest, TableSettings
from pipelines.lake.storage import Storage
from pipelines.lake.versions import fingerprint, read_audit, settings_digest, stale_days
from pipelines.serve.freshness import newest_call
from pipelines.suppression.suppression_list import load_suppression_list


@dataclass(frozen=True)
class Span:
    """A number of days, with the first and the last."""

    days: int
    first: date | None
    last: date | None


@dataclass(frozen=True)
class LakeStatus:
    """The status of a lake.

    Attributes:
        landed: Days with landed calls or rejected items.
        retention_floor: First day that is kept; None if no day was ever pruned.
        landed_versions: Landed versions of calls; a call that changed has several.
        rejected_items: Items that could not be assigned to a day.
        newest_landed_at: When something last landed.
        under_old_settings: Published days that were built with other settings than the lake's, and so are stale.
        refused: Stale days that were built and did not pass, with the names of the failed checks.
        newest_call_at: When the newest published call was created; else, when it started.
        names: Number of known names of agents and of phone numbers.
        last_scan: The last scan as recorded; None before the first.
        last_full_scan: The last full scan as recorded; None before the first.
        erasure_pending: Whether an erasure is not finished.
    """

    landed: Span
    retention_floor: date | None
    landed_versions: int
    rejected_items: int
    newest_landed_at: datetime | None
    published: Span
    rows: dict[str, int]
    generation: int
    committed_at: datetime | None
    stale: list[date]
    under_old_settings: int
    refused: dict[date, list[str]]
    newest_call_at: datetime | None
    names: dict[str, int]
    last_scan: dict[str, Any] | None
    last_full_scan: dict[str, Any] | None
    erasure_pending: bool
    raw_bytes: int
    table_bytes: int


def lake_status(storage: Storage) -> LakeStatus:
    """Return the status of a lake; one that does not exist yet is empty."""
    landed = state.load_landed(storage).value
    manifest = state.load_manifest(storage).value
    settings = load_table_settings(storage)
    stale = stale_days(landed, manifest, settings) if settings else sorted(landed.days)
    calls = [file for day in landed.days.values() for file in day.calls.values()]
    rejected = [file for day in landed.days.values() for file in day.rejected.values()]
    scans = recorded_scans(storage)
    return LakeStatus(
        landed=_span(landed.days),
        retention_floor=retention_floor(storage),
        landed_versions=_rows(calls),
        rejected_items=_rows(rejected),
        newest_landed_at=landed.newest_landed_at,
        published=_span(manifest.days),
        rows={table: sum(day.rows.get(table, 0) for day in manifest.days.values()) for table in TABLES},
        generation=manifest.generation,
        committed_at=manifest.committed_at,
        stale=stale,
        under_old_settings=_under_old_settings(manifest, settings) if settings else 0,
        refused=_refused(storage, landed, settings, stale) if settings else {},
        newest_call_at=newest_call(storage, manifest),
        names={kind: len(names) for kind, names in shown_names(storage).items()},
        last_scan=next(iter(scans), None),
        last_full_scan=next((scan for scan in scans if scan["mode"] == "full"), None),
        erasure_pending=load_suppression_list(storage).pending is not None,
        raw_bytes=sum(file.bytes for file in calls + rejected),
        table_bytes=sum(sum(day.bytes.values()) for day in manifest.days.values()),
    )


def _span(days: Iterable[date]) -> Span:
    listed = sorted(days)
    return Span(len(listed), listed[0] if listed else None, listed[-1] if listed else None)


def _rows(files: Iterable[LandedFile]) -> int:
    return sum(file.rows for file in files)


def _under_old_settings(manifest: Manifest, settings: TableSettings) -> int:
    lakes = settings_digest(settings)
    return sum(day.settings_digest not in ("", lakes) for day in manifest.days.values())


def _refused(storage: Storage, landed: Landed, settings: TableSettings, stale: Iterable[date]) -> dict[date, list[str]]:
    """Which stale days were built from what has landed now, and what their checks said."""
    audits = ((day, read_audit(storage, day, fingerprint(landed, day, settings))) for day in stale)
    return {day: sorted({result.check for result in audit.failed}) for day, audit in audits if audit and audit.failed}


def recorded_scans(storage: Storage) -> list[dict[str, Any]]:
    """Return the recorded scans, the last one first."""
    if storage.size(layout.SCANS) is None:
        return []
    scans: list[dict[str, Any]] = pq.read_table(storage.open_input(layout.SCANS)).to_pylist()
    return sorted(scans, key=lambda scan: scan["started_at"], reverse=True)
