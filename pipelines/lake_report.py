"""Tells Dagster what happened in the lake without its knowing, so that its pages show the lake as it is.

The command line lands, builds and publishes days too, and a crash can come between a step of the lake and its event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date

import dagster as dg

from pipelines.day_events import (
    CATALOG,
    LANDED,
    built_event,
    core_tags,
    known_versions,
    landed_events,
    published_event,
)
from pipelines.dictionary import CORE_TABLES, TABLES
from pipelines.lake.state import Landed, Manifest
from pipelines.partitions import has_partition

DayEvent = dg.AssetObservation | dg.AssetMaterialization


def report_landed(
    instance: dg.DagsterInstance, landed: Landed, log: Callable[[DayEvent], None], *, most: int | None = None
) -> list[date]:
    """Log the days that have landed or changed since Dagster last heard of them.

    Args:
        instance: Where the events are.
        landed: What has landed.
        log: How to log an event: into a run, or without one.
        most: How many days at most, the rest comes next time; None for all.

    Returns:
        The days that were logged, newest first. Days without a partition wait.
    """
    known = known_versions(instance, LANDED)
    days = [
        day
        for day, found in sorted(landed.days.items(), reverse=True)
        if has_partition(day) and known.get(day) != found.digest
    ][:most]
    for day in days:
        for event in landed_events(day, landed.days[day]):
            log(event)
    return days


def report_published(
    instance: dg.DagsterInstance, manifest: Manifest, *, but: Collection[date], most: int
) -> list[date]:
    """Report the days whose published version is another than the one that Dagster last heard of.

    Args:
        instance: Where the events are.
        manifest: What is published.
        but: Days that a run is working on, which reports them itself.
        most: How many days at most; the rest comes next time.

    Returns:
        The days that were reported, newest first.
    """
    known = known_versions(instance, CATALOG)
    days = [
        day
        for day, published in sorted(manifest.days.items(), reverse=True)
        if has_partition(day) and day not in but and known.get(day) != published.version
    ][:most]
    tags = core_tags(instance) if days else {}
    for day in days:
        published = manifest.days[day]
        for table in TABLES:
            instance.report_runless_asset_event(
                built_event(
                    table,
                    day,
                    published.version,
                    rows=published.rows[table],
                    size=published.bytes[table],
                    tags=tags if table in CORE_TABLES else {},
                )
            )
        instance.report_runless_asset_event(published_event(day, published))
    return days
