"""Lakes for tests: payloads landed as landing would, built through the real build, read back as rows."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.dictionary import TABLES
from pipelines.lake import identity, layout, raw, state
from pipelines.materialize.days import build_days
from pipelines.settings import Settings
from pipelines.workspace import Workspace, open_workspace
from tests.oracle.items import Version
from tests.oracle.rows import Shaping
from tests.oracle.tables import call_date, usable_call_id
from tests.support.simulated import START, small_world

PII_KEY = "a key for tests only"
FIRST_LANDING = datetime(2026, 6, 1, 12, tzinfo=UTC)


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
        raw.count(landed, kind, name, raw.write_versions(opened.storage, kind, day, table, name))
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


def published_rows(opened: Workspace, day: date) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables of a published day."""
    version = state.load_manifest(opened.storage).value.days[day].version
    root = Path(opened.storage.address())
    return {
        table: pl.read_parquet(root / layout.table_file(day, version, table), hive_partitioning=False).to_dicts()
        for table in TABLES
    }


def example_lake(folder: Path) -> None:
    """Make a small published lake of simulated calls, and one whose fields are wrong."""
    opened = workspace(folder)
    strange = {"id": "strange", "status": "paused", "createdAt": START.isoformat(), "cost": "much"}
    strange["transcript"] = [{"role": "narrator", "content": "Once upon a time"}]
    days = place([item.decode() for item in small_world().items(START)] + [json.dumps(strange)])
    land(opened, days)
    for day in days:  # a day alone is built in this process
        build_days(opened, [day])
