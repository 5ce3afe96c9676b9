"""Histories landed and built by the real raw layer and the real build, read back as rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.lake import layout, raw, state
from pipelines.lake.versions import Audit
from pipelines.materialize.day import VersionBuilder, plan_builds
from pipelines.workspace import Workspace
from tests.oracle.items import Version
from tests.oracle.rows import Shaping
from tests.support.histories import History
from tests.support.lakes import PII_KEY, land, workspace

Rows = dict[str, list[dict[str, Any]]]

SHAPING = Shaping(pii_key=PII_KEY.encode())
"""What `workspace` builds with where a test says nothing else."""


@contextmanager
def lake_of(history: History, shaping: Shaping = SHAPING, *, files: int = 2) -> Iterator[Workspace]:
    """Give a lake in a temporary folder in which a history has landed, each day in several files.

    Args:
        history: What was received.
        shaping: The settings that shape tables.
        files: How many raw files a day's versions are dealt out to.
    """
    settings = {"timezone": shaping.timezone, "pii": shaping.pii, "pii_key": shaping.pii_key.decode()}
    with tempfile.TemporaryDirectory() as folder:
        opened = workspace(Path(folder) / "lake", **settings)
        for number in range(files):
            _land(opened, history.versions, raw.CALLS, number, files)
        _land(opened, history.rejected, raw.REJECTED, 0, 1)
        yield opened


def _land(opened: Workspace, days: Mapping[date, list[Version]], kind: str, number: int, files: int) -> None:
    dealt = {day: versions[number::files] for day, versions in days.items()}
    land(opened, {day: versions for day, versions in dealt.items() if versions}, kind, f"file{number}")


def build(opened: Workspace, days: list[date]) -> dict[date, Rows]:
    """Build the days in this process, without publishing them, and return their rows; every check must pass."""
    landed = state.load_landed(opened.storage).value
    builder, found = VersionBuilder(opened.storage, opened.flatten_settings, landed), {}
    for day, planned in plan_builds(opened, days, state.Manifest(), landed).items():
        audit: Audit = builder.build(day, planned.version)
        assert audit.passed, (day, audit.failed)
        found[day] = version_rows(opened, day, planned.version)
    return found


def version_rows(opened: Workspace, day: date, version: str) -> Rows:
    """Return the rows of all tables of one version of a day."""
    root = Path(opened.storage.address())
    return {
        table: pl.read_parquet(root / layout.table_file(day, version, table), hive_partitioning=False).to_dicts()
        for table in TABLES
    }


def tables_of(history: History, shaping: Shaping = SHAPING) -> dict[date, Rows]:
    """Return the rows of every day of a history, as the engine makes them."""
    with lake_of(history, shaping) as opened:
        return build(opened, history.days)
