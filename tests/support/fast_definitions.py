"""The product's definitions for tests with a real daemon: with short intervals, and one more check.

A code server loads this module in the place of `assets.definitions`. It changes the product where it is imported, so
nothing else may import it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import dagster as dg
import polars as pl
from dagster import RunsFilter

from assets import definitions
from assets._dagster import ACTIVE_RUN_STATUSES
from assets.automation import stale_days
from assets.jobs import extract_calls, extract_config
from assets.sensors import changed_days
from pipelines.materialize import day as build_day
from pipelines.quality import CheckResult, DayTables
from tests.support.daemon_machine import MOVED, UNWANTED, reading_since

_product_audit = build_day.audit


def _audit(tables: DayTables) -> list[CheckResult]:
    rows = tables.frame("calls", ["agent_id"]).filter(pl.col("agent_id") == UNWANTED).height
    return [
        replace(verdict, passed=False, rows=rows, detail=f"calls of another company: {rows}")
        if rows and verdict.check == "unique_keys"
        else verdict
        for verdict in _product_audit(tables)
    ]


@dg.sensor(job=extract_calls, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def extract_what_moved(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for all pages until a run has read them that began after the calls changed."""
    unfinished = RunsFilter(job_name=extract_calls.name, statuses=ACTIVE_RUN_STATUSES)
    if context.instance.get_run_ids(unfinished, limit=1):
        return dg.SkipReason("An extract is queued or running.")
    if context.instance.get_run_ids(reading_since(MOVED), limit=1):
        return dg.SkipReason("The calls have not changed.")
    return dg.RunRequest(run_config=extract_config("FULL"))


build_day.audit = _audit
stale_days.FIRST_BACKOFF = timedelta(seconds=2)
changed_days._min_interval = 2  # a sensor cannot be copied with another one

defs = dg.Definitions.merge(definitions.defs, dg.Definitions(sensors=[extract_what_moved]))
