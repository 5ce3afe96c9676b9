"""Which version of each day a run builds: fixed by its first step, so that its steps agree while the lake moves on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

import dagster as dg

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout
from pipelines.lake.publish import Build, read_plan, write_plan
from pipelines.lake.state import Landed, Manifest, load_landed, load_manifest
from pipelines.materialize.day import plan_builds
from pipelines.workspace import Workspace

PLANNING_STEP: Final = "core_tables"
"""The step of a run that fixes what it builds."""


def plan_of(run: dg.DagsterRun) -> str:
    """Name the plan of a run; a run that repeats another from where it failed goes by the plan of the first."""
    return run.root_run_id or run.run_id


def begin(
    workspace: Workspace, run: dg.DagsterRun, partition_keys: Sequence[str], manifest: Manifest, landed: Landed
) -> dict[date, Build]:
    """Fix what a run builds: the version of every one of its days that has landed.

    The manifest was read before `landed`, see `plan_builds`.
    """
    builds = plan_builds(workspace, [date.fromisoformat(key) for key in partition_keys], manifest, landed)
    write_plan(workspace.storage, plan_of(run), builds)
    return builds


def recall(
    workspace: Workspace, run: dg.DagsterRun, partition_keys: Sequence[str], *, needs: Iterable[str] = ()
) -> dict[date, Build]:
    """Return what a run builds, or, where its first step was left out, what the lake would have it build now.

    Args:
        workspace: The lake.
        run: The run.
        partition_keys: The days of the step.
        needs: Tables that must have been built before.

    Raises:
        ChorusCallsError: One of them has not been.
    """
    wanted = {date.fromisoformat(key) for key in partition_keys}
    planned = read_plan(workspace.storage, plan_of(run))
    if planned is None:
        manifest = load_manifest(workspace.storage).value
        planned = plan_builds(workspace, sorted(wanted), manifest, load_landed(workspace.storage).value)
    builds = {day: build for day, build in planned.items() if day in wanted}
    for day, build in builds.items():
        if lacking := missing(workspace, day, build, needs):
            tables = ", ".join(lacking)
            message = f"{tables} of {day} not built yet from what has landed by now. Run build_days for that day."
            raise ChorusCallsError(message)
    return builds


def missing(workspace: Workspace, day: date, build: Build, tables: Iterable[str]) -> list[str]:
    """Return those of some tables that are not there in the version of a day that is built."""
    return [table for table in tables if workspace.storage.size(layout.table_file(day, build.version, table)) is None]
