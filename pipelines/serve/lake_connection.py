"""The catalog for notebooks and programs that hold it open for longer than replaced files are kept.

A catalog that was opened yesterday names files that may be gone today, and DuckDB keeps showing a process the catalog
that it opened first. So each query goes to the newest catalog, which is opened again if it was replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import duckdb

from pipelines.errors import ChorusCallsError
from pipelines.serve.catalog import connect_catalog
from pipelines.serve.query import brief, require_catalog, unreadable

_MISSING_FILE: Final = (duckdb.IOException, FileNotFoundError)


class LakeConnection:
    """A read-only connection to the newest catalog; not for several threads at once.

    Args:
        catalog: The catalog's file.

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
            raise unreadable(brief(error)) from error

    def _reopen(self) -> duckdb.DuckDBPyConnection:
        """Open the catalog that is there now. The connection before it ends with the last relation made from it."""
        self._connection = None
        require_catalog(self.catalog)
        # Noted before it is opened: a file that is replaced in between is opened once too often, never too seldom.
        self._opened_file = self._file()
        try:
            self._connection = connect_catalog(self.catalog)
        except duckdb.Error as error:
            what = f"The catalog {self.catalog} cannot be read: {brief(error)}"
            raise unreadable(what) from error
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
