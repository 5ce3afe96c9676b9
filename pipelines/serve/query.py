"""SQL queries on the catalog, with errors in words."""

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
_ERROR_LINES: Final = 2


@dataclass(frozen=True)
class QueryResult:
    """The result of a query: the names of its columns, each once, and its rows as they come."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def run_query(catalog: Path, sql: str, values: Sequence[Any] = ()) -> Iterator[QueryResult]:
    """Run SQL on the catalog, read-only; the rows can be read within the block.

    Args:
        catalog: The catalog's file.
        sql: One statement, or several, of which the last one gives the result. Times are in UTC.
        values: Values of `$1`, `$2` and so on, for a single statement.

    Raises:
        ChorusCallsError: There is no catalog, or DuckDB cannot do what the SQL says.
    """
    with reading_catalog(catalog) as connection:
        connection.execute(sql, list(values) or None)
        if not connection.description:
            message = "There is no statement to run."
            raise ChorusCallsError(message)
        columns = [column[0] for column in connection.description]
        yield QueryResult(tuple(_unique(columns)), _rows(connection))


@contextmanager
def reading_catalog(catalog: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the catalog for a block, with times in UTC; DuckDB's errors in the block are raised in words.

    Args:
        catalog: The catalog's file.

    Raises:
        ChorusCallsError: There is no catalog, or DuckDB raises an error.
    """
    require_catalog(catalog)
    try:
        with open_catalog(catalog) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.IOException as error:
        raise unreadable(brief(error)) from error
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
    """Raise ChorusCallsError if there is no catalog."""
    if not path.is_file():
        message = (
            f"There is no catalog at {path}. Run `chorus-calls sync` to fetch calls, "
            "or `chorus-calls catalog` to make it from the published files."
        )
        raise ChorusCallsError(message)


def unreadable(what: str) -> ChorusCallsError:
    """Return the error for a catalog that cannot be read, or that names missing files, with what to do about it."""
    return ChorusCallsError(f"{what}\nIf the lake was moved, or the catalog is old, run `chorus-calls catalog`.")


def brief(error: Exception) -> str:
    """Return DuckDB's message and the place of the error, without the excerpt below it."""
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:_ERROR_LINES])
