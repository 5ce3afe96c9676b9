"""The hourly mart of calls: when they came in, in UTC and on the clock of the business."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.metrics.measures import (
    CONNECTED,
    COST,
    connected_duration,
    counted_calls,
    finish,
    peak_concurrency,
    rated_sums,
    totals,
)

MART = "call_volume_hourly"

HOURLY_CALL_COLUMNS = (
    "agent_id",
    "direction",
    "is_root",
    "deleted_at",
    "created_at",
    "started_at",
    "ended_at",
    "outcome",
    "is_terminal",
    "is_connected",
    "is_transferred",
    "is_contained",
    "duration_seconds",
    "cost",
)
"""The columns of `calls` that `call_volume_hourly` reads."""


def call_volume_hourly(calls: pl.DataFrame, *, day: date, timezone: str) -> pl.DataFrame:
    """Count and sum one day's root calls that are not deleted by the hour in which they were created.

    Args:
        calls: The rows of table `calls` of one day, with at least the columns of `HOURLY_CALL_COLUMNS`.
        day: The call date of these rows, which is the UTC date of the instants that place them.
        timezone: IANA name of the zone of the local columns.

    Returns:
        The rows of table `call_volume_hourly`, sorted by its key, nulls first. The local columns are of the hour's
        first instant, so in a zone that is half an hour off UTC they speak of the hour in which it begins.
    """
    counted = counted_calls(calls).with_columns(
        hour_utc=pl.coalesce("created_at", "started_at").dt.hour().cast(pl.Int64)
    )
    hourly = totals(counted, TABLES[MART].key, counts=_counts(), sums=_sums())
    hour = pl.lit(datetime.combine(day, time(), UTC)).dt.cast_time_unit("us") + pl.duration(hours="hour_utc")
    hourly = hourly.with_columns(hour=hour)
    peaks = peak_concurrency(counted, hourly, by=("agent_id", "direction"))
    local = pl.col("hour").dt.convert_time_zone(timezone)
    hourly = hourly.with_columns(
        peaks,
        local_date=local.dt.date(),
        local_hour=local.dt.hour().cast(pl.Int64),
        local_weekday=local.dt.weekday().cast(pl.Int64),
    )
    return finish(hourly, MART)


def _counts() -> dict[str, pl.Expr]:
    return {
        "calls": pl.lit(value=True),
        "connected_calls": CONNECTED,
        "connected_terminal_calls": CONNECTED & pl.col("is_terminal"),
        "completed_calls": pl.col("outcome") == "completed",
        "transferred_calls": pl.col("is_transferred"),
        "contained_calls": pl.col("is_contained"),
    }


def _sums() -> dict[str, pl.Expr]:
    return {"duration_seconds": connected_duration(), "cost": COST, **rated_sums()}
