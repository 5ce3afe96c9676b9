"""Everything Dagster knows of this project, put together; `workspace.yaml` points here."""

from __future__ import annotations

import warnings

import dagster as dg

# Partitioned checks and backfill policies are used knowingly; each use would warn when the definitions load.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from assets.checks import audit  # noqa: E402 - after the filters, since importing is what would warn
from assets.core import core_tables  # noqa: E402
from assets.extract import call_pages, landed_calls  # noqa: E402
from assets.marts import call_metrics_daily, call_volume_hourly, transfer_metrics_daily  # noqa: E402
from assets.publish import catalog  # noqa: E402
from assets.report import report  # noqa: E402
from assets.unusual import look_at_days, look_at_extract  # noqa: E402
from pipelines.jobs import build_days, extract_calls, make_report, purge_runs  # noqa: E402
from pipelines.resources import CallsApi, LakeResource  # noqa: E402
from pipelines.schedules import daily_report, hourly_extract, nightly_full_extract, weekly_purge  # noqa: E402
from pipelines.sensors import changed_days, run_failure_alert  # noqa: E402

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
    asset_checks=[audit, look_at_days, look_at_extract],
    jobs=[extract_calls, build_days, make_report, purge_runs],
    schedules=[hourly_extract, nightly_full_extract, daily_report, weekly_purge],
    sensors=[changed_days, run_failure_alert],
    resources={"lake": LakeResource(), "calls_api": CallsApi()},
    # A step takes less time than starting a process for it would.
    executor=dg.in_process_executor,
)
