"""The table assets: five core tables from one decode of a day, and three marts from the core tables."""

# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

import dagster as dg

from assets.automation import run_plan
from assets.automation.event_sync import sync_landed_events
from assets.column_schema import dagster_schema
from assets.day_view import day_view, view_columns
from assets.events import CODE_VERSION, LANDED, NO_OUTPUT_EVENT, built_event, core_tags, nothing_events
from assets.partitions import DAILY, SINGLE_RUN, WITH_THE_DAY_BEFORE
from assets.resources import LakeResource, expected_failures
from pipelines.dictionary import CORE_TABLES, TABLES, ColumnType, Personal
from pipelines.dictionary import MARTS as MART_TABLES
from pipelines.lake import layout
from pipelines.lake.locks import LAKE
from pipelines.lake.state import load_landed, load_manifest
from pipelines.lake.tables import VersionTables
from pipelines.lake.versions import read_audit

# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.
from pipelines.materialize.day import CoreBuilder, build_mart
from pipelines.quality import thresholds
from pipelines.settings import load_settings
from pipelines.workspace import Workspace

OWNERS: Final = ("team:call-analytics",)
CORE: Final = "core"
MARTS: Final = "marts"
SERVING: Final = "serving"
EXTRACT: Final = "extract"
BUILT_LATELY: Final = dg.FreshnessPolicy.time_window(
    warn_window=thresholds.TABLES_WARN_AFTER, fail_window=thresholds.TABLES_FAIL_AFTER
)
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


@dg.multi_asset(
    name=run_plan.PLANNING_STEP,
    specs=[
        table_spec(table, CORE, [dg.AssetDep(LANDED, partition_mapping=WITH_THE_DAY_BEFORE)]) for table in CORE_TABLES
    ],
    backfill_policy=SINGLE_RUN,
)
def core_tables(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[LakeResource]
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
    """Flatten the calls of each landed day of the run; days on which nothing has landed are left alone."""
    with expected_failures():
        workspace = lake.for_writing()
        storage = workspace.storage
        with storage.lock(LAKE, shared=True):
            manifest = load_manifest(storage).value
            landed = load_landed(storage).value
            builds = run_plan.begin(workspace, context.run, context.partition_keys, manifest, landed)
            # Told before anything is built from it: whatever is told later makes these tables stale.
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
                    yield table_event(
                        workspace, table, day, build.version, rows=rows[table], seconds=seconds, tags=tags
                    )
    for table in CORE_TABLES:
        yield dg.MaterializeResult(asset_key=table, metadata=NO_OUTPUT_EVENT)


MART_INPUTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "call_metrics_daily": ("calls",),
        "transfer_metrics_daily": ("transfer_legs",),
        "call_volume_hourly": ("calls",),
    }
)


def _mart(table: str) -> dg.AssetsDefinition:
    @dg.multi_asset(name=table, specs=[table_spec(table, MARTS, MART_INPUTS[table])], backfill_policy=SINGLE_RUN)
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[LakeResource]
    ) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
        with expected_failures():
            workspace = lake.workspace()
            storage = workspace.storage
            with storage.lock(LAKE, shared=True):
                zone = workspace.settings.timezone
                builds = run_plan.recall(workspace, context.run, context.partition_keys, needs=MART_INPUTS[table])
                yield from nothing_events(table, context.partition_keys, builds)
                for day, build in builds.items():
                    complete = read_audit(storage, day, build.version)
                    begun = time.perf_counter()
                    rows = complete.rows[table] if complete else build_mart(storage, zone, day, build.version, table)
                    seconds = None if complete else time.perf_counter() - begun
                    yield table_event(workspace, table, day, build.version, rows=rows, seconds=seconds)
        yield dg.MaterializeResult(asset_key=table, metadata=NO_OUTPUT_EVENT)

    return build


call_metrics_daily, transfer_metrics_daily, call_volume_hourly = (_mart(table) for table in MART_INPUTS)
