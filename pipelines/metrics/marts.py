"""The three marts: a day's calls and transfer legs as counts, sums and the ratios between them.

A mart stores only what can be added up again: counts of rows and sums over rows. Each measure is defined once, as an
expression over the rows of `calls` or `transfer_legs`, so that the daily and the hourly mart cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

import polars as pl

from pipelines.dictionary import TABLES, Ratio, Table, ratios_of
from pipelines.dictionary.marts import DURATION_BOUNDS, FINAL_OUTCOMES

_CALL_METRICS = TABLES["call_metrics_daily"]
_TRANSFER_METRICS = TABLES["transfer_metrics_daily"]
_CALL_VOLUME = TABLES["call_volume_hourly"]

_SHORT_CALL_SECONDS = 10

# Blank as in Python's str.strip(): Unicode white space and the four ASCII separators, which \s leaves out.
_NOT_BLANK = r"[^\s\x1c-\x1f]"

_ALL = pl.lit(value=True)
_CONNECTED = pl.col("is_connected")
_DURATION = pl.col("duration_seconds")
_COST = pl.col("cost")
_OUTCOME = pl.col("outcome")
_TRANSFER_OUTCOME = pl.col("transfer_outcome")
_SECONDS_TO_TRANSFER = pl.col("seconds_to_transfer")


def _where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Return `value` in the rows where `condition` is true and null in all others."""
    return pl.when(condition).then(value)


def _histogram() -> dict[str, pl.Expr]:
    """Return one condition per bucket; the buckets are disjoint and hold every connected call with a duration."""
    buckets = {}
    above = _CONNECTED
    for bound in DURATION_BOUNDS:
        buckets[f"duration_le_{bound}"] = above & (bound >= _DURATION)
        above = _CONNECTED & (bound < _DURATION)
    return {**buckets, f"duration_gt_{DURATION_BOUNDS[-1]}": above}


# Cost per minute is over rows with a cost and a duration above zero.
_RATED = _COST.is_not_null() & (_DURATION > 0)
_COST_SUMS = {"cost": _COST, "cost_rated": _where(_RATED, _COST), "seconds_rated": _where(_RATED, _DURATION)}

# Null for calls that reached nobody or whose duration is not known.
_CONNECTED_DURATION = _where(_CONNECTED, _DURATION)

_HOURLY_COUNTS = {
    "calls": _ALL,
    "connected_calls": _CONNECTED,
    "connected_terminal_calls": _CONNECTED & pl.col("is_terminal"),
    "completed_calls": _OUTCOME == "completed",
    "transferred_calls": pl.col("is_transferred"),
    "contained_calls": pl.col("is_contained"),
}
_HOURLY_SUMS = {"duration_seconds": _CONNECTED_DURATION, **_COST_SUMS}

_DAILY_COUNTS = {
    **_HOURLY_COUNTS,
    **{f"{outcome}_calls": outcome == _OUTCOME for outcome in FINAL_OUTCOMES},
    "terminal_calls": pl.col("is_terminal"),
    "unknown_outcome_calls": _OUTCOME == "unknown",
    "short_calls": _CONNECTED & (_DURATION < _SHORT_CALL_SECONDS),
    "cost_missing_calls": _COST.is_null(),
    "summary_calls": pl.col("summary").str.contains(_NOT_BLANK),
    # The text of a JSON object: without keys it is braces and white space, and every key is quoted.
    "extraction_calls": pl.col("extractions").str.contains('"', literal=True),
    "duration_calls": _CONNECTED_DURATION.is_not_null(),
    "turn_calls": pl.col("turn_count").is_not_null(),
    "seconds_to_transfer_calls": _SECONDS_TO_TRANSFER.is_not_null(),
    **_histogram(),
}
_DAILY_SUMS = {
    **_HOURLY_SUMS,
    "cost_zero_duration": _where(_DURATION.fill_null(0) == 0, _COST),
    "messages": pl.col("message_count"),
    "user_words": pl.col("user_word_count"),
    "agent_words": pl.col("agent_word_count"),
    "turns": pl.col("turn_count"),
    "seconds_to_transfer": _SECONDS_TO_TRANSFER,
}

_LEG_COUNTS = {
    "legs": _ALL,
    "successful_legs": _TRANSFER_OUTCOME == "success",
    "failed_legs": _TRANSFER_OUTCOME == "failed",
    "pending_legs": _TRANSFER_OUTCOME == "pending",
    "unknown_legs": _TRANSFER_OUTCOME == "unknown",
    "duration_legs": _DURATION.is_not_null(),
    "seconds_to_transfer_legs": _SECONDS_TO_TRANSFER.is_not_null(),
}
_LEG_SUMS = {"duration_seconds": _DURATION, **_COST_SUMS, "seconds_to_transfer": _SECONDS_TO_TRANSFER}


def _columns_read(*names: str, measures: Mapping[str, pl.Expr]) -> tuple[str, ...]:
    """Return the given columns and those that the measures read, each once."""
    roots = (root for measure in measures.values() for root in measure.meta.root_names())
    return tuple(dict.fromkeys((*names, *roots)))


CALL_COLUMNS = _columns_read(*_CALL_METRICS.key, "is_root", "deleted_at", measures=_DAILY_COUNTS | _DAILY_SUMS)
"""The columns of `calls` that `call_metrics_daily` reads."""

HOURLY_CALL_COLUMNS = _columns_read(
    *("agent_id", "direction", "is_root", "deleted_at", "created_at", "started_at", "ended_at"),
    measures=_HOURLY_COUNTS | _HOURLY_SUMS,
)
"""The columns of `calls` that `call_volume_hourly` reads."""

