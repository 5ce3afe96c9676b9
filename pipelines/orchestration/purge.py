"""Removes old runs from Dagster's storage, which otherwise grows for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus, RunsFilter

_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_BATCH = 500


def purge(instance: dg.DagsterInstance, older_than: timedelta, *, but: str) -> list[str]:
    """Remove finished runs, their events and their compute logs.

    A run takes its events with it. Runs whose events still say what is built now stay, or days would look unbuilt.

    Args:
        instance: Whose runs.
        older_than: How long ago a run must have ended.
        but: A run that stays in any case.

    Returns:
        The ids of the removed runs.
    """
    limit = datetime.now(UTC) - older_than
    kept = _telling_runs(instance) | {but}
    records = instance.get_run_records(RunsFilter(statuses=_FINISHED, updated_before=limit))
    removed = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in kept]
    for run_id in removed:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return removed


def _telling_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that hold the newest event of an asset, or of one of its partitions."""
    runs = set()
    for key in instance.get_asset_keys():
        newest = instance.get_latest_materialization_event(key)
        if newest:
            runs.add(newest.run_id)
        for kind in (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION):
            runs |= _newest_by_partition(instance, key, kind)
    return runs


def _newest_by_partition(instance: dg.DagsterInstance, key: dg.AssetKey, kind: DagsterEventType) -> set[str]:
    fetch = (
        instance.fetch_materializations
        if kind is DagsterEventType.ASSET_MATERIALIZATION
        else instance.fetch_observations
    )
    ids = sorted(instance.event_log_storage.get_latest_storage_id_by_partition(key, kind).values())
    runs: set[str] = set()
    for start in range(0, len(ids), _BATCH):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _BATCH])
        runs.update(record.run_id for record in fetch(wanted, limit=_BATCH).records)
    return runs
