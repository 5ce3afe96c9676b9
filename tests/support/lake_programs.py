"""The programs that work on a modelled lake: the product's own functions in the product's order, over small tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

import pytest

from pipelines.dictionary import CORE_TABLES
from pipelines.extract.http.client import Page
from pipelines.extract.landing.landing import Landing
from pipelines.extract.sync import sync
from pipelines.lake import disk, identity, layout, publish, raw, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance import compaction
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import Build, Published, drop_plan, read_plan, write_plan
from pipelines.lake.state import TableSettings
from pipelines.lake.storage import Storage
from pipelines.lake.versions import read_audit
from pipelines.materialize import days, processes
from pipelines.materialize.day import plan_builds
from tests.support import small_builder
from tests.support.interleaving import pause
from tests.support.modelled_lake import ModelledLake, program
from tests.support.small_builder import SmallBuilder, audit, marts


class Listing:
    """The API: a list of calls that moves."""

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
    """Publish, after telling the model what the builds began from."""
    program().bases = {day: build.base for day, build in builds.items()}
    return publish.publish(storage, settings, builds, *rest)


def replace_slow_parts(patch: pytest.MonkeyPatch, lake: ModelledLake) -> None:
    """Let the product work with the model's clock, small tables, no second process and no waiting for the disk."""
    patch.setattr(state, "now", lambda: lake.now)
    patch.setitem(Landing.__init__.__kwdefaults__, "clock", lambda: lake.now)
    patch.setattr(disk, "sync", lambda _: None)
    patch.setattr(disk, "sync_folder", lambda _: None)
    patch.setattr(processes, "_processors", lambda: 1)
    patch.setattr(processes, "VersionBuilder", SmallBuilder)
    patch.setattr(days, "publish", publishing)
    patch.setattr(days, "BATCH", 2)
    patch.setattr(raw, "known_versions", small_builder.known_versions)
    patch.setattr(raw, "payloads", small_builder.payloads)
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
    """Do as the sensor does, beside telling Dagster."""
    identity.require_same_settings(lake.storage, lake.settings)
    clean_up(lake)


def clean_up(lake: ModelledLake) -> None:
    """Mend the lake, and remove what nobody needs."""
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
                SmallBuilder(storage, None, landed).core(day, build.version)
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
