"""Holds rows of a table against the expected ones and says in words where they part."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

from tests.oracle.names import KEYS
from tests.oracle.tables import COLUMNS, sort_key

Row = dict[str, Any]

RELATIVE_TOLERANCE = 1e-9


def assert_same_rows(actual: list[Row], expected: list[Row], table: str) -> None:
    """Fail with the first row and column that differ.

    Floats may differ by a relative 1e-9, the rounding of sums; all else must be equal and of the same type. The order
    must be that of the table's key. The wording of data_issues.message is free, but there must be one.
    """
    _assert_columns(actual, table)
    _assert_order(actual, table)
    _assert_same_keys(actual, expected, table)
    # Rows with equal keys, which only data_issues has, are paired by what was sent.
    pairs = zip(sorted(actual, key=sort_key(table)), sorted(expected, key=sort_key(table)), strict=True)
    for mine, theirs in pairs:
        for column in COLUMNS[table]:
            free = (table, column) == ("data_issues", "message")
            if not (_is_worded(mine[column]) if free else _is_same(mine[column], theirs[column])):
                message = (
                    f"{table} row {_key(theirs, table)}: {column} is {mine[column]!r}, expected {theirs[column]!r}\n"
                    f"  actual:   {mine}\n  expected: {theirs}"
                )
                raise AssertionError(message)


def assert_same_tables(actual: dict[str, list[Row]], expected: dict[str, list[Row]]) -> None:
    """Compare all tables of a day, the ones that others are made from first."""
    assert set(actual) == set(COLUMNS), f"tables are {sorted(actual)}, expected {sorted(COLUMNS)}"
    for table in COLUMNS:
        assert_same_rows(actual[table], expected[table], table)


def _key(row: Row, table: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEYS[table])


def _is_worded(message: Any) -> bool:
    return isinstance(message, str) and message.strip() != ""


def _is_same(mine: Any, theirs: Any) -> bool:
    if isinstance(theirs, float) and isinstance(mine, float):
        return math.isclose(mine, theirs, rel_tol=RELATIVE_TOLERANCE)
    return type(mine) is type(theirs) and mine == theirs


def _assert_columns(actual: list[Row], table: str) -> None:
    for row in actual[:1]:
        assert tuple(row) == COLUMNS[table], f"{table} has columns {tuple(row)}, expected {COLUMNS[table]}"


def _assert_order(actual: list[Row], table: str) -> None:
    def key(row: Row) -> tuple[Any, ...]:
        return tuple((value is not None, value if value is not None else 0) for value in _key(row, table))

    for before, after in itertools.pairwise(actual):
        assert key(before) <= key(after), f"{table} is not sorted: {_key(after, table)} after {_key(before, table)}"


def _assert_same_keys(actual: list[Row], expected: list[Row], table: str) -> None:
    mine = Counter(_key(row, table) for row in actual)
    theirs = Counter(_key(row, table) for row in expected)
    missing, added = list((theirs - mine).elements()), list((mine - theirs).elements())
    message = (
        f"{table} has {len(actual)} rows, expected {len(expected)}\n"
        f"  missing: {missing[:5]}\n  not expected: {added[:5]}\n  columns: {KEYS[table]}"
    )
    assert mine == theirs, message
