"""Counts and sums by group, and the measures that more than one mart is made of.

A mart stores only what may be added up again: counts of rows and sums over rows. Each of these measures is said once,
as an expression over the rows of `calls` or `transfer_legs`, so that the daily and the hourly mart cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

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
