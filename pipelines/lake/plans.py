"""What a run is building: kept for its later steps, which must not look at inputs that moved on meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import PurePosixPath

import msgspec

from pipelines.lake import layout
from pipelines.lake.publish import Build
from pipelines.lake.storage import Storage


def write_plan(storage: Storage, run: str, builds: Mapping[date, Build]) -> None:
    """Keep the versions that a run builds, and what was published when it began."""
    with storage.create(layout.plan_file(run)) as stream:
        stream.write(msgspec.json.encode(dict(builds)))


def read_plan(storage: Storage, run: str) -> dict[date, Build] | None:
    """Return the versions that a run builds; None where it has no plan."""
    raw = storage.read(layout.plan_file(run))
    return None if raw is None else msgspec.json.decode(raw, type=dict[date, Build])


def drop_plan(storage: Storage, run: str) -> None:
    """Forget the plan of a run that is over."""
    storage.delete(layout.plan_file(run))


def planned_versions(storage: Storage) -> set[str]:
    """Return the folders of all versions that runs with a plan are building, or will use again."""
    plans = [read_plan(storage, PurePosixPath(file.path).stem) or {} for file in storage.list(layout.PLANS)]
    return {layout.version_folder(day, build.version) for plan in plans for day, build in plan.items()}


def drop_from_plans(storage: Storage, days: Collection[date], staying: Collection[str]) -> None:
    """Take days out of all plans, but for versions in folders that stay: later steps of these runs leave them alone."""
    for file in storage.list(layout.PLANS):
        run = PurePosixPath(file.path).stem
        plan = read_plan(storage, run) or {}
        left = {
            day: build
            for day, build in plan.items()
            if day not in days or layout.version_folder(day, build.version) in staying
        }
        if left != plan:
            write_plan(storage, run, left)
