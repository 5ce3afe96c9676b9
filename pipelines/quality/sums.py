"""Checks of the marts against the rows they come from: the totals are worked out a second time, by the day.

The conditions are said again on purpose, without the code that makes the marts: what both sides share, no comparison
can find.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.quality.model import DayTables, Problems
from pipelines.quality.numbers import TOLERANCE, close, count_rows

_CONNECTED = pl.col("is_connected")
_COST = pl.col("cost")
_SECONDS = pl.col("duration_seconds")
_RATED = (_COST.is_not_null() & (_SECONDS > 0)).fill_null(value=False)

_MONEY = {"cost": _COST, "cost_rated": _COST.filter(_RATED), "seconds_rated": _SECONDS.filter(_RATED)}

_VOLUME = {
    "calls": pl.col("is_root"),
    "connected_calls": _CONNECTED,
    "connected_terminal_calls": _CONNECTED & pl.col("is_terminal"),
    "completed_calls": pl.col("outcome") == "completed",
    "transferred_calls": pl.col("is_transferred"),
    "contained_calls": pl.col("is_contained"),
    "duration_seconds": _SECONDS.filter(_CONNECTED),
    **_MONEY,
}

_CALLS = {
    **_VOLUME,
    "terminal_calls": pl.col("is_terminal"),
    "duration_calls": _CONNECTED & _SECONDS.is_not_null(),
    "cost_missing_calls": _COST.is_null(),
    "messages": pl.col("message_count"),
    "user_words": pl.col("user_word_count"),
    "agent_words": pl.col("agent_word_count"),
    "turns": pl.col("turn_count"),
    "seconds_to_transfer": pl.col("seconds_to_transfer"),
}

_LEGS = {
    "legs": pl.col("transfer_outcome").is_not_null(),
    "successful_legs": pl.col("transfer_outcome") == "success",
    "failed_legs": pl.col("transfer_outcome") == "failed",
    "duration_seconds": _SECONDS,
    "duration_legs": _SECONDS.is_not_null(),
    **_MONEY,
    "seconds_to_transfer": pl.col("seconds_to_transfer"),
}

_PARTS = {
    "terminal_calls": (
        "completed_calls",
        "failed_calls",
        "no_answer_calls",
        "busy_calls",
        "voicemail_calls",
        "canceled_calls",
    ),
    "duration_calls": tuple(
        name for name in TABLES["call_metrics_daily"].names if name.startswith(("duration_le_", "duration_gt_"))
    ),
    "cost": ("cost_rated", "cost_zero_duration"),
}
"""Columns of call_metrics_daily that disjoint other columns add up to, row by row."""


def find_wrong_totals(tables: DayTables) -> Problems:
    """Compare the day's totals of each mart with those of the calls or legs it is about, null and zero told apart.

    In the daily mart of calls, outcomes, duration buckets and costs must also add up to their whole in each row.
    """
    calls = _living(tables, "calls", _CALLS).filter("is_root")
    legs = _living(tables, "transfer_legs", _LEGS)
    return {
        **_differences(tables, "call_metrics_daily", calls.select(**_totals(_CALLS))),
        **_differences(tables, "transfer_metrics_daily", legs.select(**_totals(_LEGS))),
        **_differences(tables, "call_volume_hourly", calls.select(**_totals(_VOLUME))),
        **_wrong_parts(tables),
    }


def _living(tables: DayTables, table: str, wanted: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Return the rows of a table that are not deleted, with the columns that some expressions need."""
    columns = {column for expression in wanted.values() for column in expression.meta.root_names()}
    return tables.frame(table, sorted(columns | {"deleted_at"})).filter(pl.col("deleted_at").is_null())


def _totals(addends: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """Return the sum of each expression, null where it has no addend at all."""
    return {name: pl.when(value.count() > 0).then(value.sum()) for name, value in addends.items()}


def _differences(tables: DayTables, mart: str, expected: pl.DataFrame) -> dict[str, int]:
    totals = tables.frame(mart, expected.columns).select(**_totals({name: pl.col(name) for name in expected.columns}))
    pairs = zip(expected.columns, expected.row(0), totals.row(0), strict=True)
    return {f"{mart}.{name} has another total than its rows": not _equal(left, right) for name, left, right in pairs}


def _equal(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is right
    return math.isclose(left, right, rel_tol=TOLERANCE)


def _wrong_parts(tables: DayTables) -> dict[str, int]:
    table = "call_metrics_daily"
    mart = tables.frame(table, [*_PARTS, *(name for parts in _PARTS.values() for name in parts)])
    uneven = {whole: ~close(pl.col(whole).fill_null(0), pl.sum_horizontal(*parts)) for whole, parts in _PARTS.items()}
    return {f"{table}.{name} is not the sum of its parts": rows for name, rows in count_rows(mart, uneven).items()}
