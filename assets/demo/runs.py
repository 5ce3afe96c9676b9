"""The demo's runs of Dagster: each is one line of news, and a failed one ends the demo with its own words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus, RunsFilter
from sqlalchemy import Engine, event

from assets._dagster import ACTIVE_RUN_STATUSES
from assets.automation.stale_days import MAX_RANGE_DAYS, build_queue
from assets.instance.in_process_runs import run_extract, run_job
from assets.jobs import build_days
from assets.partitions import days_of, spans
from assets.resources import LakeResource
from pipelines.errors import ChorusCallsError
from pipelines.lake import state
from pipelines.lake.state import Manifest
from pipelines.serve.status import lake_status

_PATIENCE_SECONDS: Final = 120
_INTERRUPTIONS: Final = frozenset({"DagsterExecutionInterruptedError", "KeyboardInterrupt"})


@dataclass(frozen=True)
class RunNews:
    """One run, for a reader in a hurry.

    Attributes:
        job: The job.
        days: The days it worked on; none where it has no partitions.
        seconds: How long it took, from its creation on.
        steps: Its steps and their seconds, in the order in which they ended.
    """

    job: str
    days: Sequence[date]
    seconds: float
    steps: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class SyncNews:
    """What one extract and the builds it led to did.

    Attributes:
        scan: The extract, as the lake recorded it.
        rebuilt: The days that readers see in another version than before.
        published: How many days they see.
        bytes_written: Size of the table files of the rebuilt days.
        seconds: How long all of it took.
    """

    scan: dict[str, Any]
    rebuilt: Sequence[date]
    published: int
    bytes_written: int
    seconds: float


class Narrator(Protocol):
    """Whoever tells of the runs."""

    def working(self, title: str) -> AbstractContextManager[None]:
        """Say for a block what is under way."""

    def run(self, news: RunNews) -> None:
        """Tell of a run that has ended well."""


def forgo_durability() -> None:
    """Let SQLite not wait for the disk in this process, where a demo would spend most of its time waiting.

    Dagster commits some three thousand events. A machine that loses its power meanwhile loses the demo's run history;
    the lake has files of its own and is as durable as ever.
    """

    @event.listens_for(Engine, "connect")
    def _set(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")


def sync_through_dagster(instance: dg.DagsterInstance, narrator: Narrator) -> SyncNews:
    """Run `extract_calls`, then `build_days` for what the sensor `changed_days` would ask for.

    Args:
        instance: Where the runs are kept.
        narrator: Who is told of them.

    Raises:
        ChorusCallsError: A run failed.
        KeyboardInterrupt: Ctrl-C ended a run.
    """
    began = time.monotonic()
    before = _manifest()
    with narrator.working("extract_calls"):
        extract = _news(instance, run_extract(instance))
    narrator.run(extract)
    build_stale_days(instance, narrator)
    after = _manifest()
    rebuilt = sorted(day for day, known in after.days.items() if before.days.get(day) != known)
    scan = lake_status(LakeResource().workspace().storage).last_scan
    if scan is None:
        message = "The extract left no record of its scan."
        raise ChorusCallsError(message)
    return SyncNews(
        scan=scan,
        rebuilt=rebuilt,
        published=len(after.days),
        bytes_written=sum(sum(after.days[day].bytes.values()) for day in rebuilt),
        seconds=time.monotonic() - began,
    )


def build_stale_days(instance: dg.DagsterInstance, narrator: Narrator) -> None:
    """Build until no day is stale, also those that failed a moment ago and would wait if nobody had asked.

    Days that a run of `make dev` is building are waited for.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (due := build_queue(instance, LakeResource().workspace())).stale:
        free = set(due.stale) - due.active - due.refused
        for span in spans(free, MAX_RANGE_DAYS):
            with narrator.working("build_days"):
                build = run_job(build_days.name, instance=instance, partition_range=span)
            narrator.run(_news(instance, build))
        if not free:
            if due.refused or time.monotonic() > deadline:
                days = ", ".join(map(str, due.stale[:5]))
                message = f"{len(due.stale)} days could not be built, such as {days}. `make dev` shows their runs."
                raise ChorusCallsError(message)
            time.sleep(1)


def end_lost_runs(instance: dg.DagsterInstance) -> None:
    """End the runs of a demo that was killed, which would hold back their days; there is one demo at a time."""
    for run in instance.get_runs(RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
        if run.remote_job_origin is None:  # those of Dagster's daemon have one
            instance.report_run_canceled(run, message="The demo that it belonged to is gone.")


def _manifest() -> Manifest:
    return state.load_manifest(LakeResource().workspace().storage).value


def _news(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> RunNews:
    """Tell of a run, or fail with it."""
    run = result.dagster_run
    if not result.success:
        raise _failure(result)
    steps = [
        (str(found.step_key), found.step_success_data.duration_ms / 1000)
        for found in result.all_events
        if found.event_type is DagsterEventType.STEP_SUCCESS
    ]
    record = instance.get_run_record_by_id(run.run_id)
    seconds = record.end_time - record.create_timestamp.timestamp() if record and record.end_time else 0.0
    return RunNews(run.job_name, days_of(run.tags), seconds, steps)


def _failure(result: dg.ExecuteInProcessResult) -> BaseException:
    """Why a run failed: in the words meant for people, where its step had some."""
    run = result.dagster_run
    reasons = []
    for found in result.all_events:
        if found.event_type is DagsterEventType.STEP_FAILURE:
            data = found.step_failure_data
            error = data.error.cause or data.error if data.error else None
            if error and error.cls_name in _INTERRUPTIONS:
                return KeyboardInterrupt()
            reasons.append(data.user_failure_data.description if data.user_failure_data else error and error.message)
    if run.status is DagsterRunStatus.CANCELED:
        return KeyboardInterrupt()
    reason = "; ".join(reason.strip() for reason in reasons if reason) or "the reason is in its log"
    return ChorusCallsError(f"The run {run.run_id[:8]} of {run.job_name} failed: {reason}. `make dev` shows its log.")
