"""Compare built days and the extraction with the published history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake.state import load_landed
from pipelines.lake.tables import VersionTables
from pipelines.materialize.days import days_to_build
from pipelines.quality import thresholds
from pipelines.quality.anomalies import (
    DAILY_ANOMALY_CHECKS,
    AnomalyResult,
    DayMetrics,
    check_full_scan,
    check_recent_call_volume,
    check_rejected_items,
)
from pipelines.workspace import Workspace

_MART = TABLES["call_metrics_daily"]
_SUMS = tuple(figure.name for figure in fields(DayMetrics) if figure.name in _MART.names)
_WORDS_OF = r"\.(status|transferStatus)$"

EXTRACT_ANOMALY_CHECKS: Mapping[str, str] = {
    "last_full_scan_complete": "The last full scan saw every page.",
    "no_rejected_items": f"No item of the last {thresholds.RECENT_DAYS} days was rejected.",
    "recent_call_volume_normal": (
        f"None of the last {thresholds.RECENT_DAYS} days has far fewer calls than its weekday usually has, or none."
    ),
}
"""The anomaly checks of the extraction, each with its rule."""


def daily_anomalies(
    workspace: Workspace, versions: Mapping[date, str], today: date
) -> dict[date, dict[str, AnomalyResult]]:
    """Run every daily anomaly check on versions of which all tables are written.

    Returns:
        By day the findings by the name of the check.
    """
    if not versions:
        return {}
    history = _published(workspace.settings.catalog_path, min(versions), max(versions))
    found = {}
    for day, version in versions.items():
        figures = replace(_of_version(VersionTables(workspace.storage, day, version)), is_over=day < today)
        found[day] = {check.name: check.evaluate(day, figures, history) for check in DAILY_ANOMALY_CHECKS}
    return found


def extract_anomalies(workspace: Workspace, today: date) -> dict[str, AnomalyResult]:
    """Run every check of `EXTRACT_ANOMALY_CHECKS` on what has landed and is published now."""
    from pipelines.serve.status import recorded_scans  # noqa: PLC0415 - imports DuckDB, which loading definitions must not wait for

    waiting = days_to_build(workspace)  # first: what is built meanwhile is then checked after the next extract
    history = _published(workspace.settings.catalog_path, today, today)
    landed = load_landed(workspace.storage).value
    rejected = {day: sum(file.rows for file in known.rejected.values()) for day, known in landed.days.items()}
    full = next((scan for scan in recorded_scans(workspace.storage) if scan["mode"] == "full"), None)
    return {
        "last_full_scan_complete": check_full_scan((full["started_at"], full["complete"]) if full else None),
        "no_rejected_items": check_rejected_items(rejected, today),
        "recent_call_volume_normal": check_recent_call_volume(history, today, waiting),
    }


def _of_version(tables: VersionTables) -> DayMetrics:
    sums = tables.frame(_MART.name, _SUMS).select(map(_sum, _SUMS))
    issues = tables.frame("data_issues", ["kind", "path"])
    words = issues.filter(pl.col("kind") == "unknown_value", pl.col("path").str.contains(_WORDS_OF))
    return DayMetrics(**sums.row(0, named=True), unknown_words=words.height)


def _sum(name: str) -> pl.Expr:
    """Sum a column; null where it can be null and has no value, as in SQL."""
    known = pl.lit(value=True) if not _MART.column(name).nullable else pl.col(name).count() > 0
    return pl.when(known).then(pl.col(name).sum()).alias(name)


def _published(catalog: Path, first: date, last: date) -> dict[date, DayMetrics]:
    """Return the figures of the published days that a range of days is compared with; none without a catalog."""
    from pipelines.serve.query import run_query  # noqa: PLC0415 - imports DuckDB, which loading definitions must not wait for

    back = timedelta(days=max(thresholds.HISTORY_DAYS, 7 * thresholds.WEEKS + thresholds.RECENT_DAYS))
    sums = (f"CAST(sum({name}) AS {_MART.column(name).type.sql})" for name in _SUMS)
    sql = (
        f"SELECT call_date, {', '.join(sums)} "  # noqa: S608 - own names and days
        f"FROM {_MART.name} WHERE call_date BETWEEN DATE '{first - back}' AND DATE '{last}' GROUP BY call_date"
    )
    try:
        with run_query(catalog, sql) as found:
            return {day: DayMetrics(**dict(zip(_SUMS, sums, strict=True))) for day, *sums in found.rows}
    except ChorusCallsError:
        return {}
