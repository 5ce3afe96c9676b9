"""Which days are to be built now: stale, on nobody's desk, not refused, and not failing over and over.

There is no cursor: the question is asked anew each time, of the lake and of the runs, so nothing can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

import dagster as dg
from dagster import DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.events import RunFailureReason
from dagster._core.execution.stats import StepEventStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import PRIORITY_TAG, RUN_FAILURE_REASON_TAG

from assets.automation.run_plan import PLANNING_STEP, plan_of
from assets.jobs import MAX_RUNTIME
from assets.partitions import days_of, spans, with_partition
from pipelines.lake.publish import read_plan
from pipelines.lake.state import load_landed
from pipelines.lake.versions import fingerprint, read_audit
from pipelines.materialize.days import days_to_build
from pipelines.quality import CHECKS_VERSION
from pipelines.workspace import Workspace

MAX_RANGE_DAYS: Final = 31
FIRST_BACKOFF: Final = timedelta(minutes=1)
_MAX_BACKOFF: Final = timedelta(hours=6)
_REMEMBERED: Final = 12 * _MAX_BACKOFF
"""How far back failures count. Ten must fit: so many make the longest pause, and fewer would make it shorter again."""
_UNSUCCESSFUL: Final = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_RECENT: Final = 2
"""Days that wait for no others: today and yesterday."""
_ENOUGH_DEATHS: Final = 2
"""A run may die with its machine; the days of a second one that died may be what kills it."""


@dataclass(frozen=True)
class BuildQueue:
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


@dataclass
class _Failures:
    """What became of runs that were to build the present version of a stale day, and ended without success."""

    ends: list[datetime] = field(default_factory=list)
    in_a_step: bool = False

    @property
    def stands_alone(self) -> bool:
        """Whether the day itself may be the reason; it is then tried alone, so that it fails alone."""
        return self.in_a_step or len(self.ends) >= _ENOUGH_DEATHS

    @property
    def until(self) -> datetime:
        """When the pause is over that these failures give."""
        doublings = min(len(self.ends) - 1, 20)
        return max(self.ends) + min(FIRST_BACKOFF * (1 << doublings), _MAX_BACKOFF)


def build_queue(instance: dg.DagsterInstance, workspace: Workspace, *, now: datetime | None = None) -> BuildQueue:
    """Say which days are to be built now."""
    now = now or datetime.now(UTC)
    landed = load_landed(workspace.storage).value
    stale = {
        day: fingerprint(landed, day, workspace.table_settings) for day in with_partition(days_to_build(workspace))
    }
    busy = busy_days(instance, now)
    refused = {day for day, version in stale.items() if _refused(workspace, day, version)}
    failures = _failures(instance, workspace, stale, now)
    free = stale.keys() - busy - refused
    paused = {day for day in free & failures.keys() if failures[day].until > now}
    due = free - paused
    alone = {day for day in due & failures.keys() if failures[day].stands_alone}
    found = [*spans(due - alone, MAX_RANGE_DAYS), *((day, day) for day in alone)]
    return BuildQueue(sorted(stale), busy, refused, paused, sorted(found, reverse=True))


def is_recent(day: date, now: datetime) -> bool:
    """Whether calls of a day may be under way, so that it waits for no other day: today's and yesterday's."""
    return day > now.date() - timedelta(days=_RECENT)


def busy_days(instance: dg.DagsterInstance, now: datetime) -> set[date]:
    """Return the days of every run that has not finished, unless it should have been ended long ago."""
    records = instance.get_run_records(RunsFilter(statuses=NOT_FINISHED_STATUSES))
    found: set[date] = set()
    for record in records:
        if not _overdue(record, now):
            days = days_of(record.dagster_run.tags)
            found.update(days if _holds_recent(record, len(days)) else [day for day in days if not is_recent(day, now)])
    return found


def _holds_recent(record: RunRecord, days: int) -> bool:
    """Whether recent days wait for a run.

    Not for a long backfill: they change again before it ends. Nor for a range that waits behind others in the queue,
    which only the sensor's own runs overtake. To build a day twice does no harm.
    """
    waits = record.start_time is None and PRIORITY_TAG not in record.dagster_run.tags
    return days <= (_RECENT if waits else MAX_RANGE_DAYS)


def _overdue(record: RunRecord, now: datetime) -> bool:
    started = record.start_time
    return started is not None and now.timestamp() - started > MAX_RUNTIME.total_seconds()


def _refused(workspace: Workspace, day: date, version: str) -> bool:
    audit = read_audit(workspace.storage, day, version)
    return audit is not None and not audit.passed and audit.checks_version == CHECKS_VERSION


def _failures(
    instance: dg.DagsterInstance, workspace: Workspace, stale: Mapping[date, str], now: datetime
) -> dict[date, _Failures]:
    recent = RunsFilter(statuses=_UNSUCCESSFUL, updated_after=now - _REMEMBERED)
    found: dict[date, _Failures] = {}
    for record in instance.get_run_records(recent):
        run = record.dagster_run
        days = [day for day in days_of(run.tags) if day in stale]
        if not days:
            continue
        plan = read_plan(workspace.storage, plan_of(run))
        if plan is None and not _ended_before_its_plan(instance, run):
            continue  # it published what it had planned, or had no tables to build
        ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
        in_a_step = run.tags.get(RUN_FAILURE_REASON_TAG) == RunFailureReason.STEP_FAILURE.value
        for day in days:
            if plan is None or ((build := plan.get(day)) and build.version == stale[day]):
                failures = found.setdefault(day, _Failures())
                failures.ends.append(ended)
                failures.in_a_step |= in_a_step
    return found


def _ended_before_its_plan(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run ended in the step that says what is to be built, or before any step: its days count as failed."""
    steps = {step.step_key: step.status for step in instance.get_run_step_stats(run.run_id)}
    return not steps or steps.get(PLANNING_STEP, StepEventStatus.SUCCESS) is not StepEventStatus.SUCCESS