LEG_COLUMNS = _columns_read(*_TRANSFER_METRICS.key, "deleted_at", measures=_LEG_COUNTS | _LEG_SUMS)
"""The columns of `transfer_legs` that `transfer_metrics_daily` reads."""


def call_metrics_daily(calls: pl.DataFrame) -> pl.DataFrame:
    """Count and sum one day's root calls that are not deleted.

    Args:
        calls: The rows of table `calls` of one day, with at least the columns of `CALL_COLUMNS`.

    Returns:
        The rows of table `call_metrics_daily`, sorted by its key, nulls first.
    """
    sums = _totals(_counted_calls(calls), _CALL_METRICS.key, counts=_DAILY_COUNTS, sums=_DAILY_SUMS)
    return _finish(sums, _CALL_METRICS)


def transfer_metrics_daily(legs: pl.DataFrame) -> pl.DataFrame:
    """Count and sum one day's transfer legs that are not deleted.

    Args:
        legs: The rows of table `transfer_legs` of one day, with at least the columns of `LEG_COLUMNS`.

    Returns:
        The rows of table `transfer_metrics_daily`, sorted by its key, nulls first.
    """
    counted = legs.filter(pl.col("deleted_at").is_null())
    sums = _totals(counted, _TRANSFER_METRICS.key, counts=_LEG_COUNTS, sums=_LEG_SUMS)
    return _finish(sums, _TRANSFER_METRICS)


def call_volume_hourly(calls: pl.DataFrame, *, day: date, timezone: str) -> pl.DataFrame:
    """Count and sum one day's root calls that are not deleted by the hour in which they were created.

    Args:
        calls: The rows of table `calls` of one day, with at least the columns of `HOURLY_CALL_COLUMNS`.
        day: The call date of these rows, which is the UTC date of the instants that place them.
        timezone: IANA name of the zone of the local columns.

    Returns:
        The rows of table `call_volume_hourly`, sorted by its key, nulls first. The local columns describe the first
        instant of the hour, so in a zone half an hour off UTC they name the local hour in which it begins.
    """
    counted = _counted_calls(calls).with_columns(
        hour_utc=pl.coalesce("created_at", "started_at").dt.hour().cast(pl.Int64)
    )
    hourly = _totals(counted, _CALL_VOLUME.key, counts=_HOURLY_COUNTS, sums=_HOURLY_SUMS)
    hour = pl.lit(datetime.combine(day, time(), UTC)).dt.cast_time_unit("us") + pl.duration(hours="hour_utc")
    hourly = hourly.with_columns(hour=hour)
    local = pl.col("hour").dt.convert_time_zone(timezone)
    hourly = hourly.with_columns(
        _peak_concurrency(counted, hourly, by=("agent_id", "direction")),
        local_date=local.dt.date(),
        local_hour=local.dt.hour().cast(pl.Int64),
        local_weekday=local.dt.weekday().cast(pl.Int64),
    )
    return _finish(hourly, _CALL_VOLUME)


def _counted_calls(calls: pl.DataFrame) -> pl.DataFrame:
    """Return the calls that metrics count: root calls that are not deleted."""
    return calls.filter(pl.col("is_root"), pl.col("deleted_at").is_null())


def _totals(
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
        addends' type and null if there is no addend.
    """
    groups = rows.select(*by, **counts, **sums).group_by(by)
    # A sum over nothing is 0 in polars; only the number of addends distinguishes it from a sum of zeros.
    addends = {name: f"{name}:addends" for name in sums}
    grouped = groups.agg(
        *(pl.col(name).sum().cast(pl.Int64) for name in counts),
        *(pl.col(name).sum() for name in sums),
        *(pl.col(name).count().alias(count) for name, count in addends.items()),
    )
    known = (_where(pl.col(count) > 0, pl.col(name)).alias(name) for name, count in addends.items())
    return grouped.select(*by, *counts, *known)


def _peak_concurrency(calls: pl.DataFrame, hours: pl.DataFrame, *, by: Sequence[str]) -> pl.Series:
    """Find the most calls alive at one instant of each hour.

    A call is alive from `started_at` until just before `ended_at`; one that lacks either, or ends no later than it
    starts, never is. A sweep over all starts and ends in time order keeps the number alive, with ends before starts at
    the same instant. The number only grows at a start, so the peak of an hour is the number alive at the hour's
    beginning or after one of its starts.

    Args:
        calls: Rows with the columns of `by`, `started_at` and `ended_at`.
        hours: One row per hour: the columns of `by` and `hour`, the instant at which the hour begins.
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
    found = hours.join(peaks, on=[*by, "hour"], how="left", nulls_equal=True, maintain_order="left")
    return found["alive"].alias("peak_concurrency")


def _finish(sums: pl.DataFrame, mart: Table) -> pl.DataFrame:
    """Add a mart's ratios to its key, counts and sums; return the columns of the data dictionary, sorted by key."""
    ratios = {ratio.name: ratio_of_sums(ratio) for ratio in ratios_of(mart)}
    return sums.with_columns(**ratios).select(mart.names).sort(mart.key)


def ratio_of_sums(ratio: Ratio) -> pl.Expr:
    """Divide a ratio's sums row by row.

    Returns:
        The ratio as Float64; null if a sum is null, where the denominator is zero, and where the quotient is too
        large to be a number.
    """
    denominator = pl.sum_horizontal(*ratio.denominator, ignore_nulls=False)
    quotient = ratio.factor * pl.col(ratio.numerator) / denominator
    return pl.when(quotient.is_finite()).then(quotient)
