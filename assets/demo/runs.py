"""The demo's runs of Dagster: each is printed in one line, and the demo ends with the message of one that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any, Final

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus
from sqlalchemy import Engine, event

from assets.automation.stale_days import MAX_RANGE_DAYS, build_queue
from assets.demo.story import Story, running
from assets.instance.in_process_runs import run_extract, run_job
from assets.jobs import build_days, extract_calls
from assets.partitions import days_of, spans
from assets.resources import LakeResource
from pipelines.errors import ChorusCallsError
from pipelines.lake import state
from pipelines.serve.status import lake_status

_WAIT_SECONDS: Final = 120
_INTERRUPTIONS: Final = frozenset({"DagsterExecutionInterruptedError", "KeyboardInterrupt"})


def skip_disk_syncs() -> None:
    """Let SQLite not wait for the disk in this process, where a demo would spend most of its time waiting.

    Dagster commits some three thousand events. If the machine loses power meanwhile, the demo's run history is lost;
    the lake has files of its own and is as durable as ever.
    """

    @event.listens_for(Engine, "connect")
    def _set(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")


def sync_through_dagster(instance: dg.DagsterInstance, story: Story) -> dict[str, str]:
    """Run `extract_calls`, then `build_days` for what the sensor `changed_days` would ask for.

    Returns:
        What was read and written, by name, ready to be printed.

    Raises:
        ChorusCallsError: A run failed.
        KeyboardInterrupt: Ctrl-C ended a run.
    """
    began = time.monotonic()
    storage = LakeResource().workspace().storage
    before = state.load_manifest(storage).value.days
    _run(story, extract_calls.name, partial(run_extract, instance))
    _build_stale_days(instance, story)
    after = state.load_manifest(storage).value.days
    rebuilt = [day for day, known in after.items() if before.get(day) != known]
    if not rebuilt:
        story.show("Nothing has changed, so no day was built.")
    scan = lake_status(storage).last_scan or {}
    return {
        "scan": f"{scan['mode']}, {'complete' if scan['complete'] else scan['ending']}",
        "pages read": f"{scan['pages']:,}",
        "calls and legs read": f"{scan['calls_seen']:,} of {scan['total_end'] or scan['calls_seen']:,}",
        "new": f"{scan['calls_new']:,}",
        "changed": f"{scan['calls_changed']:,}",
        "days built and published": f"{len(rebuilt):,} of {len(after):,}",
        "table files written": f"{sum(sum(after[day].bytes.values()) for day in rebuilt) / 1e6:,.1f} MB",
        "time": f"{time.monotonic() - began:.1f} s",
    }


def _build_stale_days(instance: dg.DagsterInstance, story: Story) -> None:
    """Build until no day is stale, without the back-off after a failure, and wait for days that `make dev` builds."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while (due := build_queue(instance, LakeResource().workspace())).stale:
        free = set(due.stale) - due.active - due.refused
        for span in spans(free, MAX_RANGE_DAYS):
            _run(story, build_days.name, partial(run_job, build_days.name, instance=instance, partition_range=span))
        if not free:
            if due.refused or time.monotonic() > deadline:
                days = ", ".join(map(str, due.stale[:5]))
                message = f"{len(due.stale)} days could not be built, such as {days}. `make dev` shows their runs."
                raise ChorusCallsError(message)
            time.sleep(1)


def end_lost_runs(instance: dg.DagsterInstance) -> None:
    """End the runs that a killed demo left behind, which would hold back their days; only one demo runs at a time."""
    for run in instance.get_runs():
        if not run.is_finished and run.remote_job_origin is None:  # runs of Dagster's daemon have an origin
            instance.report_run_canceled(run, message="The demo that started this run is gone.")


def _run(story: Story, job: str, run: Callable[[], dg.ExecuteInProcessResult]) -> None:
    began = time.monotonic()
    with running(job):
        result = run()
    if not result.success:
        raise _failure(result)
    steps = [
        (str(found.step_key), found.step_success_data.duration_ms / 1000)
        for found in result.all_events
        if found.event_type is DagsterEventType.STEP_SUCCESS
    ]
    story.run(job, _span(days_of(result.dagster_run.tags)), time.monotonic() - began, steps)


def _span(days: Sequence[date]) -> str:
    if not days:
        return ""
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"


def _failure(result: dg.ExecuteInProcessResult) -> BaseException:
    """Return why a run failed, in the message of its step if that has one for people."""
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
