"""Checks of what every table promises: its columns, and a key that names each row once."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.dictionary import TABLES, Table
from pipelines.dictionary.schemas import polars_schema
from pipelines.quality.model import DayTables, Problems


def find_wrong_columns(tables: DayTables) -> Problems:
    """Compare name, type and order of the columns of every table's file with the data dictionary."""
    return {f"{table} has other columns or types": tables.schema(table) != polars_schema(table) for table in TABLES}


def find_repeated_keys(tables: DayTables) -> Problems:
    """Find rows that do not come after the row before them in their table's order, nulls first and alike.

    Tables are sorted by their key, so a key that rises strictly from row to row is unique; a row that breaks the order
    is found as well.
    """
    return {
        f"{name} rows out of order or repeated": _unrisen(tables, name, table.key)
        for name, table in TABLES.items()
        if table.key
    }


def find_null_keys(tables: DayTables) -> Problems:
    """Find rows without a value in a column of the key, or in call_id, where the data dictionary knows no null."""
    return {f"{name} rows with a null key": _nulls(tables, table) for name, table in TABLES.items()}


def _nulls(tables: DayTables, table: Table) -> int:
    columns = [
        column.name for column in table.columns if column.name in {*table.key, "call_id"} and not column.nullable
    ]
    if not columns:
        return 0
    missing = pl.any_horizontal(pl.col(columns).is_null()).sum()
    return sum(batch.select(missing).item() for batch in tables.batches(table.name, columns))


def _unrisen(tables: DayTables, table: str, key: Sequence[str]) -> int:
    """Count the rows whose key is not greater than the key of the row before, batch after batch."""
    unrisen = (~_rises(key)).slice(1).sum()  # no row stands before the first
    count = 0
    last: pl.DataFrame | None = None
    for batch in tables.batches(table, key):
        rows = batch if last is None else pl.concat([last, batch])
        count += rows.select(unrisen).item()
        last = rows.tail(1)
    return count


def _rises(key: Sequence[str]) -> pl.Expr:
    """Return for each row whether its key is greater than that before, by the first of its columns that differs."""
    rises = pl.lit(value=False)
    for name in reversed(key):
        value = pl.col(name)
        before = value.shift()
        greater = (value > before).fill_null(before.is_null() & value.is_not_null())
        rises = greater | (value.eq_missing(before) & rises)
    return rises
