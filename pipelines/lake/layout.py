"""The paths of all files below the lake's root."""

from __future__ import annotations

from datetime import date

MANIFEST = "manifest.json"
LAKE = "state/lake.json"
LANDED = "state/landed.json"
SCAN = "state/scan.json"
SCANS = "state/scans.parquet"
ERASED = "state/erased.json"
NAMES = "state/names.json"
PII_KEY = "state/pii_key"
CATALOG = "chorus.duckdb"
AUDIT = "_audit.json"
DAYS = "days"
RAW = "raw"
PLANS = "state/builds"


def raw_folder(kind: str, day: date) -> str:
    """Return the folder of a day's raw files; kind is `calls` or `rejected`."""
    return f"{RAW}/{kind}/call_date={day}"


def raw_file(kind: str, day: date, name: str) -> str:
    """Return the path of a raw file; the name has no file extension."""
    return f"{raw_folder(kind, day)}/{name}.parquet"


def day_folder(day: date) -> str:
    """Return the folder of all versions of a day."""
    return f"{DAYS}/call_date={day}"


def version_folder(day: date, version: str) -> str:
    """Return the folder of one version of a day."""
    return f"{day_folder(day)}/{version}"


def table_file(day: date, version: str, table: str) -> str:
    """Return the file of one table in one version of a day."""
    return table_in(version_folder(day, version), table)


def table_in(folder: str, table: str) -> str:
    """Return the file of one table in the folder of a version."""
    return f"{folder}/{table}.parquet"


def link_file(day: date, table: str) -> str:
    """Return the link to the published file of a table and day, which plain globs find."""
    return f"{table}/call_date={day}/data.parquet"


def day_of(folder: str) -> date | None:
    """Return the day of a folder such as `call_date=2026-01-31`, None for any other folder."""
    name, _, value = folder.partition("=")
    try:
        return date.fromisoformat(value) if name == "call_date" else None
    except ValueError:
        return None


def plan_file(run: str) -> str:
    """Return the file that holds the plan of a Dagster run."""
    return f"{PLANS}/{run}.json"
