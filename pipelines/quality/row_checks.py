"""Checks of the rows of one table: columns, keys, invalid numbers, ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from pipelines.dictionary import MARTS, TABLES, Column, ColumnType, Ratio, Table, ratios_of
from pipelines.dictionary.schemas import polars_schema
from pipelines.quality.check import DayTables, Problems

TOLERANCE = 1e-9
"""Relative difference allowed between two ways to add the same numbers."""


def find_schema_mismatches(tables: DayTables) -> Problems:
    """Compare name, type and order of the columns of every table's file with the data dictionary."""
    return {
        f"{table} has columns or types that differ from the data dictionary": tables.schema(table)
        != polars_schema(table)
        for table in TABLES
    }


def find_duplicate_keys(tables: DayTables) -> Problems:
    """Find rows whose key is not greater than the key of the row before; nulls come first and are equal.

    Tables are sorted by their key, so a key that increases strictly from row to row is unique. Unsorted rows are found
    as well.
    """
    return {
        f"{name} rows with a duplicate key or out of order": _count_not_increasing(tables, name, table.key)
        for name, table in TABLES.items()
        if table.key
    }


def find_null_keys(tables: DayTables) -> Problems:
    """Find rows with a null in a key column, or in call_id, that the data dictionary declares not nullable."""
    return {f"{name} rows with a null key": _count_nulls(tables, table) for name, table in TABLES.items()}


def _count_nulls(tables: DayTables, table: Table) -> int:
    columns = [
        column.name for column in table.columns if column.name in {*table.key, "call_id"} and not column.nullable
    ]
    if not columns:
        return 0
    missing = pl.any_horizontal(pl.col(columns).is_null()).sum()
    return sum(batch.select(missing).item() for batch in tables.batches(table.name, columns))


def _count_not_increasing(tables: DayTables, table: str, key: Sequence[str]) -> int:
    """Count the rows whose key is not greater than the key of the row before, across batches."""
    not_increasing = (~_increases(key)).slice(1).sum()  # the first row has none before it
    count = 0
    last: pl.DataFrame | None = None
    for batch in tables.batches(table, key):
        rows = batch if last is None else pl.concat([last, batch])
        count += rows.select(not_increasing).item()
        last = rows.tail(1)
    return count


def _increases(key: Sequence[str]) -> pl.Expr:
    """Return whether each row's key is greater than the one before, by the first key column that differs."""
    increases = pl.lit(value=False)
    for name in reversed(key):
        value = pl.col(name)
        before = value.shift()
        greater = (value > before).fill_null(before.is_null() & value.is_not_null())
        increases = greater | (value.eq_missing(before) & increases)
    return increases


def close(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Return whether two numbers are finite and equal except for rounding; null if one of them is null."""
    difference = (left - right).abs()
    # To polars NaN equals itself, so only finite numbers may be compared.
    return difference.is_finite() & (difference <= TOLERANCE * pl.max_horizontal(left.abs(), right.abs()))


def count_rows(rows: pl.DataFrame, conditions: Mapping[str, pl.Expr]) -> dict[str, int]:
    """Count the rows that meet each condition, in one pass; a null condition is not met."""
    return rows.select(**{name: condition.sum() for name, condition in conditions.items()}).row(0, named=True)


def find_invalid_numbers(tables: DayTables) -> Problems:
    """Find negative counts and measures, and measures that are not finite."""
    problems: dict[str, int] = {}
    for table in ("calls", "transfer_legs", *MARTS):
        measures = [column for column in TABLES[table].columns if column.additivity and not column.signed]
        rows = tables.frame(table, [column.name for column in measures])
        wrong = count_rows(rows, {column.name: _is_invalid(column) for column in measures})
        problems |= {f"{table}.{name} negative or not finite": count for name, count in wrong.items()}
    return problems


def find_ratio_mismatches(tables: DayTables) -> Problems:
    """Find ratios that differ from numerator over denominator, or are not null when there is no finite quotient."""
    problems: dict[str, int] = {}
    for table in MARTS:
        ratios = ratios_of(TABLES[table])
        columns = {column for ratio in ratios for column in (ratio.name, *ratio.components)}
        if columns:
            wrong = count_rows(
                tables.frame(table, sorted(columns)), {ratio.name: ~_is_quotient(ratio) for ratio in ratios}
            )
            problems |= {f"{table}.{name} is not numerator over denominator": count for name, count in wrong.items()}
    return problems


def _is_invalid(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    return (value < 0) | ~value.is_finite() if column.type is ColumnType.NUMBER else value < 0


def _is_quotient(ratio: Ratio) -> pl.Expr:
    """Return whether a ratio is its quotient, and null exactly when there is no finite quotient."""
    stated = pl.col(ratio.name)
    denominator = sum((pl.col(name) for name in ratio.denominator[1:]), pl.col(ratio.denominator[0]))
    quotient = ratio.factor * pl.col(ratio.numerator) / denominator
    right = close(stated, quotient).fill_null(value=False)
    return pl.when(quotient.is_finite()).then(right).otherwise(stated.is_null())
