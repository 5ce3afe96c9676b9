"""Programs that work on a model lake: the product's own functions in the product's order, over small stub tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipelines.dictionary import CORE_TABLES, MARTS
from pipelines.extract.http.client import Page
from pipelines.extract.landing.landing import Landing
from pipelines.extract.sync import sync
from pipelines.lake import disk, identity, layout, publish, raw, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance import compaction
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import Build, Published, drop_plan, read_plan, write_plan
from pipelines.lake.state import Landed, LandedDay, TableSettings
from pipelines.lake.storage import Storage
from pipelines.lake.versions import Audit, CheckRecord, read_audit, write_audit
from pipelines.materialize import days, processes
from pipelines.materialize.day import plan_builds
from tests.support.lake_model import ModelledLake, pause, program

BAD = "bad"
"""What a call says that lets the checks of its day fail."""


class StubBuilder:
    """Replaces VersionBuilder: reads raw as it does, writes what each call says, and fails a day with a bad call."""

    def __init__(self, storage: Storage, _: object, landed: Landed) -> None:
        self._storage = storage
        self._landed = landed.days

    def build(self, day: date, version: str) -> Audit:
        self.core(day, version)
        marts(self._storage, day, version)
        return audit(self._storage, day, version)

    def core(self, day: date, version: str) -> None:
        """Write the core tables; like the product's they need raw of the day before too."""
        before = day - timedelta(days=1)
        _landed_calls(self._storage, before, self._landed.get(before))
        calls = _landed_calls(self._storage, day, self._landed.get(day))
        for table in CORE_TABLES:
            _write(self._storage, day, version, table, calls if table == "calls" else {})


def marts(storage: Storage, day: date, version: str) -> None:
    """Write the marts of a version whose core tables are written."""
    assert calls_of(storage, day, version)
    for table in MARTS:
        _write(storage, day, version, table, {})


def audit(storage: Storage, day: date, version: str) -> Audit:
    """Audit a version that is written."""
    calls = calls_of(storage, day, version)
    tables: Any = SimpleNamespace(rows=lambda table: len(calls) if table == "calls" else 0)
    verdict = CheckRecord("words", "calls", passed=BAD not in calls.values())
    return write_audit(storage, day, version, 1, [verdict], tables=tables)


def calls_of(storage: Storage, day: date, version: str) -> dict[str, str]:
    """Return what the calls of a version say."""
    with storage.open_input(layout.table_file(day, version, "calls")) as file:
        found: dict[str, str] = json.loads(file.read())
    return found


def _write(storage: Storage, day: date, version: str, table: str, calls: Mapping[str, str]) -> None:
    with storage.create(layout.table_file(day, version, table), read_only=True) as stream:
        stream.write(json.dumps({"table": table} if table != "calls" else calls).encode())


def _landed_calls(storage: Storage, day: date, landed: LandedDay | None) -> dict[str, str]:
    rows = _raw_rows(storage, day, landed)
    return {call_id: json.loads(payload)["summary"] for _, call_id, _, payload in rows}


def _raw_rows(storage: Storage, day: date, landed: LandedDay | None) -> list[tuple[datetime, str, str, str]]:
    """Read what counts of a day: moment, call, hash and payload of each version, the newest last."""
    rows: list[tuple[datetime, str, str, str]] = []
    for name in sorted(landed.calls) if landed else []:
        path = layout.raw_file(raw.CALLS, day, name)
        with storage.open_input(path):  # it has to be there, though what it holds is known once it was read
            rows += _raw_file(storage.address(path))
    return sorted(rows)


@lru_cache(maxsize=1000)
def _raw_file(path: str) -> list[tuple[datetime, str, str, str]]:
    columns = ["landed_at", "call_id", "payload_hash", "payload"]
    return [tuple(row.values()) for row in pq.read_table(path, columns=columns).to_pylist()]


def known_versions(storage: Storage, day: date, landed: LandedDay | None, kind: str = raw.CALLS) -> pl.DataFrame:
    """Replace the function of raw of that name, which is slow for a few rows."""
    newest = {row[1]: row for row in _raw_rows(storage, day, landed)} if kind == raw.CALLS else {}
    columns = {"call_id": list(newest), "payload_hash": [row[2] for row in newest.values()]}
    return pl.DataFrame({**columns, "deleted": [False] * len(newest)})


def payloads(storage: Storage, day: date, landed: LandedDay, call_ids: Sequence[str]) -> dict[str, str]:
    """Replace the function of raw of that name."""
    return {row[1]: row[3] for row in _raw_rows(storage, day, landed) if row[1] in call_ids}


