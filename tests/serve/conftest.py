from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from pipelines.serve.catalog import open_catalog
from tests.support.metrics_lake import Row, measured_lake


@dataclass(frozen=True)
class Measured:
    """A catalog to ask, and the rows of its calls, legs and attributes to work the answer out from."""

    connection: duckdb.DuckDBPyConnection
    calls: list[Row]
    legs: list[Row]
    attributes: list[Row]

    def ask(self, sql: str) -> list[dict[str, Any]]:
        return _rows(self.connection, sql)


@pytest.fixture(scope="session")
def measured(tmp_path_factory) -> Iterator[Measured]:
    """The lake of `tests.support.metrics_lake`."""
    with open_catalog(measured_lake(tmp_path_factory.mktemp("measured")).catalog.path) as connection:
        tables = ("calls", "transfer_legs", "call_attributes")
        yield Measured(connection, *(_rows(connection, f"FROM {table}") for table in tables))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = connection.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
