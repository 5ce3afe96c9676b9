"""The five core tables: one decode of one day of calls makes them all."""

# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

import time
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from assets.tables import CORE, table_event, table_spec
from pipelines.build.day import CoreBuilder
from pipelines.dictionary import CORE_TABLES
from pipelines.lake.state import load_landed, load_manifest
from pipelines.lake.versions import read_audit
from pipelines.orchestration import run_plan
from pipelines.orchestration.day_events import LANDED, QUIET, core_tags, nothing_events
from pipelines.orchestration.lake_report import report_landed
from pipelines.partitions import ONE_RUN, WITH_THE_DAY_BEFORE
from pipelines.resources import LakeResource, expected_failures


@dg.multi_asset(
    name=run_plan.PLANNING_STEP,
    specs=[
        table_spec(table, CORE, [dg.AssetDep(LANDED, partition_mapping=WITH_THE_DAY_BEFORE)]) for table in CORE_TABLES
    ],
    backfill_policy=ONE_RUN,
)
def core_tables(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[LakeResource]
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
    """Flatten the calls of each landed day of the run; days on which nothing has landed are left alone."""
    with expected_failures():
        workspace = lake.for_writing()
        storage = workspace.storage
        with storage.lock("lake", shared=True):
            manifest = load_manifest(storage).value
            landed = load_landed(storage).value
            builds = run_plan.begin(workspace, context.run, context.partition_keys, manifest, landed)
            # Told before anything is built from it: whatever is told later makes these tables stale.
            inputs = {before for day in builds for before in (day, day - timedelta(days=1))}
            report_landed(context.instance, landed, context.log_event, days=inputs)
            tags = core_tags(context.instance)
            builder = CoreBuilder(workspace, landed)
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
        yield dg.MaterializeResult(asset_key=table, metadata=QUIET)
