"""Which materializations a check has judged: without that, no page of partitions shows a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

Targets = Mapping[tuple[str, date], AssetCheckEvaluationTargetMaterializationData]


def judged(instance: dg.DagsterInstance, tables: Iterable[str], days: Iterable[date]) -> Targets:
    """Return the newest materialization of each table and day, where there is one."""
    wanted = {str(day) for day in days}
    targets = {}
    for table in sorted(set(tables)):
        key = dg.AssetKey(table)
        newest = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, wanted
        )
        records = dg.AssetRecordsFilter(asset_key=key, storage_ids=list(newest.values()))
        for record in instance.fetch_materializations(records, limit=len(newest)).records if newest else ():
            targets[table, date.fromisoformat(str(record.partition_key))] = (
                AssetCheckEvaluationTargetMaterializationData(
                    storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
                )
            )
    return targets
