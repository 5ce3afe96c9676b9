"""Checks of what rows say about rows of other tables: no leg, turn or attribute of a call that is not there."""

from __future__ import annotations

import polars as pl

from pipelines.quality.counts import count_messages
from pipelines.quality.model import DayTables, Problems


def find_lost_legs(tables: DayTables) -> Problems:
    """Find legs whose call is not where their row says it is.

    A nested leg lies on the day of the call that nests it. A child call may have its parent on the day before; only
    where it says that the parent was not found, the parent must not be here either.
    """
    legs = tables.frame("transfer_legs", ["call_id", "source", "parent_found"])
    here = pl.col("call_id").is_in(_call_ids(tables).implode())
    found = pl.col("parent_found")
    nested = (pl.col("source") == "nested") & found & here
    child = (pl.col("source") == "child_call") & (found | ~here)
    right = (found.is_not_null() & (nested | child)).fill_null(value=False)
    return {"transfer_legs rows whose call is not as they say": _count(legs, ~right)}


def find_lost_turns(tables: DayTables) -> Problems:
    """Find messages that belong to no call and no leg.

    A message without leg_id is of a call of the day. One with leg_id is of a leg of the day under the same call, or of
    an item of the day whose leg is nested in a call of the day before.
    """
    calls = _call_ids(tables).implode()
    legs = tables.frame("transfer_legs", ["call_id", "leg_id"])
    transcripts = count_messages(tables)
    of_call = transcripts.filter(pl.col("leg_id").is_null(), ~pl.col("call_id").is_in(calls))
    of_leg = transcripts.filter(pl.col("leg_id").is_not_null(), ~pl.col("leg_id").is_in(calls))
    of_leg = of_leg.join(legs, on=["call_id", "leg_id"], how="anti")
    lost = int(pl.concat([of_call["listed"], of_leg["listed"]]).sum())
    return {"transcript_turns rows without call or leg": lost}


def find_lost_attributes(tables: DayTables) -> Problems:
    """Find attributes of calls that the day does not have."""
    calls = _call_ids(tables).implode()
    batches = tables.batches("call_attributes", ["call_id"])
    lost = sum(_count(batch, ~pl.col("call_id").is_in(calls)) for batch in batches)
    return {"call_attributes rows without call": lost}


def _call_ids(tables: DayTables) -> pl.Series:
    return tables.frame("calls", ["call_id"])["call_id"]


def _count(rows: pl.DataFrame, condition: pl.Expr) -> int:
    return int(rows.select(condition.sum()).item())
