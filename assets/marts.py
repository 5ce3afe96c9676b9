"""The three marts, each worked out from the core tables of the same version of a day."""

# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import dagster as dg

from assets.tables import MARTS, table_event, table_spec
from pipelines.build.day import build_mart
from pipelines.lake.versions import read_audit
from pipelines.orchestration import run_plan
from pipelines.orchestration.day_events import QUIET, nothing_events
from pipelines.partitions import ONE_RUN
from pipelines.resources import LakeResource, expected_failures

MART_INPUTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "call_metrics_daily": ("calls",),
        "transfer_metrics_daily": ("transfer_legs",),
        "call_volume_hourly": ("calls",),
    }
)


def _mart(table: str) -> dg.AssetsDefinition:
    @dg.multi_asset(name=table, specs=[table_spec(table, MARTS, MART_INPUTS[table])], backfill_policy=ONE_RUN)
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[LakeResource]
    ) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
        with expected_failures():
            workspace = lake.workspace()
            storage = workspace.storage
            with storage.lock("lake", shared=True):
                builds = run_plan.recall(workspace, context.run, context.partition_keys, needs=MART_INPUTS[table])
                yield from nothing_events(table, context.partition_keys, builds)
                for day, build in builds.items():
                    complete = read_audit(storage, day, build.version)
                    begun = time.perf_counter()
                    rows = complete.rows[table] if complete else build_mart(workspace, day, build.version, table)
                    seconds = None if complete else time.perf_counter() - begun
                    yield table_event(workspace, table, day, build.version, rows=rows, seconds=seconds)
        yield dg.MaterializeResult(asset_key=table, metadata=QUIET)

    return build


call_metrics_daily, transfer_metrics_daily, call_volume_hourly = (_mart(table) for table in MART_INPUTS)
