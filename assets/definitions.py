"""Everything Dagster knows of this project, put together; `workspace.yaml` points here."""

from __future__ import annotations

import warnings

import dagster as dg

# Partitioned checks and backfill policies are used knowingly; each use would warn when the definitions load.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from assets.anomaly_checks import daily_anomaly_checks, extract_anomaly_checks  # noqa: E402
from assets.catalog import catalog  # noqa: E402
from assets.checks import audit  # noqa: E402 - after the filters, since importing is what would warn
from assets.extract import call_pages, landed_calls  # noqa: E402
from assets.jobs import build_days, extract_calls, make_report, purge_runs  # noqa: E402
from assets.report import report  # noqa: E402
from assets.resources import CallsApi, LakeResource  # noqa: E402
from assets.schedules import daily_report, hourly_extract, nightly_full_extract, weekly_purge  # noqa: E402
from assets.sensors import changed_days, run_failure_alert  # noqa: E402
from assets.tables import (  # noqa: E402
    call_metrics_daily,
    call_volume_hourly,
    core_tables,
    transfer_metrics_daily,
)

defs = dg.Definitions(
    assets=[
        call_pages,
        landed_calls,
        core_tables,
        call_metrics_daily,
        transfer_metrics_daily,
        call_volume_hourly,
        catalog,
        report,
    ],
    asset_checks=[audit, daily_anomaly_checks, extract_anomaly_checks],
    jobs=[extract_calls, build_days, make_report, purge_runs],
    schedules=[hourly_extract, nightly_full_extract, daily_report, weekly_purge],
    sensors=[changed_days, run_failure_alert],
    resources={"lake": LakeResource(), "calls_api": CallsApi()},
    # A step takes less time than starting a process for it would.
    executor=dg.in_process_executor,
)
