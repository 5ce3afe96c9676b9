"""What a catalog contains: the lake's tables as views and tables, the macros, and the helper tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.dictionary import CORE_TABLES, MARTS, TABLES, Column, Table
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import layout, state
from pipelines.lake.names import names_digest, shown_names
from pipelines.lake.state import Manifest
from pipelines.lake.storage import Storage
from pipelines.serve import ddl
from pipelines.serve.freshness import ensure_scans_readable, freshness_query, landed_states, newest_call
from pipelines.serve.helper_tables import (
    COLUMNS_TABLE,
    DAYS,
    DIM_DATE,
    DIMENSIONS,
    FRESHNESS,
    LAKE,
    NAMES,
    TABLES_TABLE,
    dimension_query,
    names_relation,
)
from pipelines.serve.incremental import Reused, signature
from pipelines.serve.macros import MACROS

_CALENDAR: Final = """
SELECT day, isoyear(day), week(day), year(day), quarter(day), month(day), monthname(day), isodow(day), dayname(day),
    isodow(day) > 5, date_trunc('week', day), date_trunc('month', day), date_trunc('quarter', day)
FROM (
    SELECT CAST(unnest(generate_series(first, last, INTERVAL 1 DAY)) AS DATE) AS day
    FROM (
        SELECT date_trunc('year', min(call_date)) AS first,
            date_trunc('year', max(call_date)) + INTERVAL 1 YEAR - INTERVAL 1 DAY AS last
        FROM _days
    )
)
"""


@dataclass(frozen=True)
class _Relation:
    """One table or view of a catalog: its kind, its columns there, and the query that gives its rows."""

    kind: str
    table: Table
    columns: Sequence[Column]
    query: str = ""
    is_view: bool = False


class Contents:
    """Everything that the catalog of one state of the lake contains.

    Args:
        storage: The lake's files.
        manifest: What is published.
        currency: The label shown next to money; empty for none.
        marts_only: Leave out what reads files of the lake, and so all text of calls: the catalog is self-contained.
        reused: What is copied from the present catalog, attached to the same connection; else all is read from files.
    """

    def __init__(
        self,
        storage: Storage,
        manifest: Manifest,
        *,
        currency: str = "",
        marts_only: bool = False,
        reused: Reused | None = None,
    ) -> None:
        self._storage = storage
        self._manifest = manifest
        self._currency = currency
        self._marts_only = marts_only
        self._reused = reused or Reused({}, frozenset())
        self._names = shown_names(storage)
        self._folders = {
            day: storage.address(layout.version_folder(day, published.version))
            for day, published in manifest.days.items()
        }

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write all of it into the empty database that a connection uses."""
        ensure_scans_readable(self._storage)
        days = self._days()
        _insert(connection, LAKE, [self._lake()])
        _insert(connection, DAYS, days)
        incomplete = {table for day in days for table in (day["lacking"] or "").split(", ")}
        views = list(self._core_views(incomplete))
        # Views get no files at first, since DuckDB would search all of them for each macro that names the view.
        for view in views:
            _create(connection, replace(view, query=ddl.no_rows(view.columns)))
        tables = [*self._marts(), *self._helpers()]
        connection.register(NAMES, names_relation(self._names))
        for table in tables:
            _create(connection, table)
        connection.unregister(NAMES)
        self._create_macros(connection)
        for view in views:
            connection.execute(f"CREATE OR REPLACE VIEW {ddl.name(view.table.name)} AS {view.query}")
        _describe(connection, [*views, *tables])

    def _create_macros(self, connection: duckdb.DuckDBPyConnection) -> None:
        for macro in MACROS:
            if not (self._marts_only and macro.reads_calls):
                for statement in macro.statements():
                    connection.execute(statement)

    def _core_views(self, incomplete: Collection[str]) -> Iterator[_Relation]:
        """Yield the views over the core tables; of those that lack columns, DuckDB has to read each file's schema."""
        for name in () if self._marts_only else CORE_TABLES:
            table = ddl.labelled(TABLES[name], self._currency)
            query = ddl.rows_of(table, self._addresses(name, self._manifest.days), alike=name not in incomplete)
            yield _Relation("core", table, table.all_columns, query, is_view=True)

    def _marts(self) -> Iterator[_Relation]:
        for name in MARTS:
            table = ddl.labelled(TABLES[name], self._currency)
            yield _Relation("mart", table, table.all_columns, self._mart_query(table))

    def _mart_query(self, table: Table) -> str:
        """Return the query for a mart's rows: by day, and within a day in the order of its file."""
        if not self._reused.days:
            return ddl.rows_of(table, self._addresses(table.name, self._manifest.days), alike=False)
        changed = self._manifest.days.keys() - self._reused.days.keys()
        read = ddl.rows_of(table, self._addresses(table.name, changed), alike=False)
        order = ", ".join(f"{ddl.name(column)} NULLS FIRST" for column in ("call_date", *table.sort_by))
        return f"FROM ({self._reused.rows_of(table)} UNION ALL {read}) ORDER BY {order}"

    def _helpers(self) -> Iterator[_Relation]:
        yield _Relation("helper", DIM_DATE, DIM_DATE.columns, _CALENDAR)
        for column, table in DIMENSIONS.items():
            yield _Relation("helper", table, table.columns, dimension_query(table, column))
        query = freshness_query(self._storage)
        yield _Relation("helper", FRESHNESS, FRESHNESS.columns, query, is_view=not self._marts_only)

    def _addresses(self, table: str, days: Iterable[date]) -> list[str]:
        return [layout.table_in(self._folders[day], table) for day in sorted(days)]

    def _lacking(self, day: date) -> str | None:
        """Name the tables of a day whose files lack columns of today's dictionary, as after an upgrade."""
        if self._marts_only:
            return None
        if day in self._reused.days:
            return self._reused.days[day]
        version = self._manifest.days[day].version
        lacking = [
            table
            for table in CORE_TABLES
            if pq.read_schema(self._storage.open_input(layout.table_file(day, version, table))).names
            != list(TABLES[table].names)
        ]
        return ", ".join(lacking) or None

    def _lake(self) -> dict[str, Any]:
        return {
            "generation": self._manifest.generation,
            "committed_at": self._manifest.committed_at,
            "made_at": state.now(),
            "currency": self._currency or None,
            "newest_call_at": newest_call(self._storage, self._manifest),
            "names": names_digest(self._names),
            "signature": None if self._marts_only else signature(self._storage.address(), self._currency),
        }

    def _days(self) -> list[dict[str, Any]]:
        landed = landed_states(self._storage, self._manifest)
        return [
            {
                "call_date": day,
                "version": known.version,
                "published_at": known.published_at,
                "calls": known.rows.get("calls"),
                "landed": landed[day],
                "lacking": self._lacking(day),
            }
            for day, known in sorted(self._manifest.days.items())
        ]


