"""What all table assets have in common: how they look in the UI, and the event of one built day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

import dagster as dg

from pipelines.build.workspace import Workspace
from pipelines.dictionary import MARTS as MART_TABLES
from pipelines.dictionary import TABLES, ColumnType, Personal
from pipelines.dictionary.dagster_schema import dagster_schema
from pipelines.lake import layout
from pipelines.lake.version_tables import VersionTables
from pipelines.orchestration.day_events import CODE_VERSION, built_event
from pipelines.orchestration.day_view import day_view, view_columns
from pipelines.partitions import DAILY
from pipelines.quality import limits
from pipelines.settings import load_settings

OWNERS: Final = ("team:call-analytics",)
CORE: Final = "core"
MARTS: Final = "marts"
SERVING: Final = "serving"
EXTRACT: Final = "extract"
BUILT_LATELY: Final = dg.FreshnessPolicy.time_window(warn_window=limits.TABLES_LATE, fail_window=limits.TABLES_OVERDUE)
"""Whether anything was built lately, of whatever day. What waits to be built is for the sensor to know."""


def docs_link(page: str) -> dict[str, dg.MetadataValue]:
    """Return the metadata that says where an asset is documented: a page of `docs`, with its heading."""
    return {"docs": dg.MetadataValue.path(f"docs/{page}")}


def table_spec(table: str, group: str, deps: Iterable[dg.AssetDep | str]) -> dg.AssetSpec:
    """Return the asset of a table, described by the data dictionary."""
    definition = TABLES[table]
    return dg.AssetSpec(
        table,
        deps=list(deps),
        description=(
            f"{definition.title}. {definition.description}\n\nGrain: {definition.grain}\n\n"
            f"Documentation: docs/tables.md#{table}"
        ),
        group_name=group,
        kinds={"polars", "parquet"},
        owners=OWNERS,
        partitions_def=DAILY,
        code_version=CODE_VERSION,
        tags={"personal_data": _personal(table)},
        freshness_policy=BUILT_LATELY if group == MARTS else None,
        metadata={
            **docs_link(f"tables.md#{table}"),
            "dagster/column_schema": dagster_schema(table),
            "dagster/table_name": f"chorus.main.{table}",
            "dagster/uri": (load_settings().lake_path.absolute() / table).as_uri(),
        },
    )


def _personal(table: str) -> str:
    """What the table tells about people, as a tag to filter by: `none`, `linkable` or `content`."""
    classes = {column.personal for column in TABLES[table].columns}
    if any(personal.is_content for personal in classes):
        return "content"
    return str(Personal.LINKABLE if Personal.LINKABLE in classes else Personal.NONE)


def table_event(
    workspace: Workspace,
    table: str,
    day: date,
    version: str,
    *,
    rows: int,
    seconds: float | None,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dg.AssetMaterialization:
    """Say that a table of a day was built, with what its file holds; of a mart, with what a person looks at."""
    tables = VersionTables(workspace.storage, day, version)
    return built_event(
        table,
        day,
        version,
        rows=rows,
        size=workspace.storage.size(layout.table_file(day, version, table)) or 0,
        times=_times(tables, table),
        seconds=seconds,
        view=day_view(table, tables.frame(table, view_columns(table))) if table in MART_TABLES else None,
        tags=tags,
    )


def _times(tables: VersionTables, table: str) -> tuple[datetime, datetime] | None:
    """Earliest and latest of a table's first column of instants."""
    column = next((column.name for column in TABLES[table].columns if column.type is ColumnType.INSTANT), None)
    if column is None:
        return None
    times = tables.frame(table, [column])[column]
    earliest, latest = times.min(), times.max()
    return (earliest, latest) if isinstance(earliest, datetime) and isinstance(latest, datetime) else None
