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
    count = 0
    last: pl.DataFrame | None = None
    for batch in tables.batches(table, key):
        rows = batch if last is None else pl.concat([last, batch])
        before, after = rows.head(-1), rows.slice(1)
        count += after.height - int(_rises(before, after, key).sum())
        last = rows.tail(1)
    return count


def _rises(before: pl.DataFrame, after: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    """Return for each pair of rows whether the second key is greater, by the first of its columns that differs.

    Null stands for no as well: it comes of comparing with null, and says nothing that the tests for null have not said.
    """
    rises = pl.repeat(value=False, n=after.height, dtype=pl.Boolean, eager=True)
    for column in reversed(key):
        left, right = before[column], after[column]
        greater = (right > left) | (left.is_null() & right.is_not_null())
        rises = greater | (left.eq_missing(right) & rises)
    return rises
