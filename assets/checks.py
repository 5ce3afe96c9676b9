"""The asset checks: data quality checks, which a day must pass to be published, and anomaly checks, which only warn.

A failing day must not keep the other days of its run from being published, so no check fails its step: the results
go into each version's `_audit.json`, and publishing refuses the days with a failed check.
"""

# Dagster reads the annotation of `context`: no annotations from __future__ here.

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from assets._dagster import PRIORITY_TAG
from assets.automation import run_plan
from assets.events import LatestMaterializations, latest_materializations
from assets.partitions import daily_partitions
from assets.resources import LakeResource, expected_failures
from pipelines.dictionary import MARTS, TABLES
from pipelines.lake.locks import LAKE
from pipelines.lake.versions import Audit, CheckRecord, read_audit
from pipelines.materialize.anomalies import EXTRACT_ANOMALY_CHECKS, daily_anomalies, extract_anomalies
from pipelines.materialize.day import audit_day
from pipelines.quality import CHECKS, CHECKS_VERSION
from pipelines.quality.anomalies import DAILY_ANOMALY_CHECKS, AnomalyResult
from pipelines.workspace import Workspace

QUALITY_SPECS = [
    dg.AssetCheckSpec(
        check.name,
        asset=check.table,
        description=f"{check.description} `catalog` does not publish a day that fails, whatever else is published.",
        additional_deps=[table for table in TABLES if table != check.table],
        # Lets `catalog` wait for this step. Of a core table it would let the marts wait too, for which this step waits.
        blocking=check.table in MARTS,
        partitions_def=daily_partitions(),
    )
    for check in CHECKS
]


def _warning(name: str, asset: str, rule: str, *, daily: bool) -> dg.AssetCheckSpec:
    description = f"{rule} A warning: it keeps no day from being published."
    return dg.AssetCheckSpec(
        name, asset=asset, description=description, partitions_def=daily_partitions() if daily else None
    )


DAILY_SPECS = [_warning(check.name, check.table, check.description, daily=True) for check in DAILY_ANOMALY_CHECKS]
EXTRACT_SPECS = [_warning(name, "call_pages", rule, daily=False) for name, rule in EXTRACT_ANOMALY_CHECKS.items()]


# Subsets, because materializing one table in the UI selects its checks alone.
@dg.multi_asset_check(specs=QUALITY_SPECS, can_subset=True)
def daily_quality_checks(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Check each day of the run as it was written, and store the results with it.

    The checks read all tables together: a day of which some are not built yet is left out.
    """
    step = context.op_execution_context
    with expected_failures():
        workspace = lake.workspace()
        with workspace.storage.lock(LAKE, shared=True):
            audits = {day: _audit(workspace, day, version) for day, version in _complete(workspace, context).items()}
    targets = latest_materializations(step.instance, {check.table for check in CHECKS}, audits)
    for day, found in audits.items():
        for result in found.results:
            if dg.AssetCheckKey(dg.AssetKey(result.table), result.check) in step.selected_asset_check_keys:
                yield _evaluation(day, result, targets)
    for spec in _selected(context, QUALITY_SPECS):
        yield dg.Output(None, output_name=spec.get_python_identifier())


# The last step of a run, so that what it publishes is history for its days, and readers do not wait for this.
@dg.multi_asset_check(specs=DAILY_SPECS, can_subset=True, op_tags={PRIORITY_TAG: "-1"})
def daily_anomaly_checks(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Compare each day of the run with the days before it; warns, never blocks."""
    with expected_failures():
        workspace = lake.workspace()
        with workspace.storage.lock(LAKE, shared=True):
            found = daily_anomalies(workspace, _complete(workspace, context), datetime.now(UTC).date())
    instance = context.op_execution_context.instance
    targets = latest_materializations(instance, {check.table for check in DAILY_ANOMALY_CHECKS}, found)
    for spec in _selected(context, DAILY_SPECS):
        for day, findings in found.items():
            yield dg.AssetCheckEvaluation(
                asset_key=spec.asset_key,
                check_name=spec.name,
                partition=str(day),
                blocking=False,
                target_materialization_data=targets.get((spec.asset_key.to_user_string(), day)),
                **_result_fields(findings[spec.name]),
            )
        yield dg.Output(None, output_name=spec.get_python_identifier())


@dg.multi_asset_check(specs=EXTRACT_SPECS, can_subset=True)
def extract_anomaly_checks(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
    """Check the last full scan, lately rejected items, and recent days with few or no calls; warns, never blocks."""
    with expected_failures():
        found = extract_anomalies(lake.workspace(), datetime.now(UTC).date())
    for spec in _selected(context, EXTRACT_SPECS):
        yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, **_result_fields(found[spec.name]))


def _complete(workspace: Workspace, context: dg.AssetCheckExecutionContext) -> dict[date, str]:
    """Return the version of each day of the run of which all tables are written."""
    builds = run_plan.planned_builds(workspace, context.run, context.op_execution_context.partition_keys)
    complete = {
        day: build.version
        for day, build in builds.items()
        if not run_plan.missing_tables(workspace, day, build, TABLES)
    }
    context.log.info("%s of %s days have all tables and are checked", len(complete), len(builds))
    return complete


def _selected(context: dg.AssetCheckExecutionContext, specs: Sequence[dg.AssetCheckSpec]) -> list[dg.AssetCheckSpec]:
    return [spec for spec in specs if spec.key in context.op_execution_context.selected_asset_check_keys]


def _audit(workspace: Workspace, day: date, version: str) -> Audit:
    """Return the check results of a version, reusing those that these checks gave before."""
    known = read_audit(workspace.storage, day, version)
    if known is not None and known.checks_version == CHECKS_VERSION:
        return known
    return audit_day(workspace.storage, day, version)


def _evaluation(day: date, result: CheckRecord, targets: LatestMaterializations) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(result.table),
        check_name=result.check,
        partition=str(day),
        passed=result.passed,
        blocking=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=result.detail or None,
        metadata={"offending rows": result.rows},
        target_materialization_data=targets.get((result.table, day)),
    )


def _result_fields(result: AnomalyResult) -> dict[str, Any]:
    return {
        "passed": result.passed,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": result.description,
        "metadata": dict(result.metrics),
    }
