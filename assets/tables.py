"""The table assets: five core tables from one decode of a day, and three marts from the core tables."""

# Dagster reads the annotation of `context`: no annotations from __future__ here.

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import dagster as dg
import polars as pl

from assets._dagster import NO_OUTPUT_EVENT
from assets.automation import run_plan
from assets.events import (
    CODE_VERSION,
    LANDED,
    built_event,
    core_tags,
    markdown_table,
    nothing_events,
    sync_landed_events,
)
from assets.partitions import SINGLE_RUN, WITH_THE_DAY_BEFORE, daily_partitions
from assets.resources import LakeResource, expected_failures
from pipelines.dictionary import CORE_TABLES, TABLES, Column, ColumnType, Personal, ratios_of
from pipelines.lake import layout
from pipelines.lake.locks import LAKE
from pipelines.lake.state import load_landed, load_manifest
from pipelines.lake.tables import VersionTables
from pipelines.lake.versions import read_audit
from pipelines.materialize.day import CoreBuilder, build_mart
from pipelines.metrics import ratio_of_sums
from pipelines.quality import thresholds
from pipelines.workspace import Workspace

OWNERS: Final = ("team:call-analytics",)
CORE: Final = "core"
MARTS: Final = "marts"
SERVING: Final = "serving"
EXTRACT: Final = "extract"
TABLES_FRESHNESS: Final = dg.FreshnessPolicy.time_window(
    warn_window=thresholds.TABLES_WARN_AFTER, fail_window=thresholds.TABLES_FAIL_AFTER
)
"""Whether any day was built lately. The sensor knows of each day whether it is stale."""

KEY_FIGURES: Final[Mapping[str, tuple[str, ...]]] = {
    "call_metrics_daily": (
        "calls",
        "connected_calls",
        "connect_rate",
        "completion_rate",
        "transfer_rate",
        "containment_rate",
        "average_duration_seconds",
        "cost",
        "cost_missing_calls",
        "cost_per_minute",
    ),
    "transfer_metrics_daily": ("legs", "transfer_success_rate", "average_leg_seconds", "cost", "cost_per_minute"),
    "call_volume_hourly": ("calls", "connected_calls", "completed_calls", "transferred_calls", "contained_calls"),
}
"""Columns and ratios of a mart that Dagster shows of each day, and plots over the days."""

MART_INPUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "call_metrics_daily": ("calls",),
    "transfer_metrics_daily": ("transfer_legs",),
    "call_volume_hourly": ("calls",),
}


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
        partitions_def=daily_partitions(),
        code_version=CODE_VERSION,
        tags={"personal_data": _personal(table)},
        freshness_policy=TABLES_FRESHNESS if group == MARTS else None,
        metadata={
            **docs_link(f"tables.md#{table}"),
            "dagster/column_schema": dagster_schema(table),
            "dagster/table_name": f"chorus.main.{table}",
        },
    )


def _personal(table: str) -> str:
    """Return what the table says about people, as a tag to filter by: `none`, `linkable` or `content`."""
    classes = {column.personal for column in TABLES[table].columns}
    if any(personal.is_content for personal in classes):
        return "content"
    return str(Personal.LINKABLE if Personal.LINKABLE in classes else Personal.NONE)


def dagster_schema(table: str) -> dg.TableSchema:
    """Columns of a published table as its asset's `dagster/column_schema`.

    Returns:
        Every column a reader sees, call_date first, with its description, its formula as a further constraint, and
        tags for its unit and personal-data class. A one-column key is marked unique, a longer one is listed with the
        table's constraints: both are unique within one call_date.
    """
    definition = TABLES[table]
    constraints = [definition.grain]
    if definition.key:
        constraints.append(f"unique within a call_date, nulls alike: {', '.join(definition.key)}")
    return dg.TableSchema(
        columns=[_column(column, unique=definition.key == (column.name,)) for column in definition.all_columns],
        constraints=dg.TableConstraints(other=constraints),
    )


def _column(column: Column, *, unique: bool) -> dg.TableColumn:
    tags = {"unit": column.unit} if column.unit else {}
    if column.personal is not Personal.NONE:
        tags["personal"] = str(column.personal)
    if column.additivity:
        tags["additivity"] = str(column.additivity)
    return dg.TableColumn(
        name=column.name,
        type=str(column.type),
        description=column.description,
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable, unique=unique, other=[f"= {column.formula}"] if column.formula else []
        ),
        tags=tags,
    )


def key_figures(table: str, rows: pl.DataFrame) -> dict[str, float | None]:
    """Sum a mart's rows of one day, and derive its ratios from the sums.

    Args:
        table: A mart.
        rows: Its rows of the day, with at least `key_figure_columns`.

    Returns:
        The table's `KEY_FIGURES`, in the units of their columns; None if a sum has no value or a ratio no
        denominator.
    """
    nullable = {name: TABLES[table].column(name).nullable for name in key_figure_columns(table)}
    sums = rows.select(
        # As in SQL, a sum of nulls alone is null; of no rows there are 0 calls.
        pl.when((pl.col(name).count() > 0) | (not can_be_null)).then(pl.col(name).sum())
        for name, can_be_null in nullable.items()
    )
    ratios = {
        ratio.name: ratio_of_sums(ratio) for ratio in ratios_of(TABLES[table]) if ratio.name in KEY_FIGURES[table]
    }
    return sums.with_columns(**ratios).select(KEY_FIGURES[table]).row(0, named=True)


