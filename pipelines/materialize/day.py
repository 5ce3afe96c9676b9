"""Build one version of a day in stages, each of which leaves its files complete or not at all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from functools import partial
from types import MappingProxyType

import polars as pl
import pyarrow as pa

from pipelines.dictionary import CORE_TABLES
from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.day import DayFlattener, index_calls
from pipelines.flatten.leg_index import DayIndex
from pipelines.flatten.settings import FlattenSettings
from pipelines.lake import raw
from pipelines.lake.publish import Build
from pipelines.lake.raw import landed_items
from pipelines.lake.state import Landed, Manifest
from pipelines.lake.storage import Storage
from pipelines.lake.tables import VersionTables, write_table
from pipelines.lake.versions import Audit, CheckRecord, fingerprint, write_audit
from pipelines.metrics import (
    CALL_COLUMNS,
    HOURLY_CALL_COLUMNS,
    LEG_COLUMNS,
    call_metrics_daily,
    call_volume_hourly,
    transfer_metrics_daily,
)
from pipelines.quality import CHECKS_VERSION, audit
from pipelines.workspace import Workspace

Mart = Callable[[VersionTables, str], pl.DataFrame]
_MARTS: Mapping[str, Mart] = MappingProxyType(
    {
        "call_metrics_daily": lambda tables, _: call_metrics_daily(tables.frame("calls", CALL_COLUMNS)),
        "transfer_metrics_daily": lambda tables, _: transfer_metrics_daily(tables.frame("transfer_legs", LEG_COLUMNS)),
        "call_volume_hourly": lambda tables, timezone: call_volume_hourly(
            tables.frame("calls", HOURLY_CALL_COLUMNS), day=tables.day, timezone=timezone
        ),
    }
)


def plan_builds(workspace: Workspace, days: Sequence[date], manifest: Manifest, landed: Landed) -> dict[date, Build]:
    """Fix which version of each day is to be built, and which one is published at this moment.

    Days that have not landed are left out: between choosing the days and taking the lock, an erasure or a prune may
    have removed all of a day, and an empty version of it must not be published.

    Args:
        workspace: The lake.
        days: The days.
        manifest: What is published. It was read before `landed`: otherwise a version that another build published in
            between, from newer inputs, would count as the base of this one, which would then take the day back.
        landed: What has landed. The versions are built from exactly this, whatever lands meanwhile.
    """
    return {
        day: Build(
            version=fingerprint(landed, day, workspace.table_settings),
            base=published.version if (published := manifest.days.get(day)) else None,
        )
        for day in sorted(days)
        if day in landed.days
    }


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Turn the garbage collector off: a day's objects hold no cycles, and walking them takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class CoreBuilder:
    """Build the five core tables of days, best in calendar order: the leg index of a day serves the next one too."""

    def __init__(self, storage: Storage, settings: FlattenSettings, landed: Landed) -> None:
        """Take what had landed when the versions were planned; what lands later belongs to other versions."""
        self._storage = storage
        self._settings = settings
        self._landed = landed.days
        self._last: tuple[date, str, DayIndex] | None = None

    @_no_garbage_collection()
    def build(self, day: date, version: str) -> dict[str, int]:
        """Flatten what has landed of a day.

        Returns:
            Rows by table.
        """
        storage, landed = self._storage, self._landed
        rejected = raw.read_rejected(storage, day, landed.get(day))
        read = partial(raw.read_day, storage, day, landed.get(day))
        flattener = DayFlattener(read, partial(self._index_before, day), rejected, self._settings)
        with ExitStack() as files:
            items = landed_items(storage, day, landed.get(day))
            writers = {
                table: files.enter_context(write_table(storage, day, version, table, items=items.get(table)))
                for table in CORE_TABLES
            }
            for part in flattener.parts():
                for table, rows in part.items():
                    writers[table].write(rows)
        if day in landed:
            self._last = (day, landed[day].digest, flattener.index.for_next_day())
        return {table: writer.rows for table, writer in writers.items()}

    def _index_before(self, day: date) -> DayIndex:
        before = day - timedelta(days=1)
        known = self._landed.get(before)
        if self._last and known and self._last[:2] == (before, known.digest):
            return self._last[2]
        return index_calls(partial(raw.read_day, self._storage, before, known))


def build_mart(
    storage: Storage, timezone: str, day: date, version: str, table: str, *, tables: VersionTables | None = None
) -> int:
    """Aggregate the core tables of a version into one mart.

    Args:
        storage: The lake's files.
        timezone: IANA zone of local times.
        day: The day.
        version: Its version, whose core tables are written.
        table: The mart.
        tables: The same version, if it is open already.

    Returns:
        Rows of the mart.
    """
    frame = _MARTS[table](tables or VersionTables(storage, day, version), timezone)
    with write_table(storage, day, version, table) as writer:
        writer.write(frame.to_arrow().cast(arrow_schema(table)))
        return writer.rows


def audit_day(storage: Storage, day: date, version: str, *, tables: VersionTables | None = None) -> Audit:
    """Check the tables of a version, all of which are written, and mark it as complete."""
    tables = tables or VersionTables(storage, day, version)
    results = [
        CheckRecord(result.check, result.table, result.passed, result.rows, result.detail) for result in audit(tables)
    ]
    return write_audit(storage, day, version, CHECKS_VERSION, results, tables=tables)


class VersionBuilder:
    """Build whole versions: all eight tables of a day, and the results of the checks on them."""

    def __init__(self, storage: Storage, settings: FlattenSettings, landed: Landed) -> None:
        """Take what had landed when the versions were planned."""
        self._storage = storage
        self._settings = settings
        self._core = CoreBuilder(storage, settings, landed)

    def build(self, day: date, version: str) -> Audit:
        """Build all tables of a version and check them."""
        self._core.build(day, version)
        # Marts and checks read many of the same columns, and a written file never changes.
        tables = VersionTables(self._storage, day, version)
        for table in _MARTS:
            build_mart(self._storage, self._settings.timezone, day, version, table, tables=tables)
        found = audit_day(self._storage, day, version, tables=tables)
        pa.default_memory_pool().release_unused()  # otherwise a worker's memory grows by a tenth over its days
        return found
