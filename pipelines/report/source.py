"""The questions a report asks, of one opening of the catalog: all figures are of one moment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import duckdb

Row = Mapping[str, Any]

_PARAMETER: Final = re.compile(r"\$([a-z_]+)")


class Source:
    """A catalog that is open, and the values that questions may name.

    Args:
        connection: The catalog.
        parameters: Values by the names under which questions use them, as in `$agent`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, Any]) -> None:
        self._connection = connection
        self.parameters = parameters

    def rows(self, sql: str) -> list[Row]:
        """Return the rows of an answer, each by the names of its columns."""
        used = {name: self.parameters[name] for name in _PARAMETER.findall(sql)}
        answer = self._connection.execute(sql, used)
        columns = [column[0] for column in answer.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]

    def row(self, sql: str) -> Row:
        """Return the one row of an answer."""
        return self.rows(sql)[0]
