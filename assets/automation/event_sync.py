"""Tells Dagster what happened in the lake without its knowing, so that its pages show the lake as it is.

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
"""Stands for all core tables, since one step tells of them together."""
_ASKED: Final = (_CORE, *map(dg.AssetKey, MARTS), CATALOG)
"""Assets of which Dagster is asked what it knows."""


def sync_landed_events(
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


def sync_published_events(
    instance: dg.DagsterInstance,
    manifest: Manifest,
    *,
    but: Collection[date],
    stale: Collection[date],
    until: float = math.inf,
) -> list[date]:
    """Report what Dagster last heard to be of another version than the published one, table by table.

    That may be a day that was published without its knowing, or one that a run built while another, from newer calls,
    published it. Also what Dagster shows as failed though nothing is left to be done: the run died after it had
    published the day, or another run did.

    Args:
        instance: Where the events are.
        manifest: What is published.
        but: Days that a run is working on, which reports them itself.
        stale: Days that are to be built, and may well have failed.
        until: When to stop, by the monotonic clock; the rest comes next time.

    Returns:
        The days that were reported, newest first.
    """
    known = {asset: known_versions(instance, asset) for asset in _ASKED}
    waiting = set(stale)
    red = {asset: failed_days(instance, asset) - waiting for asset in _ASKED}
    tags = core_tags(instance)
    reported = []
    for day in with_partition(sorted(manifest.days.keys() - set(but), reverse=True)):
        published = manifest.days[day]
        wrong = [asset for asset in _ASKED if known[asset].get(day) != published.version or day in red[asset]]
        if day in waiting:  # its tables may show what was built since, and refused
            wrong = list(_ASKED) if CATALOG in wrong else []
        if not wrong:
            continue
        if time.monotonic() > until:
            break
        origin = STALE_CORE if day in waiting else tags
        for asset in wrong:
            for event in _events_of(asset, day, published, origin):
                instance.report_runless_asset_event(event)
        reported.append(day)
    return reported


def _events_of(
    asset: dg.AssetKey, day: date, published: PublishedDay, origin: Mapping[str, str]
) -> Iterator[dg.AssetMaterialization]:
    """The events of one of the assets that are asked about, and of those that it stands for."""
    if asset == CATALOG:
        yield published_event(day, published)
        return
    tables, tags = (CORE_TABLES, origin) if asset == _CORE else ([asset.to_user_string()], {})
    for table in tables:
        rows, size = published.rows[table], published.bytes[table]
        yield built_event(table, day, published.version, rows=rows, size=size, tags=tags)
