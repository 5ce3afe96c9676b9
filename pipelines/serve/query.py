"""Reading the catalog: single queries, and a connection for notebooks that stays open as catalogs are replaced.

DuckDB's errors are raised in words, with what to do about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import duckdb

from pipelines.errors import ChorusCallsError
from pipelines.serve.catalog import connect_catalog, open_catalog

_BATCH: Final = 10_000
_ERROR_LINES: Final = 2
_MISSING_FILE: Final = (duckdb.IOException, FileNotFoundError)


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

    Raises:
        ChorusCallsError: There is no catalog, or DuckDB raises an error.
    """
    _require_catalog(catalog)
    try:
        with open_catalog(catalog) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.IOException as error:
        raise _unreadable(_brief(error)) from error
    except duckdb.Error as error:
        raise ChorusCallsError(_brief(error)) from error


class LakeConnection:
    """A read-only connection that always goes to the newest catalog; not for several threads at once.

    A catalog that was opened yesterday names files that may be gone today, so it is opened again if it was replaced or
    names a missing file.

    Raises:
        ChorusCallsError: There is no catalog, or it cannot be read.
    """

    def __init__(self, catalog: Path) -> None:
        self.catalog = catalog.absolute()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opened_file: tuple[int, int, int] | None = None
        self._closed = False
        self._reopen()

    def sql(self, query: str, params: object = None) -> duckdb.DuckDBPyRelation:
        """Run a query on the newest catalog; times are in UTC.

        Args:
            query: One statement that gives rows. Data frames of the program can be named in it like tables.
            params: Values for `?`, `$1` or `$name` in it.

        Returns:
            DuckDB's own relation. It reads its rows when they are asked for, as in `lake.sql("…").pl()`, from the state
            of the lake at the time of the query.

        Raises:
            ChorusCallsError: The statement gives no rows, the lake is closed or has no catalog any more, or a file that
                the newest catalog names is missing.
            duckdb.Error: DuckDB cannot do what the SQL says.
        """
        relation: duckdb.DuckDBPyRelation | None
        relation = self._with_newest(lambda connection: connection.sql(query, params=params))
        if relation is None:
            message = "An open lake answers queries that give rows, such as SELECT …; this statement gives none."
            raise ChorusCallsError(message)
        return relation

    execute = sql

    def table(self, name: str) -> duckdb.DuckDBPyRelation:
        """Return a table or view of the newest catalog, as `sql` does."""
        relation: duckdb.DuckDBPyRelation = self._with_newest(lambda connection: connection.table(name))
        return relation

    def close(self) -> None:
        """Close the catalog, and with it the relations that were made last."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _with_newest(self, make: Callable[[duckdb.DuckDBPyConnection], Any]) -> Any:
        """Make a relation, and once more on the catalog opened again if a file is missing."""
        if self._closed:
            message = "This lake is closed: open it again with open_lake()."
            raise ChorusCallsError(message)
        if self._connection is None or self._file() not in (None, self._opened_file):
            self._connection = self._reopen()
        try:
            return make(self._connection)
        except _MISSING_FILE:
            self._connection = self._reopen()
        try:
            return make(self._connection)
        except _MISSING_FILE as error:
            raise _unreadable(_brief(error)) from error

    def _reopen(self) -> duckdb.DuckDBPyConnection:
        """Open the catalog that is there now. The connection before it ends with the last relation made from it."""
        self._connection = None
        _require_catalog(self.catalog)
        # Noted before it is opened: a file that is replaced in between is opened once too often, never too seldom.
        self._opened_file = self._file()
        try:
            self._connection = connect_catalog(self.catalog)
        except duckdb.Error as error:
            what = f"The catalog {self.catalog} cannot be read: {_brief(error)}"
            raise _unreadable(what) from error
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET python_scan_all_frames = true")  # the caller's frame is not the innermost one
        return self._connection

    def _file(self) -> tuple[int, int, int] | None:
        """Return what distinguishes this file from the one that replaces it; None if there is none."""
        try:
            found = self.catalog.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


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


def _require_catalog(path: Path) -> None:
    """Raise ChorusCallsError if there is no catalog."""
    if not path.is_file():
        message = (
            f"There is no catalog at {path}. Run `chorus-calls sync` to fetch calls, "
            "or `chorus-calls catalog` to make it from the published files."
        )
        raise ChorusCallsError(message)


def _unreadable(what: str) -> ChorusCallsError:
    """Return the error for a catalog that cannot be read, or that names missing files, with what to do about it."""
    return ChorusCallsError(f"{what}\nIf the lake was moved, or the catalog is old, run `chorus-calls catalog`.")


def _brief(error: Exception) -> str:
    """Return DuckDB's message and the place of the error, without the excerpt below it."""
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:_ERROR_LINES])
