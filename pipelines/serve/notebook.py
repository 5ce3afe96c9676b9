"""The catalog for notebooks and programs that hold it open for longer than replaced files are kept.

DuckDB answers a question when its rows are asked for, not before, and a catalog that was opened yesterday names files
that may be gone today. So what is asked is kept, and asked again of the newest catalog where files are gone: before any
row is handed out, since every way to take rows takes all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from pipelines.errors import ChorusCallsError
from pipelines.serve.catalog import open_catalog
from pipelines.serve.query import brief, require_catalog

_Ask = Callable[[duckdb.DuckDBPyConnection], Any]
_FORMS_OF_MISSING: Final = (duckdb.IOException, FileNotFoundError)
_HINT: Final = "Where the lake was moved, or the catalog is old, run `chorus-calls catalog`."


class OpenLake:
    """A read-only connection to the newest catalog; not for several threads at once.

    Where the catalog was replaced, the next question opens it anew; where a file is gone that a question reads, the
    catalog is opened anew and the question asked once more.

    Args:
        catalog: The catalog's file.

    Raises:
        ChorusCallsError: There is no catalog, or it cannot be read.
    """

    def __init__(self, catalog: Path) -> None:
        self.catalog = catalog.absolute()
        self._opened = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._seen: tuple[int, int, int] | None = None
        self._closed = False
        self._reopen()

    def sql(self, query: str, params: object = None) -> Question:
        """Ask in SQL; times are in UTC. Nothing is read until rows are asked for, as in `lake.sql("…").pl()`.

        Args:
            query: One statement that gives rows. Data frames of the program can be named in it like tables.
            params: Values for `?`, `$1` or `$name` in it.

        Raises:
            ChorusCallsError: It gives no rows, or the lake lacks a file that its catalog names.
            duckdb.Error: DuckDB cannot do what it says.
        """

        def relation(connection: duckdb.DuckDBPyConnection) -> Any:
            return connection.sql(query, params=params)

        if self.ask(relation) is None:
            message = "An open lake answers questions that give rows, such as SELECT …; this statement gives none."
            raise ChorusCallsError(message)
        return Question(self, relation)

    execute = sql

    def table(self, name: str) -> Question:
        """Return a table or view of the catalog."""
        return Question(self, lambda connection: connection.table(name))

    def close(self) -> None:
        """Close the catalog; nothing can be asked any more."""
        self._closed = True
        self._connection = None
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, question: _Ask) -> Any:
        """Let a function read from the connection, once more from the newest catalog where a file is gone.

        Raises:
            ChorusCallsError: The lake is closed, has no catalog any more, or lacks a file that its catalog names.
            duckdb.Error: DuckDB cannot do what the SQL says.
        """
        if self._closed:
            message = "This lake is closed: open it again with open_lake()."
            raise ChorusCallsError(message)
        if self._identity() not in (None, self._seen):
            self._reopen()
        try:
            return question(self._held())
        except _FORMS_OF_MISSING:
            self._reopen()
        try:
            return question(self._held())
        except _FORMS_OF_MISSING as error:
            message = f"{brief(error)}\n{_HINT}"
            raise ChorusCallsError(message) from error

    def _held(self) -> duckdb.DuckDBPyConnection:
        return self._reopen() if self._connection is None else self._connection

    def _reopen(self) -> duckdb.DuckDBPyConnection:
        """Let go of the catalog and open the one that is there now."""
        self._connection = None
        self._opened.close()
        require_catalog(self.catalog)
        # Looked at before it is opened: one that is replaced in between is opened once too often, never too seldom.
        self._seen = self._identity()
        try:
            connection = self._opened.enter_context(open_catalog(self.catalog))
        except duckdb.Error as error:
            message = f"The catalog {self.catalog} cannot be read: {brief(error)}\n{_HINT}"
            raise ChorusCallsError(message) from error
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET python_scan_all_frames = true")  # the caller's are some frames away
        self._connection = connection
        return connection

    def _identity(self) -> tuple[int, int, int] | None:
        """What tells this file from the one that takes its place; None where there is none."""
        try:
            there = self.catalog.stat()
        except OSError:
            return None
        return there.st_ino, there.st_mtime_ns, there.st_size


class Question:
    """What was asked; it can be used as the relation that DuckDB gives for it, and is asked anew each time.

    `pl()`, `df()`, `arrow()`, `fetchall()` and the like give rows; `filter`, `order`, `limit` and the like give another
    question.
    """

    def __init__(self, lake: OpenLake, relation: _Ask) -> None:
        self._lake = lake
        self._relation = relation

    def __getattr__(self, name: str) -> Any:
        """Return what DuckDB's relation has under a name."""
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._lake.ask(lambda connection: getattr(self._relation(connection), name))
        if not callable(found):
            return found

        def method(*values: Any, **named: Any) -> Any:
            def called(connection: duckdb.DuckDBPyConnection) -> Any:
                return getattr(self._relation(connection), name)(*values, **named)

            result = self._lake.ask(lambda connection: _whole(called(connection)))
            return Question(self._lake, called) if isinstance(result, duckdb.DuckDBPyRelation) else result

        return method

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the rows over to any library that takes Arrow."""
        return self.to_arrow_table().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        """Show the first rows, as DuckDB does."""
        return str(self._lake.ask(lambda connection: repr(self._relation(connection))))


def _whole(result: Any) -> Any:
    """Read what would be read later: by then its files may be gone, and it is too late to ask again."""
    if isinstance(result, pa.RecordBatchReader):
        table = result.read_all()
        return table.to_reader()
    return result
