"""What happens by itself: stale days are built, and failed runs are told to somebody."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import dagster as dg
import requests
from dagster import RunsFilter
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from assets.automation.event_sync import sync_landed_events, sync_published_events
from assets.automation.stale_days import build_queue, is_recent
from assets.jobs import HIGH_PRIORITY, build_days
from assets.partitions import days_of, range_tags
from assets.resources import LakeResource, expected_failures
from pipelines.errors import ChorusCallsError
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.state import load_landed, load_manifest
from pipelines.privacy.forget import finish_erasures
from pipelines.settings import load_alert_settings
from pipelines.workspace import Workspace

MOST_RUNS: Final = 10
"""Runs of build_days that wait or work at a time: days that change meanwhile, if newer, come before the rest.
Today's and yesterday's do not count, and overtake what waits."""

_REPORT_SECONDS: Final = 15.0
_WEBHOOK_SECONDS: Final = (5, 10)


@dg.sensor(
    job=build_days,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Builds the days whose published version is not what their calls, the code and the settings give now.",
)
def changed_days(
    context: dg.SensorEvaluationContext, lake: dg.ResourceParam[LakeResource]
) -> dg.SensorResult | dg.SkipReason:
    """Mend the lake, tell Dagster what it missed, and ask for the days that are stale."""
    storage = lake.workspace().storage
    landed, published = load_landed(storage).value, load_manifest(storage).value
    if not landed.days and not published.days:
        return dg.SkipReason("Nothing has landed yet.")
    with expected_failures():
        workspace = lake.for_writing()
    trouble = _mend(workspace, context.log.warning)
    # A tick may take a minute, and a lake of years that was filled by the command line has much to tell.
    soon = time.monotonic() + _REPORT_SECONDS
    sync_landed_events(context.instance, landed, context.instance.report_runless_asset_event, until=soon)
    now = datetime.now(UTC)
    due = build_queue(context.instance, workspace, now=now)
    sync_published_events(
        context.instance, load_manifest(workspace.storage).value, but=due.busy, stale=due.stale, until=soon
    )
    unfinished = RunsFilter(job_name=build_days.name, statuses=NOT_FINISHED_STATUSES)
    room = max(0, MOST_RUNS - context.instance.get_runs_count(unfinished))
    # No run_key: a key is skipped for ever once a run with it was launched, even if that run failed.
    requests_ = [
        dg.RunRequest(tags={**range_tags(first, last), **(HIGH_PRIORITY if recent else {})})
        for number, (first, last) in enumerate(due.spans)
        if (recent := is_recent(last, now)) or number < room
    ]
    if requests_:
        return dg.SensorResult(run_requests=requests_)
    if trouble:
        raise dg.Failure(description=trouble.message, allow_retries=False)
    if not due.stale:
        return dg.SkipReason("Every landed day is published as it is.")
    return dg.SkipReason(
        f"{len(due.stale)} days are stale: {len(due.busy & set(due.stale))} are being built, {len(due.refused)} failed "
        f"their checks, {len(due.paused)} failed lately and wait."
    )


def _mend(workspace: Workspace, tell: Callable[[str], None]) -> ChorusCallsError | None:
    """Mend what a crash left, and finish erasures; what cannot be mended is told, and holds back no day of others."""
    trouble = None
    for mend in (
        partial(reconcile, workspace.storage, workspace.catalog, workspace.keep_versions),
        partial(finish_erasures, workspace, tell),
    ):
        try:
            mend()
        except ChorusCallsError as error:
            trouble = error
            tell(error.message)
    return trouble


@dg.run_failure_sensor(
    name="run_failure_alert",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts a line of JSON to ALERT_WEBHOOK_URL, where that is set, when a run fails.",
)
def run_failure_alert(context: dg.RunFailureSensorContext) -> None:
    """Tell somebody that a run failed; that nobody could be told is no failure of its own."""
    settings = load_alert_settings()
    if settings.alert_webhook_url is None:
        return
    url, alert = settings.alert_webhook_url.get_secret_value(), _alert(context, settings.dagster_url)
    try:
        # What it answers is not read: nobody wants it, and it might never end.
        with requests.post(url, json=alert, timeout=_WEBHOOK_SECONDS, allow_redirects=False, stream=True) as answer:
            answer.raise_for_status()
    except requests.RequestException as error:
        # The error's own words hold the address, and that is a secret.
        context.log.warning("The alert was not delivered: %s", type(error).__name__)


def _alert(context: dg.RunFailureSensorContext, dagster_url: str) -> dict[str, object]:
    """The run and, of each step that failed with words meant for people, those words."""
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
        # Where no step failed, such as for a run whose process died, it is all there is to say.
        "message": context.failure_event.message,
    }
