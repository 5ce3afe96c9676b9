"""Where everything lies below the lake's root."""

from __future__ import annotations

from datetime import date

MANIFEST = "manifest.json"
LAKE = "state/lake.json"
LANDED = "state/landed.json"
SCAN = "state/scan.json"
SCANS = "state/scans.parquet"
PII_KEY = "state/pii_key"
CATALOG = "chorus.duckdb"
AUDIT = "_audit.json"


def raw_folder(kind: str, day: date) -> str:
    """Return the folder of a day's raw files; kind is `calls` or `rejected`."""
    return f"raw/{kind}/call_date={day}"


def day_folder(day: date) -> str:
    """Return the folder of all versions of a day."""
    return f"days/call_date={day}"


def version_folder(day: date, version: str) -> str:
    """Return the folder of one version of a day."""
    return f"{day_folder(day)}/{version}"


def table_file(day: date, version: str, table: str) -> str:
    """Return the file of one table in one version of a day."""
    return f"{version_folder(day, version)}/{table}.parquet"


def link_file(day: date, table: str) -> str:
    """Return the published file of a table and day once more, at its place for plain globs."""
    return f"{table}/call_date={day}/data.parquet"


def plan_file(run: str) -> str:
    """Return the file that says what a run is building."""
    return f"state/builds/{run}.json"
