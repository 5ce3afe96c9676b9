"""A lake of many days with few calls each, made in seconds: what is slow of it is their number, not their size.

A week is landed and built as the product does. Its files, linked under the names of the other days, represent those
days: readers and writers find everything in its place, and every file is real.
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from pipelines.dictionary import TABLES
from pipelines.extract.landing.landing import Landing
from pipelines.lake import layout, raw, state
from pipelines.lake.identity import require_same_settings
from pipelines.lake.publish import Build
from pipelines.lake.state import Landed, LandedDay, PublishedDay
from pipelines.lake.versions import fingerprint
from pipelines.materialize.days import build_days
from pipelines.simulator import World
from pipelines.workspace import Workspace

_WEEK: Final = 7
_NOW: Final = datetime(2025, 12, 8, 20, 0, tzinfo=UTC)


class LongLake:
    """A lake whose days are all landed and published; nothing may be in its folder before.

    Args:
        workspace: Where to make it.
        days: How many days it has.
        calls_a_day: About how many calls each has.
    """

    def __init__(self, workspace: Workspace, *, days: int, calls_a_day: int) -> None:
        self.workspace = workspace
        self._storage = workspace.storage
        self._root = Path(workspace.storage.address())
        self._landings = 0
        require_same_settings(workspace.storage, workspace.table_settings)
        world = World(calls=calls_a_day * _WEEK, days=_WEEK, start=_NOW)
        landing = Landing(
            self._storage, state.load_landed(self._storage), start_date=date(2019, 1, 1), sync_id="benchmark"
        )
        landing.add(list(world.items()))
        landing.flush()
        week = sorted(state.load_landed(self._storage).value.days)
        build_days(workspace, week)
        self.days = [week[0] - timedelta(days=number) for number in range(days, 0, -1)]
        origins = {day: week[number % len(week)] for number, day in enumerate(self.days)}
        self._publish(self._land(origins), origins)
        for day in week:  # the lake has its copies alone
            for folder in ("raw/calls", "days", *TABLES):
                shutil.rmtree(self._root / folder / f"call_date={day}")

    def _land(self, origins: dict[date, date]) -> Landed:
        kept = state.load_landed(self._storage)
        week, kept.value.days = kept.value.days, {}
        for day, origin in origins.items():
            self._link_folder(layout.raw_folder(raw.CALLS, origin), layout.raw_folder(raw.CALLS, day))
            landed = kept.value.days.setdefault(day, LandedDay())
            for name, file in week[origin].calls.items():
                raw.add_file(landed, raw.CALLS, name, file)
        state.commit(self._storage, kept)
        return kept.value

    def _publish(self, landed: Landed, origins: dict[date, date]) -> None:
        kept = state.load_manifest(self._storage)
        week, kept.value.days = kept.value.days, {}
        for day, origin in origins.items():
            version = fingerprint(landed, day, self.workspace.table_settings)
            built = layout.version_folder(origin, week[origin].version)
            self._link_folder(built, layout.version_folder(day, version))
            published = PublishedDay(
                version=version, published_at=state.now(), rows=week[origin].rows, bytes=week[origin].bytes
            )
            kept.value.days[day] = published
            for table in TABLES:
                self._link(layout.table_file(day, version, table), layout.link_file(day, table))
        kept.value.generation += 1
        kept.value.committed_at = state.now()
        state.commit(self._storage, kept)
        self.workspace.catalog.make(kept.value)

    def land(self, day: date) -> None:
        """Count one more raw file of a day, as landing does."""
        kept = state.load_landed(self._storage)
        landed = kept.value.days[day]
        self._landings += 1
        name, file = next(iter(landed.calls.items()))
        again = f"{name}-{self._landings}"
        folder = layout.raw_folder(raw.CALLS, day)
        self._link(f"{folder}/{name}.parquet", f"{folder}/{again}.parquet")
        raw.add_file(landed, raw.CALLS, again, file)
        state.commit(self._storage, kept)

    def rebuild(self, day: date, like: date) -> dict[date, Build]:
        """Put a day's present version into its place, with another day's files; returns what is to be published."""
        published = state.load_manifest(self._storage).value.days
        version = fingerprint(state.load_landed(self._storage).value, day, self.workspace.table_settings)
        self._link_folder(layout.version_folder(like, published[like].version), layout.version_folder(day, version))
        return {day: Build(version=version, base=published[day].version)}

    def _link_folder(self, source: str, target: str) -> None:
        for file in (self._root / source).iterdir():
            self._link(f"{source}/{file.name}", f"{target}/{file.name}")

    def _link(self, source: str, target: str) -> None:
        (self._root / target).parent.mkdir(parents=True, exist_ok=True)
        os.link(self._root / source, self._root / target)
