"""Lakes for tests: payloads landed as landing would, built through the real build, read back as rows."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.dictionary import TABLES
from pipelines.lake import identity, layout, raw, state
from pipelines.lake.versions import Audit
from pipelines.materialize.day import VersionBuilder, plan_builds
from pipelines.materialize.days import build_days
from pipelines.settings import Settings
from pipelines.workspace import Workspace, open_workspace
from tests.oracle.items import Version
from tests.oracle.rows import Shaping
from tests.oracle.tables import call_date, usable_call_id
from tests.support.generated_calls import History
from tests.support.simulated import START, small_world

PII_KEY = "a key for tests only"
FIRST_LANDING = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHAPING = Shaping(pii_key=PII_KEY.encode())
"""The settings that `workspace` builds with by default."""
Rows = dict[str, list[dict[str, Any]]]


def workspace(folder: Path, **settings: Any) -> Workspace:
    """Open a lake below a folder, with a PII key that is the same in every test."""
    given = {"lake": str(folder), "pii_key": PII_KEY, **settings}
    opened = open_workspace(Settings(_env_file=None, **given))
    identity.require_same_settings(opened.storage, opened.table_settings)
    return opened


def oracle_shaping(opened: Workspace) -> Shaping:
    """Return the same settings as the independent computation takes them."""
    settings = opened.settings
    return Shaping(timezone=settings.timezone, pii=settings.pii, pii_key=PII_KEY.encode())


def place(payloads: Iterable[str], landed_at: datetime = FIRST_LANDING) -> dict[date, list[Version]]:
    """Give each payload, one a call, to its day; each must be one that can be placed."""
    days: dict[date, list[Version]] = defaultdict(list)
    for payload in payloads:
        day = call_date(payload)
        assert day is not None
        days[day].append(Version(call_id=usable_call_id(payload), payload=payload, landed_at=landed_at))
    return dict(days)


def land(opened: Workspace, days: dict[date, list[Version]], kind: str = raw.CALLS, name: str = "file") -> None:
    """Write versions to raw, one file a day, and count them."""
    kept = state.load_landed(opened.storage)
    for day, versions in days.items():
        table = _raw_rows(versions)
        landed = kept.value.days.setdefault(day, state.LandedDay())
        raw.add_file(landed, kind, name, raw.write_versions(opened.storage, kind, day, table, name))
    kept.value.newest_landed_at = FIRST_LANDING + timedelta(days=1)
    state.commit(opened.storage, kept)


def _raw_rows(versions: Sequence[Version]) -> pa.Table:
    hashes = [
        hashlib.sha256(version.payload.encode()).hexdigest()
        if version.payload is not None
        else raw.MOVED
        if version.moved
        else raw.DELETED
        for version in versions
    ]
    return pa.table(
        {
            "call_id": pa.array([version.call_id for version in versions], pa.string()),
            "landed_at": pa.array([version.landed_at for version in versions], pa.timestamp("us", "UTC")),
            "sync_id": pa.array(["test"] * len(versions), pa.string()),
            "payload_hash": pa.array(hashes, pa.string()),
            "deleted": pa.array([version.payload is None for version in versions], pa.bool_()),
            "payload": pa.array([version.payload for version in versions], pa.string()),
        }
    )


def published_rows(opened: Workspace, day: date) -> Rows:
    """Return the rows of all tables of a published day."""
    return version_rows(opened, day, state.load_manifest(opened.storage).value.days[day].version)


def example_lake(folder: Path) -> None:
    """Make a small published lake of simulated calls, and one whose fields are wrong."""
    opened = workspace(folder)
    strange = {"id": "strange", "status": "paused", "createdAt": START.isoformat(), "cost": "much"}
    strange["transcript"] = [{"role": "narrator", "content": "Once upon a time"}]
    days = place([item.decode() for item in small_world().items(START)] + [json.dumps(strange)])
    land(opened, days)
    for day in days:  # a day alone is built in this process
        build_days(opened, [day])


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
