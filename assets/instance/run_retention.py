"""Delete old runs and old output from Dagster's storage, which otherwise grow for ever."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType, RunsFilter

from assets._dagster import FINISHED_RUN_STATUSES, latest_event_ids, output_folder

_BATCH = 500
_OUTPUT_SUFFIXES = frozenset({".out", ".err", ".complete", ".partial"})


def delete_old_runs(instance: dg.DagsterInstance, older_than: timedelta, *, keep: str) -> list[str]:
    """Delete the runs that ended so long ago, except one to keep, with their events and their output.

    A run takes its events with it. Runs whose events still say what is built now stay, or days would look unbuilt.

    Returns:
        The ids of the deleted runs.
    """
    limit = datetime.now(UTC) - older_than
    kept = _runs_with_newest_events(instance) | {keep}
    records = instance.get_run_records(RunsFilter(statuses=FINISHED_RUN_STATUSES, updated_before=limit))
    deleted = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in kept]
    for run_id in deleted:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return deleted


def delete_old_output(instance: dg.DagsterInstance, older_than: timedelta) -> int:
    """Delete what runs and ticks printed so long ago, also that of runs that stay.

    Output that is kept elsewhere than in a folder, such as an object store, follows the retention rules of that place.

    Returns:
        The number of deleted files.
    """
    folder = output_folder(instance)
    if folder is None:
        return 0
    limit = (datetime.now(UTC) - older_than).timestamp()
    files = (path for path in folder.rglob("*") if path.suffix in _OUTPUT_SUFFIXES)
    old = [path for path in files if path.stat().st_mtime < limit]
    for path in old:
        path.unlink(missing_ok=True)
    emptied = {parent for path in old for parent in path.parents if folder in parent.parents}
    for parent in sorted(emptied, key=lambda parent: len(parent.parts), reverse=True):
        with suppress(OSError):  # other files are still in it
            parent.rmdir()
    return len(old)


def _runs_with_newest_events(instance: dg.DagsterInstance) -> set[str]:
    """Find the runs that hold the newest event of an asset, or of one of its partitions."""
    runs = set()
    for key in instance.get_asset_keys():
        newest = instance.get_latest_materialization_event(key)
        if newest:
            runs.add(newest.run_id)
        for kind, fetch in (
            (DagsterEventType.ASSET_MATERIALIZATION, instance.fetch_materializations),
            (DagsterEventType.ASSET_OBSERVATION, instance.fetch_observations),
        ):
            ids = latest_event_ids(instance, key, kind)
            for start in range(0, len(ids), _BATCH):
                wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _BATCH])
                runs.update(record.run_id for record in fetch(wanted, limit=_BATCH).records)
    return runs
