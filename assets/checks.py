"""The checks between building and publishing, judged day by day.

A failing day must not keep the other days of its run from being published, so no check fails its step: the verdicts
go into each version's `_audit.json`, and publishing refuses the days whose verdicts are bad.
"""

# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

from collections.abc import Iterator
from datetime import date

import dagster as dg

from assets.automation import run_plan
from assets.events import LatestMaterializations, latest_materializations
from assets.partitions import DAILY
from assets.resources import LakeResource, expected_failures
from pipelines.dictionary import MARTS, TABLES
from pipelines.lake.locks import LAKE
from pipelines.lake.versions import Audit, VerdictRecord, read_audit
from pipelines.materialize.day import audit_day
from pipelines.quality import CHECKS, CHECKS_VERSION
from pipelines.workspace import Workspace

CHECK_SPECS = [
    dg.AssetCheckSpec(
        check.name,
        asset=check.table,
        description=f"{check.description} `catalog` does not publish a day that fails, whatever else is published.",
        additional_deps=[table for table in TABLES if table != check.table],
        # Lets `catalog` wait for this step. Of a core table it would let the marts wait too, for which this step waits.
        blocking=check.table in MARTS,
        partitions_def=DAILY,
    )
    for check in CHECKS
]


# Subsets, because somebody who materializes one table in the UI selects its checks alone.
@dg.multi_asset_check(specs=CHECK_SPECS, can_subset=True)
def audit(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeResource]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Judge each day of the run by what was written, and keep the verdicts beside it.

    The checks look at all tables together: a day of which some are not built yet has no verdict.
    """
    with expected_failures():
        workspace = lake.workspace()
        step = context.op_execution_context
        with workspace.storage.lock(LAKE, shared=True):
            builds = run_plan.recall(workspace, context.run, step.partition_keys)
            whole = {day: build for day, build in builds.items() if not run_plan.missing(workspace, day, build, TABLES)}
            audits = {day: _audit(workspace, day, build.version) for day, build in whole.items()}
        context.log.info("%s of %s days have all tables and were judged", len(whole), len(builds))
        targets = latest_materializations(step.instance, {check.table for check in CHECKS}, audits)
        for day, found in audits.items():
            for verdict in found.verdicts:
                if dg.AssetCheckKey(dg.AssetKey(verdict.table), verdict.check) in step.selected_asset_check_keys:
                    yield _evaluation(day, verdict, targets)
    for spec in CHECK_SPECS:
        if spec.key in step.selected_asset_check_keys:
            yield dg.Output(None, output_name=spec.get_python_identifier())


def _audit(workspace: Workspace, day: date, version: str) -> Audit:
    """What these checks find in a version; a version that they have judged is not judged again."""
    known = read_audit(workspace.storage, day, version)
    if known is not None and known.checks_version == CHECKS_VERSION:
        return known
    return audit_day(workspace.storage, day, version)


def _evaluation(day: date, verdict: VerdictRecord, targets: LatestMaterializations) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(verdict.table),
        check_name=verdict.check,
        partition=str(day),
        passed=verdict.passed,
        blocking=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=verdict.detail or None,
        metadata={"offending rows": verdict.rows},
        target_materialization_data=targets.get((verdict.table, day)),
    )
