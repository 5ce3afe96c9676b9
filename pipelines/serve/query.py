"""Answering SQL from the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from pipelines.errors import ChorusCallsError
from pipelines.serve.catalog import open_catalog

_BATCH: Final = 10_000
_SHOWN_LINES: Final = 2


@dataclass(frozen=True)
class QueryResult:
    """The result of a query: the names of its columns, each once, and its rows as they come."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def run_query(catalog: Path, sql: str, values: Sequence[Any] = ()) -> Iterator[QueryResult]:
    """Run SQL on the catalog, which it cannot change; the rows can be read within the block.

    Args:
        catalog: The catalog's file.
        sql: One statement, or several of which the last one answers. Times are in UTC.
        values: Those of `$1`, `$2` and so on in it, where it is one statement.

    Raises:
        ChorusCallsError: There is no catalog, or DuckDB cannot do what the SQL says.
    """
    with reading(catalog) as connection:
        connection.execute(sql, list(values) or None)
        if not connection.description:
            message = "There is no statement to run."
            raise ChorusCallsError(message)
        columns = [column[0] for column in connection.description]
        yield QueryResult(tuple(_unique(columns)), _rows(connection))


@contextmanager
def reading(catalog: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the catalog for a block, with times in UTC; what goes wrong in the block with it is told in words.

    Args:
        catalog: The catalog's file.

    Raises:
        ChorusCallsError: There is no catalog, or DuckDB cannot do what it is asked.
    """
    require_catalog(catalog)
    try:
        with open_catalog(catalog) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.IOException as error:
        message = f"{brief(error)}\nWhere the lake was moved, or the catalog is old, run `chorus-calls catalog`."
        raise ChorusCallsError(message) from error
    except duckdb.Error as error:
        raise ChorusCallsError(brief(error)) from error


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := connection.fetchmany(_BATCH):
        yield from batch


def _unique(names: list[str]) -> Iterator[str]:
    """Number the later ones of equal names, so that a row can be a mapping."""
    taken: set[str] = set()
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free)
        yield free


def require_catalog(path: Path) -> None:
    """Raise ChorusCallsError where there is no catalog."""
    if not path.is_file():
        message = (
            f"There is no catalog at {path}. Run `chorus-calls sync` to fetch calls, "
            "or `chorus-calls catalog` to make it from what is published."
        )
        raise ChorusCallsError(message)


def brief(error: Exception) -> str:
    """Return what DuckDB says went wrong and where, without the drawing below it."""
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:_SHOWN_LINES])
