"""Select stale days that no active run covers and that are past their retry back-off.

There is no cursor: each call compares the lake with the runs, so no change can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

import dagster as dg
from dagster import DagsterRunStatus, RunRecord, RunsFilter

from assets._dagster import ACTIVE_RUN_STATUSES, FAILURE_REASON_TAG, PRIORITY_TAG, STEP_FAILURE
from assets.automation.run_plan import PLANNING_STEP, plan_id
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
_FAILURE_HISTORY: Final = 12 * _MAX_BACKOFF
"""How far back failures count. Ten must fit: so many make the longest back-off, and fewer would shorten it again."""
_RECENT_DAYS: Final = 2
"""Today and yesterday, which do not wait for other days."""
_DEATHS_TO_ISOLATE: Final = 2
"""One run may die with its machine; the days of a second one that died may be what kills it."""


@dataclass(frozen=True)
class BuildQueue:
    """The stale days, and which of them to build now.

    Attributes:
        stale: All of them, oldest first.
        active: Days that an unfinished run covers, stale or not.
        refused: Stale days whose present version failed its checks.
        backing_off: Stale days that failed lately and wait for their next try.
        spans: First and last days to build now, each span by one run, the newest first.
    """

    stale: list[date]
    active: set[date]
    refused: set[date]
    backing_off: set[date]
    spans: list[tuple[date, date]]


@dataclass
class _Failures:
    """The runs that were to build the present version of a stale day and failed."""

    ends: list[datetime] = field(default_factory=list)
    in_a_step: bool = False

    @property
    def isolate(self) -> bool:
        """Whether the day itself may be the reason; it is then built alone, so that it fails alone."""
        return self.in_a_step or len(self.ends) >= _DEATHS_TO_ISOLATE

    @property
    def retry_at(self) -> datetime:
        """When the back-off after these failures ends."""
        doublings = min(len(self.ends) - 1, 20)
        return max(self.ends) + min(FIRST_BACKOFF * (1 << doublings), _MAX_BACKOFF)


def build_queue(instance: dg.DagsterInstance, workspace: Workspace, *, now: datetime | None = None) -> BuildQueue:
    """Return the days to build now, and what the other stale days wait for."""
    now = now or datetime.now(UTC)
    landed = load_landed(workspace.storage).value
    stale = {
        day: fingerprint(landed, day, workspace.table_settings) for day in with_partition(days_to_build(workspace))
    }
    active = active_days(instance, now)
    refused = {day for day, version in stale.items() if _refused(workspace, day, version)}
    failures = _failures(instance, workspace, stale, now)
    free = stale.keys() - active - refused
    backing_off = {day for day in free & failures.keys() if failures[day].retry_at > now}
    due = free - backing_off
    isolated = {day for day in due & failures.keys() if failures[day].isolate}
    found = [*spans(due - isolated, MAX_RANGE_DAYS), *((day, day) for day in isolated)]
    return BuildQueue(sorted(stale), active, refused, backing_off, sorted(found, reverse=True))


def is_recent(day: date, now: datetime) -> bool:
    """Return whether calls of a day may still come in, so that it waits for no other day: today's and yesterday's."""
    return day > now.date() - timedelta(days=_RECENT_DAYS)


def active_days(instance: dg.DagsterInstance, now: datetime) -> set[date]:
    """Return the days of every run that has not finished, unless it has outlived the longest run time."""
    found: set[date] = set()
    for record in instance.get_run_records(RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
        overdue = record.start_time is not None and now.timestamp() - record.start_time > MAX_RUNTIME.total_seconds()
        if not overdue:
            days = days_of(record.dagster_run.tags)
            covers_recent = _covers_recent(record, len(days))
            found.update(day for day in days if covers_recent or not is_recent(day, now))
    return found


def _covers_recent(record: RunRecord, days: int) -> bool:
    """Return whether recent days wait for a run.

    They do not for a long backfill: they change again before it ends. Nor for a range behind others in the queue, which
    only the sensor's own runs overtake. To build a day twice does no harm.
    """
    queued = record.start_time is None and PRIORITY_TAG not in record.dagster_run.tags
    return days <= (_RECENT_DAYS if queued else MAX_RANGE_DAYS)


def _refused(workspace: Workspace, day: date, version: str) -> bool:
    audit = read_audit(workspace.storage, day, version)
    return audit is not None and not audit.passed and audit.checks_version == CHECKS_VERSION


def _failures(
    instance: dg.DagsterInstance, workspace: Workspace, stale: Mapping[date, str], now: datetime
) -> dict[date, _Failures]:
    unsuccessful = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
    found: dict[date, _Failures] = {}
    for record in instance.get_run_records(RunsFilter(statuses=unsuccessful, updated_after=now - _FAILURE_HISTORY)):
        run = record.dagster_run
        days = [day for day in days_of(run.tags) if day in stale]
        if not days:
            continue
        plan = read_plan(workspace.storage, plan_id(run))
        if plan is None and not _failed_before_its_plan(instance, run):
            continue  # it published what it had planned, or had no tables to build
        ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
        for day in days:
            if plan is None or ((build := plan.get(day)) and build.version == stale[day]):
                failures = found.setdefault(day, _Failures())
                failures.ends.append(ended)
                failures.in_a_step |= run.tags.get(FAILURE_REASON_TAG) == STEP_FAILURE
    return found


def _failed_before_its_plan(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a run ended before or in the step that writes its plan: all its days then count as failed."""
    steps = {step.step_key: step.status for step in instance.get_run_step_stats(run.run_id)}
    if PLANNING_STEP not in steps:
        return not steps
    status = steps[PLANNING_STEP]
    return status is None or status.value != "SUCCESS"
