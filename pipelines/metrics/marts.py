"""The three marts: a day's calls and transfer legs as counts, sums and the ratios between them.

A mart stores only what can be added up again: counts of rows and sums over rows. Each measure is defined once, as an
expression over the rows of `calls` or `transfer_legs`, so that the daily and the hourly mart cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

import polars as pl

from pipelines.dictionary import TABLES, Ratio, ratios_of
from pipelines.dictionary.marts import DURATION_BOUNDS

_CALL_METRICS = TABLES["call_metrics_daily"]
_TRANSFER_METRICS = TABLES["transfer_metrics_daily"]
_CALL_VOLUME = TABLES["call_volume_hourly"]

_FILTERS = ("is_root", "deleted_at")
_HOURLY_MEASURES = (
    "outcome",
    "is_terminal",
    "is_connected",
    "is_transferred",
    "is_contained",
    "duration_seconds",
    "cost",
)
CALL_COLUMNS = (
    *_CALL_METRICS.key,
    *_FILTERS,
    *_HOURLY_MEASURES,
    "turn_count",
    "message_count",
    "user_word_count",
    "agent_word_count",
    "seconds_to_transfer",
    "summary",
    "extractions",
)
"""The columns of `calls` that `call_metrics_daily` reads."""

HOURLY_CALL_COLUMNS = (
    "agent_id",
    "direction",
    *_FILTERS,
    "created_at",
    "started_at",
    "ended_at",
    *_HOURLY_MEASURES,
)
"""The columns of `calls` that `call_volume_hourly` reads."""

LEG_COLUMNS = (
    *_TRANSFER_METRICS.key,
    "deleted_at",
    "transfer_outcome",
    "duration_seconds",
    "cost",
    "seconds_to_transfer",
)
"""The columns of `transfer_legs` that `transfer_metrics_daily` reads."""

_SHORT_CALL_SECONDS = 10

# Blank as in Python's str.strip(): Unicode white space and the four ASCII separators, which \s leaves out.
_NOT_BLANK = r"[^\s\x1c-\x1f]"

_ALL = pl.lit(value=True)
_CONNECTED = pl.col("is_connected")
_DURATION = pl.col("duration_seconds")
_COST = pl.col("cost")
_OUTCOME = pl.col("outcome")


def call_metrics_daily(calls: pl.DataFrame) -> pl.DataFrame:
    """Count and sum one day's root calls that are not deleted.

    Args:
        calls: The rows of table `calls` of one day, with at least the columns of `CALL_COLUMNS`.

    Returns:
        The rows of table `call_metrics_daily`, sorted by its key, nulls first.
    """
    counts = {
        **_call_counts(),
        "terminal_calls": pl.col("is_terminal"),
        "failed_calls": _OUTCOME == "failed",
        "no_answer_calls": _OUTCOME == "no_answer",
        "busy_calls": _OUTCOME == "busy",
        "voicemail_calls": _OUTCOME == "voicemail",
        "canceled_calls": _OUTCOME == "canceled",
        "unknown_outcome_calls": _OUTCOME == "unknown",
        "short_calls": _CONNECTED & (_DURATION < _SHORT_CALL_SECONDS),
        "cost_missing_calls": _COST.is_null(),
        "summary_calls": pl.col("summary").str.contains(_NOT_BLANK),
        # The text of a JSON object: without keys it is braces and white space, and every key is quoted.
        "extraction_calls": pl.col("extractions").str.contains('"', literal=True),
        "duration_calls": _connected_duration().is_not_null(),
        "turn_calls": pl.col("turn_count").is_not_null(),
        "seconds_to_transfer_calls": pl.col("seconds_to_transfer").is_not_null(),
        **_histogram(),
    }
    sums = {
        **_call_sums(),
        "cost_zero_duration": _where(_DURATION.fill_null(0) == 0, _COST),
        "messages": pl.col("message_count"),
        "user_words": pl.col("user_word_count"),
        "agent_words": pl.col("agent_word_count"),
        "turns": pl.col("turn_count"),
        "seconds_to_transfer": pl.col("seconds_to_transfer"),
    }
    name, key = _CALL_METRICS.name, _CALL_METRICS.key
    return _finish(_totals(_counted_calls(calls), key, counts=counts, sums=sums), name)


def transfer_metrics_daily(legs: pl.DataFrame) -> pl.DataFrame:
    """Count and sum one day's transfer legs that are not deleted.

    Args:
        legs: The rows of table `transfer_legs` of one day, with at least the columns of `LEG_COLUMNS`.

    Returns:
        The rows of table `transfer_metrics_daily`, sorted by its key, nulls first.
    """
    outcome, seconds_to_transfer = pl.col("transfer_outcome"), pl.col("seconds_to_transfer")
    counts = {
        "legs": _ALL,
        "successful_legs": outcome == "success",
        "failed_legs": outcome == "failed",
        "pending_legs": outcome == "pending",
        "unknown_legs": outcome == "unknown",
        "duration_legs": _DURATION.is_not_null(),
        "seconds_to_transfer_legs": seconds_to_transfer.is_not_null(),
    }
    sums = {"duration_seconds": _DURATION, **_cost_sums(), "seconds_to_transfer": seconds_to_transfer}
    living = legs.filter(pl.col("deleted_at").is_null())
    return _finish(_totals(living, _TRANSFER_METRICS.key, counts=counts, sums=sums), _TRANSFER_METRICS.name)


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
    hourly = _totals(counted, _CALL_VOLUME.key, counts=_call_counts(), sums=_call_sums())
    hour = pl.lit(datetime.combine(day, time(), UTC)).dt.cast_time_unit("us") + pl.duration(hours="hour_utc")
    hourly = hourly.with_columns(hour=hour)
    local = pl.col("hour").dt.convert_time_zone(timezone)
    hourly = hourly.with_columns(
        _peak_concurrency(counted, hourly, by=("agent_id", "direction")),
        local_date=local.dt.date(),
        local_hour=local.dt.hour().cast(pl.Int64),
        local_weekday=local.dt.weekday().cast(pl.Int64),
    )
    return _finish(hourly, _CALL_VOLUME.name)


def _counted_calls(calls: pl.DataFrame) -> pl.DataFrame:
    """Return the calls that metrics count: root calls that are not deleted."""
    return calls.filter(pl.col("is_root"), pl.col("deleted_at").is_null())


def _call_counts() -> dict[str, pl.Expr]:
    """Return the counts that both marts of calls have."""
    return {
        "calls": _ALL,
        "connected_calls": _CONNECTED,
        "connected_terminal_calls": _CONNECTED & pl.col("is_terminal"),
        "completed_calls": _OUTCOME == "completed",
        "transferred_calls": pl.col("is_transferred"),
        "contained_calls": pl.col("is_contained"),
    }


def _call_sums() -> dict[str, pl.Expr]:
    """Return the sums that both marts of calls have."""
    return {"duration_seconds": _connected_duration(), **_cost_sums()}


def _histogram() -> dict[str, pl.Expr]:
    """Return one condition per bucket; the buckets are disjoint and hold every connected call with a duration."""
    buckets = {}
    above = _CONNECTED
    for bound in DURATION_BOUNDS:
        buckets[f"duration_le_{bound}"] = above & (bound >= _DURATION)
        above = _CONNECTED & (bound < _DURATION)
    return {**buckets, f"duration_gt_{DURATION_BOUNDS[-1]}": above}


def _connected_duration() -> pl.Expr:
    """Return the seconds of connected calls; null for calls that reached nobody or whose duration is not known."""
    return _where(_CONNECTED, _DURATION)


def _cost_sums() -> dict[str, pl.Expr]:
    """Return the cost, and both parts of cost per minute: over rows with a cost and a duration above zero."""
    rated = _COST.is_not_null() & (_DURATION > 0)
    return {"cost": _COST, "cost_rated": _where(rated, _COST), "seconds_rated": _where(rated, _DURATION)}


def _where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Return `value` in the rows where `condition` is true and null in all others."""
    return pl.when(condition).then(value)


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
        addends' type and null where there is no addend.
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


def _finish(sums: pl.DataFrame, mart: str) -> pl.DataFrame:
    """Add a mart's ratios to its key, counts and sums; return the columns of the data dictionary, sorted by key."""
    ratios = {ratio.name: _ratio_of_sums(ratio) for ratio in ratios_of(mart)}
    return sums.with_columns(**ratios).select(TABLES[mart].names).sort(TABLES[mart].key)


def _ratio_of_sums(ratio: Ratio) -> pl.Expr:
    """Divide a ratio's sums row by row.

    Returns:
        The ratio as Float64; null where a sum is null, where the denominator is zero, and where the quotient is too
        large to be a number.
    """
    denominator = pl.sum_horizontal(*ratio.denominator, ignore_nulls=False)
    quotient = ratio.factor * pl.col(ratio.numerator) / denominator
    return pl.when(quotient.is_finite()).then(quotient)
