"""Checks of single numbers: none impossible, and every ratio what its numerator and denominator make it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.dictionary import MARTS, TABLES, Column, ColumnType, Ratio, ratios_of
from pipelines.quality.model import DayTables, Problems

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
