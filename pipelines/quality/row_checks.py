"""Checks of the rows of one table: columns, keys, impossible numbers, ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from pipelines.dictionary import MARTS, TABLES, Column, ColumnType, Ratio, Table, ratios_of
from pipelines.dictionary.schemas import polars_schema
from pipelines.quality.check import DayTables, Problems


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


TOLERANCE = 1e-9
"""How far two ways to add the same numbers may lie apart, relative to their size."""

SIGNED = frozenset({"turn_count", "turns"})
"""Counts that are as the API states them, below zero too."""


def close(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Return whether two numbers are finite and the same but for rounding; null where one of them is null."""
    apart = (left - right).abs()
    # NaN is no greater than itself to polars, so nothing may be compared that is not finite.
    return apart.is_finite() & (apart <= TOLERANCE * pl.max_horizontal(left.abs(), right.abs()))


def count_rows(rows: pl.DataFrame, conditions: Mapping[str, pl.Expr]) -> dict[str, int]:
    """Count for each condition the rows that meet it, in one pass; a condition that is null is not met."""
    return rows.select(**{name: condition.sum() for name, condition in conditions.items()}).row(0, named=True)


def find_impossible_numbers(tables: DayTables) -> Problems:
    """Find counts and measures below zero, and measures that are not finite."""
    problems: dict[str, int] = {}
    for table in ("calls", "transfer_legs", *MARTS):
        measures = [column for column in TABLES[table].columns if column.additivity and column.name not in SIGNED]
        rows = tables.frame(table, [column.name for column in measures])
        wrong = count_rows(rows, {column.name: _impossible(column) for column in measures})
        problems |= {f"{table}.{name} below zero or not finite": count for name, count in wrong.items()}
    return problems


def find_wrong_ratios(tables: DayTables) -> Problems:
    """Find ratios that are not their numerator over their denominator, or not null where there is no quotient."""
    problems: dict[str, int] = {}
    for table in MARTS:
        ratios = ratios_of(table)
        columns = {column for ratio in ratios for column in (ratio.name, *ratio.components)}
        if columns:
            wrong = count_rows(tables.frame(table, sorted(columns)), {ratio.name: ~_holds(ratio) for ratio in ratios})
            problems |= {f"{table}.{name} is not its quotient": count for name, count in wrong.items()}
    return problems


def _impossible(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    return (value < 0) | ~value.is_finite() if column.type is ColumnType.NUMBER else value < 0


def _holds(ratio: Ratio) -> pl.Expr:
    """Return whether a ratio is its quotient, and null exactly where there is none that is a number."""
    stated = pl.col(ratio.name)
    below = sum((pl.col(name) for name in ratio.denominator[1:]), pl.col(ratio.denominator[0]))
    quotient = ratio.factor * pl.col(ratio.numerator) / below
    right = close(stated, quotient).fill_null(value=False)
    return pl.when(quotient.is_finite()).then(right).otherwise(stated.is_null())
