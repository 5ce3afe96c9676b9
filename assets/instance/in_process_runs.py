"""Run jobs in this process, for programs that cannot wait for Dagster's daemon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from assets.definitions import defs
from assets.jobs import extract_calls, extract_config
from assets.partitions import range_tags

_NO_CONSOLE = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_job(
    job_name: str,
    *,
    instance: dg.DagsterInstance,
    run_config: Mapping[str, Any] | None = None,
    partition_range: tuple[date, date] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run one job to its end; the instance shows it like any other run.

    Args:
        job_name: `extract_calls`, `build_days` or `purge_runs`.
        instance: Where the run is kept.
        run_config: The job's config; without loggers in it nothing is printed, not even a failure.
        partition_range: First and last day, for `build_days`.

    Returns:
        The result; `success` is false where a step failed.
    """
    return defs.resolve_job_def(job_name).execute_in_process(
        run_config={**_NO_CONSOLE, **(run_config or {})},
        instance=instance,
        tags=range_tags(*partition_range) if partition_range else None,
        raise_on_error=False,
    )


def run_extract(
    instance: dg.DagsterInstance, *, full: bool = False, max_pages: int | None = None
) -> dg.ExecuteInProcessResult:
    """Run `extract_calls`."""
    config = extract_config("FULL" if full else "RECENT", max_pages)
    return run_job(extract_calls.name, instance=instance, run_config=config)
