"""The daily mart of transfers: one row per organisation, agent, phone number, direction and kind of transfer."""

from __future__ import annotations

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.metrics.measures import COST, DURATION, finish, rated_sums, totals

MART = "transfer_metrics_daily"
DIMENSIONS = TABLES[MART].key

LEG_COLUMNS = (*DIMENSIONS, "deleted_at", "transfer_outcome", "duration_seconds", "cost", "seconds_to_transfer")
"""The columns of `transfer_legs` that `transfer_metrics_daily` reads."""


def transfer_metrics_daily(legs: pl.DataFrame) -> pl.DataFrame:
    """Count and sum one day's transfer legs that are not deleted.

    Args:
        legs: The rows of table `transfer_legs` of one day, with at least the columns of `LEG_COLUMNS`.

    Returns:
        The rows of table `transfer_metrics_daily`, sorted by its key, nulls first.
    """
    outcome = pl.col("transfer_outcome")
    counts = {
        "legs": pl.lit(value=True),
        "successful_legs": outcome == "success",
        "failed_legs": outcome == "failed",
        "pending_legs": outcome == "pending",
        "unknown_legs": outcome == "unknown",
        "duration_legs": DURATION.is_not_null(),
        "seconds_to_transfer_legs": pl.col("seconds_to_transfer").is_not_null(),
    }
    sums = {
        "duration_seconds": DURATION,
        "cost": COST,
        **rated_sums(),
        "seconds_to_transfer": pl.col("seconds_to_transfer"),
    }
    return finish(totals(legs.filter(pl.col("deleted_at").is_null()), DIMENSIONS, counts=counts, sums=sums), MART)
