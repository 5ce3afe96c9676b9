"""Which days are to be built now: stale, on nobody's desk, not refused, and not failing over and over.

There is no cursor: the question is asked anew each time, of the lake and of the runs, so nothing can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import dagster as dg
from dagster import DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from pipelines.build.days import days_to_build
from pipelines.build.workspace import Workspace
from pipelines.jobs import MAX_RUNTIME
from pipelines.lake.plans import read_plan
from pipelines.lake.state import load_landed
from pipelines.lake.versions import fingerprint, read_audit
from pipelines.orchestration.run_plan import plan_of
from pipelines.partitions import days_of, spans, with_partition
from pipelines.quality import CHECKS_VERSION

LONGEST_SPAN: Final = 31
FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_UNSUCCESSFUL: Final = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class DueDays:
    """The stale days and what is to be done about them.

    Attributes:
        stale: All of them, oldest first.
        busy: Days that a run is working on or waits to.
        refused: Stale days whose present version failed its checks.
        paused: Stale days that failed lately and wait.
        spans: First and last days to be built now, each span by one run, the newest first.
    """

    stale: list[date]
    busy: set[date]
    refused: set[date]
    paused: set[date]
    spans: list[tuple[date, date]]


def due_days(instance: dg.DagsterInstance, workspace: Workspace) -> DueDays:
    """Say which days are to be built now."""
    now = datetime.now(UTC)
    landed = load_landed(workspace.storage).value
    stale = {day: fingerprint(landed, day, workspace.shaping) for day in with_partition(days_to_build(workspace))}
    busy = busy_days(instance, now)
    refused = {day for day, version in stale.items() if _refused(workspace, day, version)}
    failures = _failures(instance, workspace, stale, now)
    tried = {day: len(ends) for day, ends in failures.items()}
    free = stale.keys() - busy - refused
    paused = {day for day in free & tried.keys() if max(failures[day]) + _pause(tried[day]) > now}
    due = free - paused
    # A day that was tried before stands alone, so that it fails alone.
    alone = [(day, day) for day in sorted(due & tried.keys(), reverse=True)]
    return DueDays(sorted(stale), busy, refused, paused, spans(due - tried.keys(), LONGEST_SPAN) + alone)


def busy_days(instance: dg.DagsterInstance, now: datetime) -> set[date]:
    """Return the days of every run that has not finished, unless it should have been ended long ago."""
    records = instance.get_run_records(RunsFilter(statuses=NOT_FINISHED_STATUSES))
    return {day for record in records if not _overdue(record, now) for day in days_of(record.dagster_run.tags)}


def _overdue(record: RunRecord, now: datetime) -> bool:
    started = record.start_time
    return started is not None and now.timestamp() - started > MAX_RUNTIME.total_seconds()


def _refused(workspace: Workspace, day: date, version: str) -> bool:
    audit = read_audit(workspace.storage, day, version)
    return audit is not None and not audit.passed and audit.checks_version == CHECKS_VERSION


def _failures(
    instance: dg.DagsterInstance, workspace: Workspace, stale: Mapping[date, str], now: datetime
) -> dict[date, list[datetime]]:
    """When runs that were to build the present version of a stale day ended without success."""
    recent = RunsFilter(statuses=_UNSUCCESSFUL, updated_after=now - 2 * _LONGEST_PAUSE)
    ends: dict[date, list[datetime]] = {}
    for record in instance.get_run_records(recent):
        days = [day for day in days_of(record.dagster_run.tags) if day in stale]
        plan = read_plan(workspace.storage, plan_of(record.dagster_run)) if days else None
        for day in days:
            build = plan.get(day) if plan is not None else None
            # Without a plan the run ended before its first step: that counts as well.
            if plan is None or (build is not None and build.version == stale[day]):
                ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
                ends.setdefault(day, []).append(ended)
    return ends


def _pause(failures: int) -> timedelta:
    doublings = min(failures - 1, 20)
    return min(FIRST_PAUSE * (1 << doublings), _LONGEST_PAUSE)
