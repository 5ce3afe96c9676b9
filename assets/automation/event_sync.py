"""Log the events that Dagster missed, so that its pages show the lake as it is.

The command line lands, builds and publishes days too, and a crash can come between a step of the lake and its event.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Final

import dagster as dg

from assets.events import (
    CATALOG,
    LANDED,
    STALE_CORE,
    built_event,
    core_tags,
    failed_days,
    known_versions,
    landed_events,
    published_event,
)
from assets.partitions import with_partition
from pipelines.dictionary import CORE_TABLES, MARTS
from pipelines.lake.state import Landed, Manifest, PublishedDay

DayEvent = dg.AssetObservation | dg.AssetMaterialization

_CORE: Final = dg.AssetKey("calls")
"""Represents all core tables, whose events are logged together."""
_COMPARED: Final = (_CORE, *map(dg.AssetKey, MARTS), CATALOG)
"""Assets whose events are compared with the manifest."""


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
        active: Days that a run is working on, which logs them itself.
        stale: Days that are to be built, and may well have failed.
        until: When to stop, by the monotonic clock; the next call logs the rest.

    Returns:
        The days that were logged, newest first.
    """
    known = {asset: known_versions(instance, asset) for asset in _COMPARED}
    waiting = set(stale)
    failed = {asset: failed_days(instance, asset) - waiting for asset in _COMPARED}
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
            for event in _events_of(asset, day, published, STALE_CORE if day in waiting else tags):
                instance.report_runless_asset_event(event)
        logged.append(day)
    return logged


def _events_of(
    asset: dg.AssetKey, day: date, published: PublishedDay, tags: Mapping[str, str]
) -> Iterator[dg.AssetMaterialization]:
    """Yield the events of one of the compared assets, and of those that it represents."""
    if asset == CATALOG:
        yield published_event(day, published)
        return
    tables, origin = (CORE_TABLES, tags) if asset == _CORE else ([asset.to_user_string()], {})
    for table in tables:
        rows, size = published.rows[table], published.bytes[table]
        yield built_event(table, day, published.version, rows=rows, size=size, tags=origin)