class Listing:
    """A list of calls that changes, in place of the API."""

    def __init__(self) -> None:
        self.requests = self.retries = 0
        self._calls: dict[str, tuple[date, str]] = {}

    def say(self, day: date, call_id: str, text: str) -> None:
        """Add a call, or change what it says."""
        self._calls[call_id] = (day, text)

    def days(self) -> dict[date, dict[str, str]]:
        """Return what each call of each day says."""
        found: dict[date, dict[str, str]] = {}
        for call_id, (day, text) in self._calls.items():
            found.setdefault(day, {})[call_id] = text
        return found

    def page(self, offset: int, limit: int) -> Page:
        """Answer as the client of the API does."""
        pause("page")
        newest = sorted(self._calls.items(), key=lambda call: (call[1][0], call[0]), reverse=True)
        items = [
            json.dumps({"id": call_id, "createdAt": f"{day}T10:00:00Z", "summary": text}).encode()
            for call_id, (day, text) in newest
        ]
        return Page(offset, items[offset : offset + limit], len(items), None)


def publishing(storage: Storage, settings: TableSettings, builds: Mapping[date, Build], *rest: object) -> Published:
    """Publish, after recording for the model what the builds started from."""
    program().bases = {day: build.base for day, build in builds.items()}
    return publish.publish(storage, settings, builds, *rest)


def replace_slow_parts(patch: pytest.MonkeyPatch, lake: ModelledLake) -> None:
    """Let the product work with the model's clock, small tables, no second process and no waiting for the disk."""
    patch.setattr(state, "now", lambda: lake.now)
    patch.setitem(Landing.__init__.__kwdefaults__, "clock", lambda: lake.now)
    patch.setattr(disk, "sync", lambda _: None)
    patch.setattr(disk, "sync_folder", lambda _: None)
    patch.setattr(processes, "_processors", lambda: 1)
    patch.setattr(processes, "VersionBuilder", StubBuilder)
    patch.setattr(days, "publish", publishing)
    patch.setattr(days, "BATCH", 2)
    patch.setattr(raw, "known_versions", known_versions)
    patch.setattr(raw, "payloads", payloads)
    patch.setattr(compaction, "MANY", 3)
    patch.setattr("pipelines.extract.sync.record_scan", lambda *_: None)


def land(lake: ModelledLake, api: Listing) -> None:
    """Do as `chorus-calls sync --full --no-build` does."""
    workspace = lake.workspace()
    identity.require_same_settings(workspace.storage, workspace.table_settings)
    sync(workspace.storage, api, start_date=date(2026, 1, 1), full=True)


def publish_only(lake: ModelledLake, builds: Mapping[date, Build]) -> None:
    """Publish what is built."""
    workspace = lake.workspace()
    with workspace.storage.lock("lake", shared=True):
        publishing(workspace.storage, workspace.table_settings, builds, workspace.catalog)


def command_sync(lake: ModelledLake, api: Listing, *, full: bool = False) -> None:
    """Do as `chorus-calls sync` does."""
    workspace = lake.workspace()
    identity.require_same_settings(workspace.storage, workspace.table_settings)
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    sync(workspace.storage, api, start_date=date(2026, 1, 1), full=full)
    days.build_days(workspace, days.days_to_build(workspace))


def command_build(lake: ModelledLake, settings: TableSettings, *, accept: bool = False) -> None:
    """Do as `chorus-calls build` does."""
    workspace = lake.workspace(settings)
    identity.require_same_settings(workspace.storage, workspace.table_settings, accept=accept)
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    days.build_days(workspace, days.days_to_build(workspace))


def tick(lake: ModelledLake) -> None:
    """Do as the sensor does, except for its reports to Dagster."""
    identity.require_same_settings(lake.storage, lake.settings)
    clean_up(lake)


def clean_up(lake: ModelledLake) -> None:
    """Reconcile the lake, and expire versions."""
    workspace = lake.workspace()
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)


def dagster_run(lake: ModelledLake, run: str) -> None:
    """Do as a run of `build_days` does: step by step, without a lock in between, by a plan fixed in the first step."""
    workspace = lake.workspace()
    storage = workspace.storage
    identity.require_same_settings(storage, workspace.table_settings)
    with storage.lock("lake", shared=True):
        manifest = state.load_manifest(storage).value
        landed = state.load_landed(storage).value
        builds = plan_builds(workspace, sorted(landed.days), manifest, landed)
        write_plan(storage, run, builds)
        for day, build in builds.items():
            if read_audit(storage, day, build.version) is None:
                StubBuilder(storage, None, landed).core(day, build.version)
    later_steps(lake, run)


def later_steps(lake: ModelledLake, run: str) -> None:
    """Do what comes after a run's first step, also where another run takes up one that failed."""
    workspace = lake.workspace()
    storage = workspace.storage
    for step in (marts, audit):
        with storage.lock("lake", shared=True):
            for day, build in (read_plan(storage, run) or {}).items():
                if read_audit(storage, day, build.version) is None:
                    step(storage, day, build.version)
    builds = read_plan(storage, run) or {}
    with storage.lock("lake", shared=True):
        result = publishing(storage, workspace.table_settings, builds, workspace.catalog)
    if not result.refused:
        drop_plan(storage, run)


def began(lake: ModelledLake, run: str) -> bool:
    """Say whether a run has done its first step, so that it can be taken up after it."""
    here = LocalStorage(lake.root)
    files = [
        layout.table_file(day, build.version, table)
        for day, build in (read_plan(here, run) or {}).items()
        for table in CORE_TABLES
    ]
    return bool(files) and all(here.size(file) is not None for file in files)
