"""The events that Dagster stores about days: landed, built, published; and the materializations that a check covers.

Dagster's own event for an output covers every day of a run's range. A day with nothing landed, or a day that was
refused, would then look built; so each event is written here for its day alone, and outputs carry `NO_OUTPUT_EVENT`.

The command line lands, builds and publishes days too, and a crash can come between a step of the lake and its event:
the `sync_...` functions log what Dagster missed, so that its pages show the lake as it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import dagster as dg

from assets._dagster import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    AssetCheckEvaluationTargetMaterializationData,
    failed_partitions,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
    latest_event_ids,
    latest_tags,
)
from assets.partitions import with_partition
from pipelines.dictionary import CORE_TABLES, MARTS, TABLES
from pipelines.lake.state import Landed, LandedDay, Manifest, PublishedDay
from pipelines.workspace import TABLE_VERSION

LANDED: Final = dg.AssetKey("landed_calls")
CATALOG: Final = dg.AssetKey("catalog")
CODE_VERSION: Final = str(TABLE_VERSION)
STALE_CORE: Final[Mapping[str, str]] = MappingProxyType({CODE_VERSION_TAG: CODE_VERSION})
"""Tags of a core table that was built from what had landed before: without an input, Dagster shows its day as stale."""

_CORE: Final = dg.AssetKey("calls")
"""Represents all core tables, whose events are logged together."""
_COMPARED: Final = (_CORE, *map(dg.AssetKey, MARTS), CATALOG)
"""Assets whose events are compared with the manifest."""

DayEvent = dg.AssetObservation | dg.AssetMaterialization
LatestMaterializations = Mapping[tuple[str, date], AssetCheckEvaluationTargetMaterializationData]


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> dg.MarkdownMetadataValue:
    """Return a small table as metadata. Dagster's UI shows it without a click up to 1,000 characters."""
    names = list(header)
    lines = [names, ["---"] * len(names), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def landed_events(day: date, landed: LandedDay) -> Iterator[DayEvent]:
    """Yield the two events of a day that has landed or changed, in the order in which they must be logged.

    Dagster compares tables with the newest observation, since `landed_calls` is external, but what they were built from
    is a materialization. The observation must therefore be the older of the two. The materialization fills the bar of
    partitions.
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
    table: str,
    day: date,
    version: str,
    *,
    lake: Path,
    rows: int,
    size: int,
    metadata: Mapping[str, Any] = MappingProxyType({}),
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dg.AssetMaterialization:
    """Return the event of one table of a day that was built; its tags are those of `core_tags`."""
    uri = (lake.absolute() / table).as_uri()
    return dg.AssetMaterialization(
        table,
        partition=str(day),
        metadata={
            "dagster/partition_row_count": rows,
            "bytes": size,
            "version": version,
            "dagster/uri": uri,
            **metadata,
        },
        tags={**tags, DATA_VERSION_TAG: version},
    )


def nothing_events(
    asset: dg.AssetKey | str, partition_keys: Iterable[str], days: Collection[date]
) -> Iterator[dg.AssetMaterialization]:
    """Yield an event for each day of a run that is not among the built days, since nothing has landed on it.

    Without it a backfill with such days would count as failed. It names no inputs: as long as nothing lands on the day
    it is not stale, whatever lands on the day before.
    """
    for key in partition_keys:
        if date.fromisoformat(key) not in days:
            yield dg.AssetMaterialization(
                asset,
                description="Nothing has landed on this day, so there was nothing to build.",
                partition=key,
                metadata={"dagster/partition_row_count": 0},
                tags={DATA_VERSION_TAG: "nothing"},
            )


def published_event(day: date, published: PublishedDay) -> dg.AssetMaterialization:
    """Return the event of a day that is published, with its version and rows."""
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
    """Return the tags by which Dagster sees later that a core table is stale: what has landed, and the code version.

    Call it before raw is read, so that whatever lands afterwards shows as a change.
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
    """Return the data version of each day's newest materialization."""
    found = latest_tags(instance, asset, DATA_VERSION_TAG)
    return {date.fromisoformat(day): version for day, version in found.items()}


def latest_materializations(
    instance: dg.DagsterInstance, tables: Iterable[str], days: Iterable[date]
) -> LatestMaterializations:
    """Return the newest materialization of each table and day, where there is one."""
    partitions = {str(day) for day in days}
    targets = {}
    for table in sorted(set(tables)):
        key = dg.AssetKey(table)
        ids = latest_event_ids(instance, key, partitions=partitions)
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids)
        for record in instance.fetch_materializations(wanted, limit=len(ids)).records if ids else ():
            targets[table, date.fromisoformat(str(record.partition_key))] = (
                AssetCheckEvaluationTargetMaterializationData(
                    storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
                )
            )
    return targets


