"""Removes old runs and old output from Dagster's storage, which otherwise grow for ever."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus, RunsFilter
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_BATCH = 500
_OUTPUT = frozenset({".out", ".err", ".complete", ".partial"})


def delete_old_runs(instance: dg.DagsterInstance, older_than: timedelta, *, but: str) -> list[str]:
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


def delete_old_output(instance: dg.DagsterInstance, older_than: timedelta) -> int:
    """Remove what runs and ticks printed long ago, also that of runs that stay; Dagster keeps it for ever.

    Where output is kept elsewhere than in a folder, that place has rules of its own for what is old.

    Args:
        instance: Whose runs and ticks.
        older_than: How long ago a file must have been written last.

    Returns:
        How many files were removed.
    """
    logs = instance.compute_log_manager
    if not isinstance(logs, LocalComputeLogManager):
        return 0
    folder = Path(logs.get_captured_local_path(["any"], "out")).parent
    limit = (datetime.now(UTC) - older_than).timestamp()
    files = (path for path in folder.rglob("*") if path.suffix in _OUTPUT)
    old = [path for path in files if path.stat().st_mtime < limit]
    for path in old:
        path.unlink(missing_ok=True)
    emptied = {parent for path in old for parent in path.parents if folder in parent.parents}
    for parent in sorted(emptied, key=lambda parent: len(parent.parts), reverse=True):
        with suppress(OSError):  # other files are still in it
            parent.rmdir()
    return len(old)


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
