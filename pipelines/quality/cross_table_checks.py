"""Checks across tables: no row is lost or added, references exist, and marts equal the sums of their rows.

The conditions of the marts are repeated here on purpose: a fault in code that both sides share could not be found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.quality.check import DayTables, Problems
from pipelines.quality.row_checks import TOLERANCE, close, count_rows

_TRANSCRIPT = ["call_id", "leg_id"]

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
"""Columns of call_metrics_daily, each with the disjoint columns that add up to it in every row."""


def find_item_count_mismatches(tables: DayTables) -> Problems:
    """Compare the rows of calls and rejected items with the number of landed items of the day."""
    issues = tables.frame("data_issues", ["kind"])
    rows = {
        "calls": ("calls", tables.rows("calls")),
        "data_issues": ("rejected items", int((issues["kind"] == "rejected_item").sum())),
    }
    return {
        f"{what} missing or in excess of what landed": abs(count - landed)
        for table, (what, count) in rows.items()
        if (landed := tables.landed_items(table)) is not None
    }


def find_message_count_mismatches(tables: DayTables) -> Problems:
    """Compare the listed messages with the message counts of calls and legs.

    Listed are the messages of root calls, of legs of the day, and of items of the day whose leg is nested in a call of
    the day before. Two transcripts are counted but not listed: the one of a leg that repeats a call, which lists it,
    and the one of an item whose nested leg has a transcript of its own.
    """
    calls = tables.frame("calls", ["call_id", "is_root", "message_count"])
    legs = tables.frame("transfer_legs", [*_TRANSCRIPT, "message_count"])
    roots = calls.filter("is_root")
    items = calls.filter(~pl.col("is_root")).select(leg_id="call_id", of_item="message_count")
    counted = pl.concat(
        [
            roots.select("call_id", leg_id=pl.lit(None, pl.String), counted="message_count"),
            legs.select(*_TRANSCRIPT, counted="message_count"),
        ]
    ).with_columns(is_here=True)
    repeated = roots.select(leg_id="call_id", of_call="message_count")
    both = (
        counted.join(count_messages(tables), on=_TRANSCRIPT, how="full", nulls_equal=True, coalesce=True)
        .join(items, on="leg_id", how="left")
        .join(repeated, on="leg_id", how="left")
        .with_columns(pl.col("counted", "listed", "of_item", "of_call").fill_null(0))
    )
    listed, expected = pl.col("listed"), pl.col("counted")
    repeats = (listed == 0) & (expected == pl.col("of_call"))
    is_item = pl.col("is_here").is_null() & (listed == pl.col("of_item"))
    return {
        "transcripts whose number of messages differs from their message_count": both.filter(
            listed != expected, ~repeats, ~is_item
        ).height
    }


def find_leg_count_mismatches(tables: DayTables) -> Problems:
    """Compare the legs listed for calls of the day with the leg counts of the calls."""
    calls = tables.frame("calls", ["call_id", "transfer_leg_count"])
    listed = tables.frame("transfer_legs", ["call_id"]).group_by("call_id").agg(listed=pl.len())
    both = calls.join(listed, on="call_id", how="left")
    differs = pl.col("transfer_leg_count").ne_missing(pl.col("listed").fill_null(0))
    return {"calls whose number of legs differs from their transfer_leg_count": both.filter(differs).height}


def count_messages(tables: DayTables) -> pl.DataFrame:
    """Return the listed transcripts: call_id, leg_id and the number of their messages as `listed`."""
    parts = [
        # The messages of a transcript are consecutive rows, so there are few runs.
        batch.select(run=pl.struct(_TRANSCRIPT).rle()).unnest("run").unnest("value")
        for batch in tables.batches("transcript_turns", _TRANSCRIPT)
    ]
    return pl.concat(parts).group_by(_TRANSCRIPT).agg(listed=pl.col("len").sum().cast(pl.Int64))


def find_orphan_legs(tables: DayTables) -> Problems:
    """Find legs whose call is not where their row says it is.

    A nested leg is on the day of the call that nests it. The parent of a child call may be on the day before; only if
    the row says that the parent was not found, the parent must not be on this day either.
    """
    legs = tables.frame("transfer_legs", ["call_id", "source", "parent_found"])
    here = pl.col("call_id").is_in(_call_ids(tables).implode())
    found = pl.col("parent_found")
    nested = (pl.col("source") == "nested") & found & here
    child = (pl.col("source") == "child_call") & (found | ~here)
    right = (found.is_not_null() & (nested | child)).fill_null(value=False)
    return {"transfer_legs rows whose source or parent_found does not match the calls": _count(legs, ~right)}


def find_orphan_turns(tables: DayTables) -> Problems:
    """Find messages that belong to no call and no leg.

    A message without leg_id belongs to a call of the day. One with leg_id belongs to a leg of the day of the same call,
    or to an item of the day whose leg is nested in a call of the day before.
    """
    calls = _call_ids(tables).implode()
    legs = tables.frame("transfer_legs", ["call_id", "leg_id"])
    transcripts = count_messages(tables)
    of_call = transcripts.filter(pl.col("leg_id").is_null(), ~pl.col("call_id").is_in(calls))
    of_leg = transcripts.filter(pl.col("leg_id").is_not_null(), ~pl.col("leg_id").is_in(calls))
    of_leg = of_leg.join(legs, on=["call_id", "leg_id"], how="anti")
    orphans = int(pl.concat([of_call["listed"], of_leg["listed"]]).sum())
    return {"transcript_turns rows without call or leg": orphans}


def find_orphan_attributes(tables: DayTables) -> Problems:
    """Find attributes whose call is not on the day."""
    calls = _call_ids(tables).implode()
    batches = tables.batches("call_attributes", ["call_id"])
    orphans = sum(_count(batch, ~pl.col("call_id").is_in(calls)) for batch in batches)
    return {"call_attributes rows without call": orphans}


def _call_ids(tables: DayTables) -> pl.Series:
    return tables.frame("calls", ["call_id"])["call_id"]


def _count(rows: pl.DataFrame, condition: pl.Expr) -> int:
    return int(rows.select(condition.sum()).item())


def find_total_mismatches(tables: DayTables) -> Problems:
    """Compare the day's totals of each mart with those of its calls or legs; null and zero are different.

    In the daily mart of calls, outcomes, duration buckets and costs must also add up in each row.
    """
    calls = _not_deleted(tables, "calls", _CALLS).filter("is_root")
    legs = _not_deleted(tables, "transfer_legs", _LEGS)
    return {
        **_differences(tables, "call_metrics_daily", calls.select(**_totals(_CALLS))),
        **_differences(tables, "transfer_metrics_daily", legs.select(**_totals(_LEGS))),
        **_differences(tables, "call_volume_hourly", calls.select(**_totals(_VOLUME))),
        **_part_mismatches(tables),
    }


def _not_deleted(tables: DayTables, table: str, wanted: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Return the rows of a table that are not deleted, with the columns that the expressions read."""
    columns = {column for expression in wanted.values() for column in expression.meta.root_names()}
    return tables.frame(table, sorted(columns | {"deleted_at"})).filter(pl.col("deleted_at").is_null())


def _totals(addends: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """Return the sum of each expression, null if it has no addend."""
    return {name: pl.when(value.count() > 0).then(value.sum()) for name, value in addends.items()}


def _differences(tables: DayTables, mart: str, expected: pl.DataFrame) -> dict[str, int]:
    totals = tables.frame(mart, expected.columns).select(**_totals({name: pl.col(name) for name in expected.columns}))
    pairs = zip(expected.columns, expected.row(0), totals.row(0), strict=True)
    return {
        f"{mart}.{name} differs from the total of its calls or legs": not _equal(left, right)
        for name, left, right in pairs
    }


def _equal(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is right
    return math.isclose(left, right, rel_tol=TOLERANCE)


def _part_mismatches(tables: DayTables) -> dict[str, int]:
    table = "call_metrics_daily"
    mart = tables.frame(table, [*_PARTS, *(name for parts in _PARTS.values() for name in parts)])
    differs = {whole: ~close(pl.col(whole).fill_null(0), pl.sum_horizontal(*parts)) for whole, parts in _PARTS.items()}
    return {f"{table}.{name} is not the sum of its parts": rows for name, rows in count_rows(mart, differs).items()}
