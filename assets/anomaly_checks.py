"""The warnings: what deserves a look, shown on the asset it is about, and never in the way of publishing."""


# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.automation import run_plan
from assets.events import latest_materializations
from assets.partitions import DAILY
from assets.resources import LakeResource, expected_failures
from pipelines.dictionary import TABLES
from pipelines.lake.locks import LAKE
from pipelines.materialize.anomalies import EXTRACT_ANOMALY_CHECKS, daily_anomalies, extract_anomalies
from pipelines.quality.anomalies import DAILY_ANOMALY_CHECKS, AnomalyResult


def _spec(name: str, asset: str, rule: str, *, of_days: bool = False) -> dg.AssetCheckSpec:
    description = f"{rule} A warning: it keeps nothing from being published."
    return dg.AssetCheckSpec(name, asset=asset, description=description, partitions_def=DAILY if of_days else None)


DAY_SPECS = [_spec(warning.name, warning.table, warning.description, of_days=True) for warning in DAILY_ANOMALY_CHECKS]
EXTRACT_SPECS = [_spec(name, "call_pages", rule) for name, rule in EXTRACT_ANOMALY_CHECKS.items()]


# The last step of a run, so that what it publishes is history for its days, and readers do not wait for this.
@dg.multi_asset_check(specs=DAY_SPECS, can_subset=True, op_tags={"dagster/priority": "-1"})
def daily_anomaly_checks(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeResource]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Hold each day of the run against the days before it."""
    step = context.op_execution_context
    with expected_failures():
        workspace = lake.workspace()
        with workspace.storage.lock(LAKE, shared=True):
            builds = run_plan.recall(workspace, context.run, step.partition_keys)
            whole = {
                day: build.version
                for day, build in builds.items()
                if not run_plan.missing(workspace, day, build, TABLES)
            }
            found = daily_anomalies(workspace, whole, datetime.now(UTC).date())
    targets = latest_materializations(step.instance, {warning.table for warning in DAILY_ANOMALY_CHECKS}, found)
    for spec in _selected(step, DAY_SPECS):
        for day, findings in found.items():
            yield dg.AssetCheckEvaluation(
                asset_key=spec.asset_key,
                check_name=spec.name,
                partition=str(day),
                blocking=False,
                target_materialization_data=targets.get((spec.asset_key.to_user_string(), day)),
                **_verdict(findings[spec.name]),
            )
        yield dg.Output(None, output_name=spec.get_python_identifier())


@dg.multi_asset_check(specs=EXTRACT_SPECS, can_subset=True)
def extract_anomaly_checks(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeResource]
) -> Iterator[dg.AssetCheckResult]:
    """Look at how the extraction stands: its last full scan, what it rejected, and days without calls."""
    with expected_failures():
        found = extract_anomalies(lake.workspace(), datetime.now(UTC).date())
    for spec in _selected(context.op_execution_context, EXTRACT_SPECS):
        yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, **_verdict(found[spec.name]))


def _selected(step: dg.OpExecutionContext, specs: Sequence[dg.AssetCheckSpec]) -> list[dg.AssetCheckSpec]:
    return [spec for spec in specs if spec.key in step.selected_asset_check_keys]


def _verdict(result: AnomalyResult) -> dict[str, Any]:
    return {
        "passed": result.passed,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": result.description,
        "metadata": dict(result.metrics),
    }
