"""Runs of Dagster in tests, and what its instance shows of them."""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg
from dagster import DagsterRunStatus
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import create_run_for_test

from assets.automation.stale_days import build_queue
from assets.definitions import defs
from assets.events import sync_landed_events
from assets.instance.in_process_runs import run_job
from assets.jobs import build_days
from assets.partitions import range_tags
from assets.resources import LakeResource
from pipelines.dictionary import TABLES
from pipelines.lake import state
from pipelines.workspace import Workspace

CORE_AND_MARTS = tuple(TABLES)


def report_landed(instance: dg.DagsterInstance, workspace: Workspace) -> list[date]:
    """Report to Dagster what has landed, as the sensor does."""
    landed = state.load_landed(workspace.storage).value
    return sync_landed_events(instance, landed, instance.report_runless_asset_event)


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    """Return the days of an asset that Dagster shows as materialized."""
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def failed(instance: dg.DagsterInstance, asset: str) -> set[str]:
    """Return the days of an asset that Dagster shows as failed: planned by a run, and not materialized by it."""
    return set(
        instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(
            dg.AssetKey(asset)
        )
    )


def newest(instance: dg.DagsterInstance, asset: str, day: str) -> dg.AssetMaterialization:
    """Return the newest materialization of a day."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day])
    found = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert found is not None
    return found


def staleness(instance: dg.DagsterInstance, asset: str, *days: str) -> list[str]:
    """Return what the UI says of days of an asset: FRESH, STALE or MISSING."""
    resolver = CachingStaleStatusResolver(instance, defs.resolve_asset_graph(), LoadingContextForTest(instance))
    return [resolver.get_status(dg.AssetKey(asset), day).value for day in days]


def step_failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the words of each failed step."""
    found = {}
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data.user_failure_data
            found[str(event.step_key)] = failure.description if failure and failure.description else event.message or ""
    return found


def days_after(day: str, count: int) -> list[str]:
    """Return a day and those that follow it, `count` in all."""
    first = date.fromisoformat(day)
    return [str(first + timedelta(days=number)) for number in range(count)]


def run_stale_days(instance: dg.DagsterInstance) -> list[dg.ExecuteInProcessResult]:
    """Run `build_days` for every day that the sensor `changed_days` would ask for now, the newest days first."""
    due = build_queue(instance, LakeResource().workspace())
    return [run_job(build_days.name, instance=instance, partition_range=span) for span in due.spans]


def materialize_alone(instance: dg.DagsterInstance, day: str, *assets: str) -> dg.ExecuteInProcessResult:
    """Materialize a day of some assets, as from their pages."""
    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(map(dg.AssetKey, assets)))
    return job.execute_in_process(instance=instance, partition_key=day, raise_on_error=False)


def unfinished_run(
    instance: dg.DagsterInstance, first: str, last: str, status: DagsterRunStatus = DagsterRunStatus.STARTED
) -> dg.DagsterRun:
    """Put a run of `build_days` over a range of days into an instance, which nobody works on."""
    tags = range_tags(date.fromisoformat(first), date.fromisoformat(last))
    return create_run_for_test(instance, job_name=build_days.name, status=status, tags=tags)


def failed_run(instance: dg.DagsterInstance, first: str, last: str, *, in_a_step: bool = False) -> dg.DagsterRun:
    """Put a run of `build_days` into an instance that has failed, because a step did or because it was killed."""
    run = unfinished_run(instance, first, last)
    reason = RunFailureReason.STEP_FAILURE if in_a_step else None
    instance.report_run_failed(run, job_failure_data=JobFailureData(error=None, failure_reason=reason))
    return run
