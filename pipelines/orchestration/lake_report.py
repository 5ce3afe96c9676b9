"""Tells Dagster what happened in the lake without its knowing, so that its pages show the lake as it is.

The command line lands, builds and publishes days too, and a crash can come between a step of the lake and its event.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date

import dagster as dg

from pipelines.dictionary import CORE_TABLES, TABLES
from pipelines.lake.state import Landed, Manifest, PublishedDay
from pipelines.orchestration.day_events import (
    CATALOG,
    LANDED,
    built_event,
    core_tags,
    failed_days,
    known_versions,
    landed_events,
    published_event,
)
from pipelines.partitions import with_partition

DayEvent = dg.AssetObservation | dg.AssetMaterialization


def report_landed(
    instance: dg.DagsterInstance,
    landed: Landed,
    log: Callable[[DayEvent], None],
    *,
    days: Iterable[date] | None = None,
    until: float = math.inf,
) -> list[date]:
    """Log the days that have landed or changed since Dagster last heard of them.

    Args:
        instance: Where the events are.
        landed: What has landed.
        log: How to log an event: into a run, or without one.
        days: The days to look at; all that have landed where not given.
        until: When to stop, by the monotonic clock; the rest comes next time.

    Returns:
        The days that were logged, newest first. Days without a partition wait.
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


def report_published(
    instance: dg.DagsterInstance,
    manifest: Manifest,
    *,
    but: Collection[date],
    stale: Collection[date],
    until: float = math.inf,
) -> list[date]:
    """Report the days whose published version is another than the one that Dagster last heard of.

    Also those that Dagster shows as failed though nothing is left to be done: the run died after it had published them,
    or another run did.

    Args:
        instance: Where the events are.
        manifest: What is published.
        but: Days that a run is working on, which reports them itself.
        stale: Days that are to be built, and may well have failed.
        until: When to stop, by the monotonic clock; the rest comes next time.

    Returns:
        The days that were reported, newest first.
    """
    known = known_versions(instance, CATALOG)
    red = failed_days(instance, CATALOG) - set(stale)
    tags = core_tags(instance)
    reported = []
    for day in with_partition(sorted(manifest.days.keys() - set(but), reverse=True)):
        published = manifest.days[day]
        if known.get(day) == published.version and day not in red:
            continue
        if time.monotonic() > until:
            break
        for event in _published_events(day, published, tags):
            instance.report_runless_asset_event(event)
        reported.append(day)
    return reported


def _published_events(day: date, published: PublishedDay, tags: Mapping[str, str]) -> Iterator[dg.AssetMaterialization]:
    """The events of a day's tables, then that of its publication, by which one knows that all were reported."""
    for table in TABLES:
        rows, size = published.rows[table], published.bytes[table]
        origin = tags if table in CORE_TABLES else {}
        yield built_event(table, day, published.version, rows=rows, size=size, tags=origin)
    yield published_event(day, published)