def sync_landed_events(
    instance: dg.DagsterInstance,
    landed: Landed,
    log: Callable[[DayEvent], None],
    *,
    days: Iterable[date] | None = None,
    until: float = math.inf,
) -> list[date]:
    """Log the days that have landed or changed since their last event.

    Args:
        instance: Where the events are.
        landed: What has landed.
        log: How to log an event: into a run, or without one.
        days: The days to compare; all that have landed by default.
        until: When to stop, by the monotonic clock; the next call logs the rest.

    Returns:
        The days that were logged, newest first. A day without a partition is logged once it has one.
    """
    known = known_versions(instance, LANDED)
    logged = []
    for day in with_partition(sorted(landed.days if days is None else landed.days.keys() & set(days), reverse=True)):
        if known.get(day) == landed.days[day].digest:
            continue
        if time.monotonic() > until:
            break
        for event in landed_events(day, landed.days[day]):
            log(event)
        logged.append(day)
    return logged


def sync_published_events(
    instance: dg.DagsterInstance,
    manifest: Manifest,
    *,
    lake: Path,
    active: Collection[date],
    stale: Collection[date],
    until: float = math.inf,
) -> list[date]:
    """Log the tables of published days whose last event is of another version than the published one.

    The day may have been published without Dagster, or one run built it while another published it from newer calls.
    Also log what Dagster shows as failed though nothing is left to do: the run died after it had published the day, or
    another run published it.

    Args:
        instance: Where the events are.
        manifest: What is published.
        lake: The lake's folder.
        active: Days that a run is working on, which logs them itself.
        stale: Days that are to be built, and may well have failed.
        until: When to stop, by the monotonic clock; the next call logs the rest.

    Returns:
        The days that were logged, newest first.
    """
    known = {asset: known_versions(instance, asset) for asset in _COMPARED}
    waiting = set(stale)
    failed = {asset: set(map(date.fromisoformat, failed_partitions(instance, asset))) - waiting for asset in _COMPARED}
    tags = core_tags(instance)
    logged = []
    for day in with_partition(sorted(manifest.days.keys() - set(active), reverse=True)):
        published = manifest.days[day]
        wrong = [asset for asset in _COMPARED if known[asset].get(day) != published.version or day in failed[asset]]
        if day in waiting:  # its tables may show what was built since, and refused
            wrong = list(_COMPARED) if CATALOG in wrong else []
        if not wrong:
            continue
        if time.monotonic() > until:
            break
        for asset in wrong:
            for event in _events_of(asset, day, published, lake, STALE_CORE if day in waiting else tags):
                instance.report_runless_asset_event(event)
        logged.append(day)
    return logged


def _events_of(
    asset: dg.AssetKey, day: date, published: PublishedDay, lake: Path, tags: Mapping[str, str]
) -> Iterator[dg.AssetMaterialization]:
    """Yield the events of one of the compared assets, and of those that it represents."""
    if asset == CATALOG:
        yield published_event(day, published)
        return
    tables, origin = (CORE_TABLES, tags) if asset == _CORE else ([asset.to_user_string()], {})
    for table in tables:
        rows, size = published.rows[table], published.bytes[table]
        yield built_event(table, day, published.version, lake=lake, rows=rows, size=size, tags=origin)
