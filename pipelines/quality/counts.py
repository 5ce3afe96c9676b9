"""Checks that rows were neither lost nor made: as many came out as went in, counted on both sides apart."""

from __future__ import annotations

import polars as pl

from pipelines.quality.model import DayTables, Problems

_TRANSCRIPT = ["call_id", "leg_id"]


def find_uneven_items(tables: DayTables) -> Problems:
    """Compare calls and rejected items with what has landed of the day; each landed item is one row."""
    issues = tables.frame("data_issues", ["kind"])
    rows = {
        "calls": ("calls", tables.rows("calls")),
        "data_issues": ("rejected items", int((issues["kind"] == "rejected_item").sum())),
    }
    return {
        f"{what} more or fewer than have landed": abs(count - landed)
        for table, (what, count) in rows.items()
        if (landed := tables.landed_items(table)) is not None
    }


def find_uneven_messages(tables: DayTables) -> Problems:
    """Compare the messages that are listed with the counts that calls and legs have of them.

    Listed are the messages of root calls, of legs of the day, and of items of the day whose leg is nested in a call of
    the day before. Two transcripts are counted and yet not listed: that of a leg that repeats a call, which lists it,
    and that of an item whose nested leg brings one.
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
        "transcripts with more or fewer messages than are counted": both.filter(
            listed != expected, ~repeats, ~is_item
        ).height
    }


def find_uneven_legs(tables: DayTables) -> Problems:
    """Compare the legs that are listed under calls of the day with the counts that the calls have of them."""
    calls = tables.frame("calls", ["call_id", "transfer_leg_count"])
    listed = tables.frame("transfer_legs", ["call_id"]).group_by("call_id").agg(listed=pl.len())
    both = calls.join(listed, on="call_id", how="left")
    uneven = pl.col("transfer_leg_count").ne_missing(pl.col("listed").fill_null(0))
    return {"calls with more or fewer legs than they count": both.filter(uneven).height}


def count_messages(tables: DayTables) -> pl.DataFrame:
    """Return the transcripts that are listed: call_id, leg_id and the count `listed` of their messages."""
    parts = [
        # The messages of a transcript follow each other, so that runs are few.
        batch.select(run=pl.struct(_TRANSCRIPT).rle()).unnest("run").unnest("value")
        for batch in tables.batches("transcript_turns", _TRANSCRIPT)
    ]
    return pl.concat(parts).group_by(_TRANSCRIPT).agg(listed=pl.col("len").sum().cast(pl.Int64))
