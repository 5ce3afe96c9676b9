"""When the API is read, when the report is written, and when old runs are cleared away."""

from __future__ import annotations

import dagster as dg
from dagster import RunsFilter
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from assets.jobs import extract_calls, make_report, purge_runs
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import load_manifest
from pipelines.settings import load_settings


def _reason_to_wait(context: dg.ScheduleEvaluationContext) -> str | None:
    if load_settings().api_key is None:
        return "CHORUS_API_KEY is not set."
    running = RunsFilter(job_name=extract_calls.name, statuses=NOT_FINISHED_STATUSES)
    if context.instance.get_run_ids(running, limit=1):
        return "An extract is queued or running."
    return None


@dg.schedule(
    job=extract_calls,
    cron_schedule="7 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour: what is new or changed lately. Skips while an extract is queued or running.",
)
def hourly_extract(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for what is new or changed lately."""
    reason = _reason_to_wait(context)
    return dg.SkipReason(reason) if reason else dg.RunRequest(run_config=extract_config("RECENT"))


@dg.schedule(
    job=extract_calls,
    cron_schedule="23 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: all pages, which alone shows late changes to old calls, and deleted ones.",
)
def nightly_full_extract(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for every page; waits in the queue behind a running extract rather than be left out for a day."""
    del context
    if load_settings().api_key is None:
        return dg.SkipReason("CHORUS_API_KEY is not set.")
    return dg.RunRequest(run_config=extract_config("FULL"))


@dg.schedule(
    job=make_report,
    cron_schedule="41 5 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every morning, after the nightly extract: the report of the last 28 days. Skips while there are none.",
)
def daily_report(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for the report, where there is a day to report on."""
    del context
    published = load_manifest(LocalStorage(load_settings().lake_path)).value.days
    if not any(day.rows.get("call_metrics_daily") for day in published.values()):
        return dg.SkipReason("No call is published yet.")
    return dg.RunRequest()


weekly_purge = dg.ScheduleDefinition(
    name="weekly_purge",
    job=purge_runs,
    cron_schedule="41 4 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Sunday: remove runs and output older than 30 days.",
)


def extract_config(mode: str, max_pages: int | None = None) -> dict[str, object]:
    """Return the run config of `extract_calls`.

    Args:
        mode: `RECENT` or `FULL`.
        max_pages: Stop after so many pages; None reads on.
    """
    config: dict[str, object] = {"mode": mode}
    if max_pages is not None:
        config["max_pages"] = max_pages
    return {"ops": {"call_pages": {"config": config}}}
