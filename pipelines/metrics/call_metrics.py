"""The daily mart of calls: one row per organisation, agent, phone number, direction and provider."""

from __future__ import annotations

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.metrics.measures import (
    CONNECTED,
    COST,
    DURATION,
    connected_duration,
    counted_calls,
    finish,
    only_where,
    rated_sums,
    totals,
)

MART = "call_metrics_daily"
DIMENSIONS = TABLES[MART].key

CALL_COLUMNS = (
    *DIMENSIONS,
    "is_root",
    "deleted_at",
    "outcome",
    "is_terminal",
    "is_connected",
    "is_transferred",
    "is_contained",
    "duration_seconds",
    "cost",
    "turn_count",
    "message_count",
    "user_word_count",
    "agent_word_count",
    "seconds_to_transfer",
    "summary",
    "extractions",
)
"""The columns of `calls` that `call_metrics_daily` reads."""

SHORT_CALL_SECONDS = 10
HISTOGRAM_BOUNDS = (10, 30, 60, 120, 300, 600, 1800)

# Blank as Python's str.strip() has it: Unicode white space and the four ASCII separators, which \s leaves out.
NOT_BLANK = r"[^\s\x1c-\x1f]"


def call_metrics_daily(calls: pl.DataFrame) -> pl.DataFrame:
    """Count and sum one day's root calls that are not deleted.

    Args:
        calls: The rows of table `calls` of one day, with at least the columns of `CALL_COLUMNS`.

    Returns:
        The rows of table `call_metrics_daily`, sorted by its key, nulls first.
    """
    sums = totals(counted_calls(calls), DIMENSIONS, counts=_counts() | _histogram(), sums=_sums())
    return finish(sums, MART)


def _counts() -> dict[str, pl.Expr]:
    outcome = pl.col("outcome")
    return {
        "calls": pl.lit(value=True),
        "terminal_calls": pl.col("is_terminal"),
        "connected_calls": CONNECTED,
        "connected_terminal_calls": CONNECTED & pl.col("is_terminal"),
        "completed_calls": outcome == "completed",
        "failed_calls": outcome == "failed",
        "no_answer_calls": outcome == "no_answer",
        "busy_calls": outcome == "busy",
        "voicemail_calls": outcome == "voicemail",
        "canceled_calls": outcome == "canceled",
        "unknown_outcome_calls": outcome == "unknown",
        "transferred_calls": pl.col("is_transferred"),
        "contained_calls": pl.col("is_contained"),
        "short_calls": CONNECTED & (DURATION < SHORT_CALL_SECONDS),
        "cost_missing_calls": COST.is_null(),
        "summary_calls": pl.col("summary").str.contains(NOT_BLANK),
        # The text of a JSON object: without keys it is braces and white space, and every key is quoted.
        "extraction_calls": pl.col("extractions").str.contains('"', literal=True),
        "duration_calls": connected_duration().is_not_null(),
        "turn_calls": pl.col("turn_count").is_not_null(),
        "seconds_to_transfer_calls": pl.col("seconds_to_transfer").is_not_null(),
    }


def _histogram() -> dict[str, pl.Expr]:
    """Return one condition per bucket; the buckets are disjoint and hold every connected call with a duration."""
    buckets = {}
    above = CONNECTED
    for bound in HISTOGRAM_BOUNDS:
        buckets[f"duration_le_{bound}"] = above & (bound >= DURATION)
        above = CONNECTED & (bound < DURATION)
    return {**buckets, f"duration_gt_{HISTOGRAM_BOUNDS[-1]}": above}


def _sums() -> dict[str, pl.Expr]:
    return {
        "duration_seconds": connected_duration(),
        "cost": COST,
        **rated_sums(),
        "cost_zero_duration": only_where(DURATION.fill_null(0) == 0, COST),
        "messages": pl.col("message_count"),
        "user_words": pl.col("user_word_count"),
        "agent_words": pl.col("agent_word_count"),
        "turns": pl.col("turn_count"),
        "seconds_to_transfer": pl.col("seconds_to_transfer"),
    }
