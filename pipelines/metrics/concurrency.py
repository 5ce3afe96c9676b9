"""How many calls were alive at once: the one measure of the marts that is no sum."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def peak_concurrency(calls: pl.DataFrame, hours: pl.DataFrame, *, by: Sequence[str]) -> pl.Series:
    """Find the most calls alive at one instant of each hour.

    A call is alive from `started_at` until just before `ended_at`; one that lacks either, or ends no later than it
    starts, never is. A sweep over all starts and ends in time order keeps the number alive, with ends before starts at
    the same instant. The number only grows at a start, so the peak of an hour is the number alive at the hour's
    beginning or after one of its starts.

    Args:
        calls: Rows with the columns of `by`, `started_at` and `ended_at`.
        hours: One row per hour asked about: the columns of `by` and `hour`, the instant at which the hour begins.
        by: Calls and hours belong together where these are equal, nulls alike.

    Returns:
        The peak of each row of `hours` in its order, Int64; 0 where no call was alive.
    """
    alive = calls.filter(pl.col("ended_at") > pl.col("started_at"))
    starts = alive.select(*by, at="started_at", change=pl.lit(1, pl.Int64))
    ends = alive.select(*by, at="ended_at", change=pl.lit(-1, pl.Int64))
    beginnings = hours.select(*by, at="hour", change=pl.lit(0, pl.Int64))
    sweep = pl.concat([starts, ends, beginnings]).sort("at", "change")
    sweep = sweep.with_columns(alive=pl.col("change").cum_sum().over(by), hour=pl.col("at").dt.truncate("1h"))
    peaks = sweep.filter(pl.col("change") >= 0).group_by(*by, "hour").agg(pl.col("alive").max())
    asked = hours.join(peaks, on=[*by, "hour"], how="left", nulls_equal=True, maintain_order="left")
    return asked["alive"].alias("peak_concurrency")