def _create(connection: duckdb.DuckDBPyConnection, relation: _Relation) -> None:
    """Create a view over a query, or a table with its rows."""
    name = ddl.name(relation.table.name)
    if relation.is_view:
        connection.execute(f"CREATE VIEW {name} AS {relation.query}")
    else:
        connection.execute(ddl.create_table(relation.table.name, relation.columns))
        connection.execute(f"INSERT INTO {name} {relation.query}")


def _insert(connection: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Create a table and insert rows of this program."""
    connection.execute(ddl.create_table(table.name, table.columns))
    connection.register("incoming", pa.Table.from_pylist(list(rows), schema=arrow_schema(table)))
    connection.execute(f"INSERT INTO {ddl.name(table.name)} SELECT * FROM incoming")  # noqa: S608 - its own name
    connection.unregister("incoming")


def _describe(connection: duckdb.DuckDBPyConnection, relations: Sequence[_Relation]) -> None:
    """Write the tables that describe the catalog, and the comment of every table, view and column."""
    described = [TABLES_TABLE, COLUMNS_TABLE, LAKE, DAYS]
    relations = [*relations, *(_Relation("helper", table, table.columns) for table in described)]
    _insert(connection, TABLES_TABLE, [_table_row(relation) for relation in relations])
    _insert(connection, COLUMNS_TABLE, [row for relation in relations for row in _column_rows(relation)])
    for relation in relations:
        for statement in ddl.comment("VIEW" if relation.is_view else "TABLE", relation.table, relation.columns):
            connection.execute(statement)


def _table_row(relation: _Relation) -> dict[str, str | None]:
    table = relation.table
    return {
        "table_name": table.name,
        "kind": relation.kind,
        "title": table.title,
        "description": table.description,
        "grain": table.grain,
        "key": ", ".join(table.key) or None,
    }


def _column_rows(relation: _Relation) -> Iterator[dict[str, Any]]:
    for position, column in enumerate(relation.columns, start=1):
        yield {
            "table_name": relation.table.name,
            "position": position,
            "column_name": column.name,
            "type": str(column.type),
            "unit": column.unit or None,
            "description": column.description,
            "formula": column.formula or None,
            "additivity": str(column.additivity) if column.additivity else None,
            "personal": str(column.personal),
        }
