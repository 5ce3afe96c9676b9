"""The events that Dagster stores about days: landed, built, published; and the materializations that a check judged.

Dagster's own event for an output covers every day of a run's range. A day with nothing landed, or a day that was
refused, would then look built; so each event is written here for its day alone, and outputs carry `QUIET`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

import dagster as dg
from dagster import DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from pipelines.dictionary import TABLES
from pipelines.lake.state import LandedDay, PublishedDay
from pipelines.workspace import TABLE_VERSION

LANDED: Final = dg.AssetKey("landed_calls")
CATALOG: Final = dg.AssetKey("catalog")
CODE_VERSION: Final = str(TABLE_VERSION)
STALE_CORE: Final[Mapping[str, str]] = MappingProxyType({CODE_VERSION_TAG: CODE_VERSION})
"""Tags of a core table that was built from what had landed before: naming no input, it shows its day as stale."""
NO_OUTPUT_EVENT: Final[Mapping[str, bool]] = MappingProxyType({SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})
"""Metadata of an output whose events were written day by day: Dagster writes none of its own for it."""


def landed_events(day: date, landed: LandedDay) -> Iterator[dg.AssetObservation | dg.AssetMaterialization]:
    """Give the two events of a day that has landed or changed, in the order in which they must be logged.

    Tables compare what they were built from with the newest observation, since `landed_calls` is external, but remember
    the newest materialization. The observation must therefore be the older of the two. The materialization fills the
    bar of partitions.
    """
    metadata = {
        "versions of calls": sum(file.rows for file in landed.calls.values()),
        "rejected items": sum(file.rows for file in landed.rejected.values()),
        "files": len(landed.calls) + len(landed.rejected),
        "bytes": sum(file.bytes for file in (*landed.calls.values(), *landed.rejected.values())),
    }
    tags = {DATA_VERSION_TAG: landed.digest}
    yield dg.AssetObservation(LANDED, partition=str(day), metadata=metadata, tags=tags)
    yield dg.AssetMaterialization(LANDED, partition=str(day), metadata=metadata, tags=tags)


def built_event(
    asset: dg.AssetKey | str,
    day: date,
    version: str,
    *,
    rows: int,
    size: int,
    times: tuple[datetime, datetime] | None = None,
    seconds: float | None = None,
    view: str | None = None,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dg.AssetMaterialization:
    """Say that one table of a day was built.

    Args:
        asset: The table.
        day: The day.
        version: The version of the day that it belongs to.
        rows: Its rows.
        size: Its file's size in bytes.
        times: Earliest and latest of its times, None where it has none.
        seconds: How long it took to build, None where that is not known.
        view: What a person looks at, as Markdown.
        tags: What it was built from, of `core_tags`.
    """
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(rows),
        "bytes": dg.MetadataValue.int(size),
        "version": dg.MetadataValue.text(version),
    }
    if times:
        metadata["earliest"], metadata["latest"] = map(dg.MetadataValue.timestamp, times)
    if seconds is not None:
        metadata["seconds"] = dg.MetadataValue.float(round(seconds, 3))
    if view:
        metadata["the day"] = dg.MetadataValue.md(view)
    return dg.AssetMaterialization(
        asset, partition=str(day), metadata=metadata, tags={**tags, DATA_VERSION_TAG: version}
    )


def nothing_events(
    asset: dg.AssetKey | str, partition_keys: Iterable[str], days: Collection[date]
) -> Iterator[dg.AssetMaterialization]:
    """Say of the days of a run on which nothing has landed that nothing is to be built, and that nothing is missing.

    Without a word of them a backfill with such days would count as failed. They name no inputs: as long as nothing
    lands on them they are not stale, whatever lands on the day before.

    Args:
        asset: A table, or the catalog.
        partition_keys: The days of the run.
        days: Those of them that are built.
    """
    for key in partition_keys:
        if date.fromisoformat(key) not in days:
            yield dg.AssetMaterialization(
                asset,
                description="Nothing has landed on this day, so there was nothing to build.",
                partition=key,
                metadata={"dagster/partition_row_count": dg.MetadataValue.int(0)},
                tags={DATA_VERSION_TAG: "nothing"},
            )


def published_event(day: date, published: PublishedDay) -> dg.AssetMaterialization:
    """Say that a day is published, and in which version."""
    metadata: dict[str, Any] = {
        "version": published.version,
        "published at": dg.MetadataValue.timestamp(published.published_at),
        "bytes": sum(published.bytes.values()),
        **{f"rows of {table}": published.rows[table] for table in TABLES},
    }
    return dg.AssetMaterialization(
        CATALOG, partition=str(day), metadata=metadata, tags={DATA_VERSION_TAG: published.version}
    )


def core_tags(instance: dg.DagsterInstance) -> dict[str, str]:
    """Return the tags by which Dagster sees later that a core table is stale: what has landed, and the code's version.

    To be asked for before raw is read, so that whatever lands afterwards shows as a change.
    """
    newest = instance.fetch_materializations(LANDED, limit=1).records
    event = str(newest[0].storage_id) if newest else NULL_EVENT_POINTER
    return {
        CODE_VERSION_TAG: CODE_VERSION,
        get_input_event_pointer_tag(LANDED): event,
        # Dagster compares versions of partitions by the events; this tag only has to be there.
        get_input_data_version_tag(LANDED): event,
    }


def known_versions(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[date, str]:
    """Return the data version that Dagster last heard of, by day."""
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        asset, DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
    )
    return {date.fromisoformat(day): values.get(DATA_VERSION_TAG, "") for day, values in tags.items()}


def failed_days(instance: dg.DagsterInstance, asset: dg.AssetKey) -> set[date]:
    """Return the days that Dagster shows as failed: a run was to write them, and ended without having done so."""
    found = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(
        asset
    )
    return {date.fromisoformat(day) for day in found}


LatestMaterializations = Mapping[tuple[str, date], AssetCheckEvaluationTargetMaterializationData]


def latest_materializations(
    instance: dg.DagsterInstance, tables: Iterable[str], days: Iterable[date]
) -> LatestMaterializations:
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
