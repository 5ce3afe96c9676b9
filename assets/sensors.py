"""The sensors: build stale days, and post an alert for each failed run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import dagster as dg
import requests
from dagster import RunsFilter

from assets._dagster import ACTIVE_RUN_STATUSES
from assets.automation.stale_days import build_queue, is_recent
from assets.events import sync_landed_events, sync_published_events
from assets.jobs import HIGH_PRIORITY, build_days
from assets.partitions import days_of, range_tags
from assets.resources import LakeResource, expected_failures
from pipelines.errors import ChorusCallsError
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.state import load_landed, load_manifest
from pipelines.privacy.pending import finish_erasures
from pipelines.settings import load_alert_settings
from pipelines.workspace import Workspace

MAX_ACTIVE_RUNS: Final = 10
"""Runs of build_days that are queued or running at a time, so that newer days that change meanwhile come first.
Runs of today and yesterday are not limited, and overtake the queue."""

_EVENT_SYNC_SECONDS: Final = 15.0
_WEBHOOK_TIMEOUT_SECONDS: Final = (5, 10)


@dg.sensor(
    job=build_days,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Builds the days whose published version is not what their calls, the code and the settings give now.",
)
def changed_days(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Repair the lake, log the events that Dagster missed, and request runs for stale days."""
    with expected_failures():
        storage = lake.workspace().storage
        landed, published = load_landed(storage).value, load_manifest(storage).value
        if not landed.days and not published.days:
            return dg.SkipReason("Nothing has landed yet.")
        workspace = lake.for_writing()
    error = _repair(workspace, context.log.warning)
    # A tick may take a minute, and for years of days that the command line built there are many events to log.
    until = time.monotonic() + _EVENT_SYNC_SECONDS
    instance, now = context.instance, datetime.now(UTC)
    sync_landed_events(instance, landed, instance.report_runless_asset_event, until=until)
    queue = build_queue(instance, workspace, now=now)
    published, lake_path = load_manifest(storage).value, workspace.settings.lake_path
    sync_published_events(instance, published, lake=lake_path, active=queue.active, stale=queue.stale, until=until)
    active = RunsFilter(job_name=build_days.name, statuses=ACTIVE_RUN_STATUSES)
    room = max(0, MAX_ACTIVE_RUNS - instance.get_runs_count(active))
    # No run_key: a key is skipped for ever once a run with it was launched, even if that run failed.
    run_requests = [
        dg.RunRequest(tags={**range_tags(first, last), **(HIGH_PRIORITY if recent else {})})
        for number, (first, last) in enumerate(queue.spans)
        if (recent := is_recent(last, now)) or number < room
    ]
    if run_requests:
        return dg.SensorResult(run_requests=run_requests)
    if error:
        raise dg.Failure(description=error.message, allow_retries=False)
    if not queue.stale:
        return dg.SkipReason("Every landed day is published as it is.")
    return dg.SkipReason(
        f"{len(queue.stale)} days are stale: {len(queue.active & set(queue.stale))} are being built, "
        f"{len(queue.refused)} failed their checks, {len(queue.backing_off)} failed lately and wait."
    )


def _repair(workspace: Workspace, notify: Callable[[str], None]) -> ChorusCallsError | None:
    """Repair what a crash left, and finish erasures; return the last error, which keeps no day from being built."""
    last_error = None
    for step in (
        partial(reconcile, workspace.storage, workspace.catalog, workspace.keep_versions),
        partial(finish_erasures, workspace, notify),
    ):
        try:
            step()
        except ChorusCallsError as error:
            last_error = error
            notify(error.message)
    return last_error


@dg.run_failure_sensor(
    name="run_failure_alert",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts a line of JSON to ALERT_WEBHOOK_URL, where that is set, when a run fails.",
)
def run_failure_alert(context: dg.RunFailureSensorContext) -> None:
    """Post an alert for a failed run. A delivery error is logged, not raised."""
    settings = load_alert_settings()
    if settings.alert_webhook_url is None:
        return
    url, alert = settings.alert_webhook_url.get_secret_value(), _alert(context, settings.dagster_url)
    try:
        # The answer's body is not read: it is not needed, and it might never end.
        with requests.post(
            url, json=alert, timeout=_WEBHOOK_TIMEOUT_SECONDS, allow_redirects=False, stream=True
        ) as answer:
            answer.raise_for_status()
    except requests.RequestException as error:
        # The error's own message has the address, which is a secret.
        context.log.warning("The alert was not delivered: %s", type(error).__name__)


def _alert(context: dg.RunFailureSensorContext, dagster_url: str) -> dict[str, object]:
    """Return the run, and why each failed step failed where its failure has a message for people."""
    run = context.dagster_run
    reasons = {}
    for event in context.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        reasons[str(event.step_key)] = failure.description if failure else "failed unexpectedly; see the run"
    days = days_of(run.tags)
    return {
        "job": run.job_name,
        "run_id": run.run_id,
        "run_url": f"{dagster_url}/runs/{run.run_id}",
        "status": "failed",
        "first_day": str(days[0]) if days else None,
        "last_day": str(days[-1]) if days else None,
        "steps": reasons,
        # The only reason where no step failed, such as for a run whose process died.
        "message": context.failure_event.message,
    }
