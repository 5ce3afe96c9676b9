"""Everything that Dagster loads of this project; `workspace.yaml` names this module."""

from __future__ import annotations

import dagster as dg

from assets import checks, extract, jobs, sensors, serving, tables
from assets.resources import CallsApi, LakeResource

defs = dg.Definitions(
    assets=[
        extract.call_pages,
        extract.landed_calls,
        tables.core_tables,
        tables.call_metrics_daily,
        tables.transfer_metrics_daily,
        tables.call_volume_hourly,
        serving.catalog,
        serving.report,
    ],
    asset_checks=[checks.daily_quality_checks, checks.daily_anomaly_checks, checks.extract_anomaly_checks],
    jobs=[jobs.extract_calls, jobs.build_days, jobs.make_report, jobs.purge_runs],
    schedules=[jobs.hourly_extract, jobs.nightly_full_extract, jobs.daily_report, jobs.weekly_purge],
    sensors=[sensors.changed_days, sensors.run_failure_alert],
    resources={"lake": LakeResource(), "calls_api": CallsApi()},
    # A step takes less time than starting a process for it would.
    executor=dg.in_process_executor,
)
