"""Counts, sums and ratios by group: what the marts have in common.

A mart stores only what may be added up again: counts of rows and sums over rows. Each of these measures is said once,
as an expression over the rows of `calls` or `transfer_legs`, so that the daily and the hourly mart cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from pipelines.dictionary import TABLES, Ratio, ratios_of

CONNECTED = pl.col("is_connected")
DURATION = pl.col("duration_seconds")
COST = pl.col("cost")


def counted_calls(calls: pl.DataFrame) -> pl.DataFrame:
    """Return the calls that metrics speak of: root calls that are not deleted."""
    return calls.filter(pl.col("is_root"), pl.col("deleted_at").is_null())


def only_where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Return `value` in the rows where `condition` holds and null in all others."""
    return pl.when(condition).then(value)


def connected_duration() -> pl.Expr:
    """Return the seconds of connected calls; null for calls that reached nobody or whose duration is not known."""
    return only_where(CONNECTED, DURATION)


def rated_sums() -> dict[str, pl.Expr]:
    """Return numerator and denominator of cost per minute, over rows with a cost and a duration above zero."""
    rated = COST.is_not_null() & (DURATION > 0)
    return {"cost_rated": only_where(rated, COST), "seconds_rated": only_where(rated, DURATION)}


def totals(
    rows: pl.DataFrame, by: Sequence[str], *, counts: Mapping[str, pl.Expr], sums: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    """Count and sum rows by group.

    Args:
        rows: One row per call or leg.
        by: The columns of a group; nulls are a group like any other value.
        counts: Name of a count and the condition that a counted row meets; a null condition is not met.
        sums: Name of a sum and its addends; null addends are left out.

    Returns:
        One row per group, in no order; counts as Int64 and 0 where no row counts, sums in their
        addends' type and null where there is no addend.
    """
    groups = rows.select(*by, **counts, **sums).group_by(by)
    # A sum over nothing is 0 in polars; only the number of addends tells it from a sum of zeros.
    addends = {name: f"{name}:addends" for name in sums}
    grouped = groups.agg(
        *(pl.col(name).sum().cast(pl.Int64) for name in counts),
        *(pl.col(name).sum() for name in sums),
        *(pl.col(name).count().alias(count) for name, count in addends.items()),
    )
    known = (only_where(pl.col(count) > 0, pl.col(name)).alias(name) for name, count in addends.items())
    return grouped.select(*by, *counts, *known)


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


def finish(sums: pl.DataFrame, table: str) -> pl.DataFrame:
    """Add a mart's ratios and put its columns in their order.

    Args:
        sums: The key, the counts and the sums of the mart, in any order.
        table: Name of the mart.

    Returns:
        Exactly the columns that the data dictionary gives the table, sorted by its key with nulls first.
    """
    definition = TABLES[table]
    ratios = {ratio.name: ratio_of_sums(ratio) for ratio in ratios_of(table)}
    return sums.with_columns(**ratios).select(definition.names).sort(definition.key)


def ratio_of_sums(ratio: Ratio) -> pl.Expr:
    """Divide a ratio's sums row by row.

    Returns:
        The ratio as Float64; null where a sum is null, where the denominator is zero, and where the quotient is too
        large to be a number.
    """
    denominator = pl.sum_horizontal(*ratio.denominator, ignore_nulls=False)
    quotient = ratio.factor * pl.col(ratio.numerator) / denominator
    return pl.when(quotient.is_finite()).then(quotient)
