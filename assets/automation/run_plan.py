"""The plan of a run: the version of each day that it builds.

The first step of a run writes it, so that the later steps build the same versions while the lake changes.
"""

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
"""The step of a run that writes its plan."""


def plan_id(run: dg.DagsterRun) -> str:
    """Return the name of a run's plan; a run that retries another from its failed step keeps the plan of the first."""
    return run.root_run_id or run.run_id


def create_plan(
    workspace: Workspace, run: dg.DagsterRun, partition_keys: Sequence[str], manifest: Manifest, landed: Landed
) -> dict[date, Build]:
    """Write down which version a run builds of each of its days that has landed.

    The manifest was read before `landed`, see `plan_builds`.
    """
    builds = plan_builds(workspace, [date.fromisoformat(key) for key in partition_keys], manifest, landed)
    write_plan(workspace.storage, plan_id(run), builds)
    return builds


def planned_builds(
    workspace: Workspace, run: dg.DagsterRun, partition_keys: Sequence[str], *, needs: Iterable[str] = ()
) -> dict[date, Build]:
    """Return what a run builds: by its plan, or by the present lake where its first step was left out.

    Args:
        workspace: The lake.
        run: The run.
        partition_keys: The days of the step.
        needs: Tables that must have been built before.

    Raises:
        ChorusCallsError: One of them is missing.
    """
    wanted = {date.fromisoformat(key) for key in partition_keys}
    planned = read_plan(workspace.storage, plan_id(run))
    if planned is None:
        manifest = load_manifest(workspace.storage).value
        planned = plan_builds(workspace, sorted(wanted), manifest, load_landed(workspace.storage).value)
    builds = {day: build for day, build in planned.items() if day in wanted}
    for day, build in builds.items():
        if missing := missing_tables(workspace, day, build, needs):
            message = (
                f"{', '.join(missing)} of {day} not built yet from what has landed by now. Run build_days for that day."
            )
            raise ChorusCallsError(message)
    return builds


def missing_tables(workspace: Workspace, day: date, build: Build, tables: Iterable[str]) -> list[str]:
    """Return those of some tables that have no file yet in the version of a day that is built."""
    return [table for table in tables if workspace.storage.size(layout.table_file(day, build.version, table)) is None]
