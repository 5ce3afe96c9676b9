"""What all table assets have in common: how they look in the UI, and the event of one built day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

import dagster as dg

from pipelines.build.workspace import Workspace
from pipelines.dictionary import TABLES, ColumnType
from pipelines.dictionary.dagster_schema import dagster_schema
from pipelines.lake import layout
from pipelines.lake.version_tables import VersionTables
from pipelines.orchestration.day_events import CODE_VERSION, built_event
from pipelines.partitions import DAILY
from pipelines.settings import load_settings

OWNERS: Final = ("team:call-analytics",)
CORE: Final = "core"
MARTS: Final = "marts"
SERVING: Final = "serving"
EXTRACT: Final = "extract"


def table_spec(table: str, group: str, deps: Iterable[dg.AssetDep | str]) -> dg.AssetSpec:
    """Return the asset of a table, described by the data dictionary."""
    definition = TABLES[table]
    return dg.AssetSpec(
        table,
        deps=list(deps),
        description=f"{definition.title}. {definition.description}\n\nGrain: {definition.grain}",
        group_name=group,
        kinds={"polars", "parquet"},
        owners=OWNERS,
        partitions_def=DAILY,
        code_version=CODE_VERSION,
        metadata={
            "dagster/column_schema": dagster_schema(table),
            "dagster/table_name": f"chorus.main.{table}",
            "dagster/uri": (load_settings().lake_path.absolute() / table).as_uri(),
        },
    )


def table_event(
    workspace: Workspace,
    table: str,
    day: date,
    version: str,
    *,
    rows: int,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dg.AssetMaterialization:
    """Say that a table of a day was built, with what its file holds."""
    size = workspace.storage.size(layout.table_file(day, version, table)) or 0
    return built_event(
        table, day, version, rows=rows, size=size, times=_times(workspace, table, day, version), tags=tags
    )


def _times(workspace: Workspace, table: str, day: date, version: str) -> tuple[datetime, datetime] | None:
    """Earliest and latest of a table's first column of instants."""
    column = next((column.name for column in TABLES[table].columns if column.type is ColumnType.INSTANT), None)
    if column is None:
        return None
    times = VersionTables(workspace.storage, day, version).frame(table, [column])[column]
    earliest, latest = times.min(), times.max()
    return (earliest, latest) if isinstance(earliest, datetime) and isinstance(latest, datetime) else None
