"""What stands in a catalog: the lake's tables as views and tables, the macros, and the helpers beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.dictionary import CORE_TABLES, MARTS, TABLES, Column, Table
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import layout, state
from pipelines.lake.state import Manifest
from pipelines.lake.storage import Storage
from pipelines.serve import ddl
from pipelines.serve.facts import landed_states, newest_call
from pipelines.serve.freshness import ensure_scans_readable, freshness_query
from pipelines.serve.helpers import COLUMNS_TABLE, DAYS, DIM_DATE, FRESHNESS, LAKE, TABLES_TABLE

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
    """One table or view of a catalog: what it is, its columns there, and the query that its rows come from."""

    kind: str
    table: Table
    columns: Sequence[Column]
    query: str = ""
    is_view: bool = False


class Contents:
    """Everything that the catalog of one state of the lake holds.

    Args:
        storage: The lake's files.
        manifest: What is published.
        currency: The label shown beside money; empty for none.
        marts_only: Leave out what reads files of the lake, and so all text of calls: the catalog stands alone.
    """

    def __init__(self, storage: Storage, manifest: Manifest, *, currency: str = "", marts_only: bool = False) -> None:
        self._storage = storage
        self._manifest = manifest
        self._currency = currency
        self._marts_only = marts_only

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Put all of it into the empty database that a connection uses."""
        ensure_scans_readable(self._storage)
        _insert(connection, LAKE, [self._lake()])
        _insert(connection, DAYS, self._days())
        relations = [*self._lake_relations(), *self._helper_relations()]
        for relation in relations:
            _create(connection, relation)
        for statement in ddl.create_macros():
            connection.execute(statement)
        relations += [
            _Relation("helper", table, table.columns, "") for table in (TABLES_TABLE, COLUMNS_TABLE, LAKE, DAYS)
        ]
        _insert(connection, TABLES_TABLE, [_table_row(relation) for relation in relations])
        _insert(connection, COLUMNS_TABLE, [row for relation in relations for row in _column_rows(relation)])
        for relation in relations:
            for statement in ddl.comment("VIEW" if relation.is_view else "TABLE", relation.table, relation.columns):
                connection.execute(statement)

    def _lake_relations(self) -> Iterator[_Relation]:
        for name in MARTS if self._marts_only else CORE_TABLES + MARTS:
            table = ddl.labelled(TABLES[name], self._currency)
            is_core = name in CORE_TABLES
            query = ddl.rows_of(table, self._addresses(name), alike=is_core and self._are_alike(name))
            yield _Relation("core" if is_core else "mart", table, table.all_columns, query, is_view=is_core)

    def _helper_relations(self) -> Iterator[_Relation]:
        yield _Relation("helper", DIM_DATE, DIM_DATE.columns, _CALENDAR)
        query = freshness_query(self._storage)
        yield _Relation("helper", FRESHNESS, FRESHNESS.columns, query, is_view=not self._marts_only)

    def _files(self, table: str) -> list[str]:
        return [layout.table_file(day, known.version, table) for day, known in sorted(self._manifest.days.items())]

    def _addresses(self, table: str) -> list[str]:
        return [self._storage.address(file) for file in self._files(table)]

    def _are_alike(self, table: str) -> bool:
        """Whether every published file has the columns of today's dictionary: after an upgrade some have not."""
        columns = list(TABLES[table].names)
        return all(pq.read_schema(self._storage.open_input(file)).names == columns for file in self._files(table))

    def _lake(self) -> dict[str, Any]:
        return {
            "generation": self._manifest.generation,
            "committed_at": self._manifest.committed_at,
            "made_at": state.now(),
            "currency": self._currency or None,
            "newest_call_at": newest_call(self._storage, self._manifest),
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
            }
            for day, known in sorted(self._manifest.days.items())
        ]


def _create(connection: duckdb.DuckDBPyConnection, relation: _Relation) -> None:
    """Make a view over a query, or a table with its rows."""
    name = ddl.name(relation.table.name)
    if relation.is_view:
        connection.execute(f"CREATE VIEW {name} AS {relation.query}")
    else:
        connection.execute(ddl.create_table(relation.table.name, relation.columns))
        connection.execute(f"INSERT INTO {name} {relation.query}")


def _insert(connection: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make a table of rows of this program."""
    connection.execute(ddl.create_table(table.name, table.columns))
    connection.register("incoming", pa.Table.from_pylist(list(rows), schema=arrow_schema(table)))
    connection.execute(f"INSERT INTO {ddl.name(table.name)} SELECT * FROM incoming")  # noqa: S608 - its own name
    connection.unregister("incoming")


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
