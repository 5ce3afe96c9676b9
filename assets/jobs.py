"""The jobs and their schedules: extract, build days, write the report, and delete old runs."""

# Dagster reads the annotation of `context`: no annotations from __future__ here.

from datetime import timedelta
from types import MappingProxyType
from typing import Final

import dagster as dg
from dagster import RunsFilter
from pydantic import Field

from assets._dagster import ACTIVE_RUN_STATUSES, PRIORITY_TAG
from assets.instance.run_retention import delete_old_output, delete_old_runs
from assets.resources import LakeResource, expected_failures
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import load_manifest
from pipelines.settings import Settings, load_settings

MAX_RUNTIME: Final = timedelta(hours=6)
"""A run that takes longer is ended, and its days no longer wait for it."""

HIGH_PRIORITY: Final = MappingProxyType({PRIORITY_TAG: "1"})
"""Tags of a run that overtakes others in the queue."""

_COMMON_TAGS: Final = {dg.MAX_RUNTIME_SECONDS_TAG: str(int(MAX_RUNTIME.total_seconds()))}
_RUNNING: Final = dg.DefaultScheduleStatus.RUNNING
_NO_KEY: Final = "CHORUS_API_KEY is not set."

extract_calls = dg.define_asset_job(
    "extract_calls",
    selection=dg.AssetSelection.assets("call_pages"),
    description="Land new and changed calls; the sensor changed_days then builds their days.",
    # New calls do not wait until old days are built.
    tags={**_COMMON_TAGS, **HIGH_PRIORITY},
)

build_days = dg.define_asset_job(
    "build_days",
    selection=dg.AssetSelection.groups("core", "marts", "serving") - dg.AssetSelection.assets("report"),
    description=(
        "Build, check and publish a range of days that have landed. The sensor changed_days launches it. Launched by a "
        "person, it skips days whose published version is what their calls, the code and the settings give now."
    ),
    # The sensor retries instead: it knows which days still need it.
    tags={**_COMMON_TAGS, "dagster/max_retries": "0"},
)

make_report = dg.define_asset_job(
    "make_report",
    selection=dg.AssetSelection.assets("report"),
    description="Write the report of the last 28 days next to the catalog.",
    tags=_COMMON_TAGS,
)


class PurgeConfig(dg.Config):
    """What a run of `purge_runs` deletes."""

    older_than_days: int = Field(
        default=30, ge=1, description="Delete finished runs, and what runs and ticks printed, older than so many days."
    )


@dg.op
def remove_old_runs(context: dg.OpExecutionContext, config: PurgeConfig, lake: LakeResource) -> None:
    """Delete old finished runs with their output and plans, except those whose events say what is built now."""
    age = timedelta(days=config.older_than_days)
    deleted = delete_old_runs(context.instance, age, keep=context.run_id)
    storage = lake.workspace().storage
    for run in deleted:
        storage.delete(layout.plan_file(run))
    files = delete_old_output(context.instance, age)
    context.log.info(
        "Deleted %s runs and %s files of output, all older than %s days", len(deleted), files, config.older_than_days
    )


@dg.job(description="Delete old runs and old output, which Dagster keeps for ever.", tags=_COMMON_TAGS)
def purge_runs() -> None:
    """Delete old finished runs."""
    remove_old_runs()


@dg.schedule(
    job=extract_calls,
    cron_schedule="7 * * * *",
    default_status=_RUNNING,
    description="Every hour: what is new or changed lately. Skips while an extract is queued or running.",
)
def hourly_extract(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request an incremental extract."""
    if _settings().api_key is None:
        return dg.SkipReason(_NO_KEY)
    active = RunsFilter(job_name=extract_calls.name, statuses=ACTIVE_RUN_STATUSES)
    if context.instance.get_run_ids(active, limit=1):
        return dg.SkipReason("An extract is queued or running.")
    return dg.RunRequest(run_config=extract_config("RECENT"))


@dg.schedule(
    job=extract_calls,
    cron_schedule="23 2 * * *",
    default_status=_RUNNING,
    description="Every night: all pages. Only these show late changes to old calls, and deleted calls.",
)
def nightly_full_extract() -> dg.RunRequest | dg.SkipReason:
    """Request a full extract, which waits in the queue behind a running one instead of skipping a day."""
    if _settings().api_key is None:
        return dg.SkipReason(_NO_KEY)
    return dg.RunRequest(run_config=extract_config("FULL"))


@dg.schedule(
    job=make_report,
    cron_schedule="41 5 * * *",
    default_status=_RUNNING,
    description="Every morning, after the nightly extract: the report of the last 28 days. Skips while there are none.",
)
def daily_report() -> dg.RunRequest | dg.SkipReason:
    """Request the report once a day with calls is published."""
    published = load_manifest(LocalStorage(_settings().lake_path)).value.days
    if not any(day.rows.get("call_metrics_daily") for day in published.values()):
        return dg.SkipReason("No call is published yet.")
    return dg.RunRequest()


weekly_purge = dg.ScheduleDefinition(
    name="weekly_purge",
    job=purge_runs,
    cron_schedule="41 4 * * 0",
    default_status=_RUNNING,
    description="Every Sunday: delete runs and output older than 30 days.",
)


def extract_config(mode: str, max_pages: int | None = None) -> dict[str, object]:
    """Return the run config of `extract_calls`; the mode is `RECENT` or `FULL`."""
    config = {"mode": mode} if max_pages is None else {"mode": mode, "max_pages": max_pages}
    return {"ops": {"call_pages": {"config": config}}}


def _settings() -> Settings:
    """Read the settings; a tick with wrong ones fails with their message."""
    with expected_failures():
        return load_settings()