def key_figure_columns(table: str) -> list[str]:
    """Return the columns of a mart that `key_figures` reads."""
    ratios = {ratio.name: ratio.components for ratio in ratios_of(TABLES[table])}
    return list(dict.fromkeys(column for name in KEY_FIGURES[table] for column in ratios.get(name, (name,))))


def _table_event(
    workspace: Workspace,
    table: str,
    day: date,
    version: str,
    *,
    rows: int,
    seconds: float | None,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dg.AssetMaterialization:
    """Return the event of a table of a day that was built: what its file holds, and a mart's key figures."""
    tables = VersionTables(workspace.storage, day, version)
    metadata: dict[str, Any] = {}
    if times := _times(tables, table):
        metadata["earliest"], metadata["latest"] = map(dg.MetadataValue.timestamp, times)
    if seconds is not None:
        metadata["seconds"] = round(seconds, 3)
    if table in KEY_FIGURES:
        figures = key_figures(table, tables.frame(table, key_figure_columns(table)))
        cells = (
            (name, "-" if value is None else f"{round(value, 4):,}", TABLES[table].column(name).unit)
            for name, value in figures.items()
        )
        metadata["key figures"] = markdown_table(("of the day", "", "unit"), cells)
        metadata |= {name: value for name, value in figures.items() if value is not None}
    size = workspace.storage.size(layout.table_file(day, version, table)) or 0
    lake = workspace.settings.lake_path
    return built_event(table, day, version, lake=lake, rows=rows, size=size, metadata=metadata, tags=tags)


def _times(tables: VersionTables, table: str) -> tuple[datetime, datetime] | None:
    """Return the earliest and latest value of a table's first column of instants, where it has one."""
    column = next((column.name for column in TABLES[table].columns if column.type is ColumnType.INSTANT), None)
    if column is None:
        return None
    times = tables.frame(table, [column])[column]
    earliest, latest = times.min(), times.max()
    return (earliest, latest) if isinstance(earliest, datetime) and isinstance(latest, datetime) else None


@dg.multi_asset(
    name=run_plan.PLANNING_STEP,
    specs=[
        table_spec(table, CORE, [dg.AssetDep(LANDED, partition_mapping=WITH_THE_DAY_BEFORE)]) for table in CORE_TABLES
    ],
    backfill_policy=SINGLE_RUN,
)
def core_tables(
    context: dg.AssetExecutionContext, lake: LakeResource
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
    """Flatten the calls of each landed day of the run; a day on which nothing has landed stays as it is."""
    with expected_failures():
        workspace = lake.for_writing()
        storage = workspace.storage
        with storage.lock(LAKE, shared=True):
            manifest = load_manifest(storage).value
            landed = load_landed(storage).value
            builds = run_plan.create_plan(workspace, context.run, context.partition_keys, manifest, landed)
            # Logged before anything is built from it: whatever is logged later makes these tables stale.
            inputs = {before for day in builds for before in (day, day - timedelta(days=1))}
            sync_landed_events(context.instance, landed, context.log_event, days=inputs)
            tags = core_tags(context.instance)
            builder = CoreBuilder(storage, workspace.flatten_settings, landed)
            context.log.info("%s of %s days have landed", len(builds), len(context.partition_keys))
            for table in CORE_TABLES:
                yield from nothing_events(table, context.partition_keys, builds)
            for day, build in builds.items():
                complete = read_audit(storage, day, build.version)
                begun = time.perf_counter()
                rows = complete.rows if complete else builder.build(day, build.version)
                # Of all five together: one decode makes them.
                seconds = None if complete else time.perf_counter() - begun
                for table in CORE_TABLES:
                    yield _table_event(
                        workspace, table, day, build.version, rows=rows[table], seconds=seconds, tags=tags
                    )
    for table in CORE_TABLES:
        yield dg.MaterializeResult(asset_key=table, metadata=NO_OUTPUT_EVENT)


def _mart(table: str, inputs: Iterable[str]) -> dg.AssetsDefinition:
    @dg.multi_asset(name=table, specs=[table_spec(table, MARTS, inputs)], backfill_policy=SINGLE_RUN)
    def build(
        context: dg.AssetExecutionContext, lake: LakeResource
    ) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
        with expected_failures():
            workspace = lake.workspace()
            storage = workspace.storage
            with storage.lock(LAKE, shared=True):
                zone = workspace.settings.timezone
                builds = run_plan.planned_builds(workspace, context.run, context.partition_keys, needs=inputs)
                yield from nothing_events(table, context.partition_keys, builds)
                for day, build in builds.items():
                    complete = read_audit(storage, day, build.version)
                    begun = time.perf_counter()
                    rows = complete.rows[table] if complete else build_mart(storage, zone, day, build.version, table)
                    seconds = None if complete else time.perf_counter() - begun
                    yield _table_event(workspace, table, day, build.version, rows=rows, seconds=seconds)
        yield dg.MaterializeResult(asset_key=table, metadata=NO_OUTPUT_EVENT)

    return build


call_metrics_daily, transfer_metrics_daily, call_volume_hourly = (_mart(*mart) for mart in MART_INPUTS.items())
