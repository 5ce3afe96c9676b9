"""A macro of the catalog, and the SQL of its parameter `grain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.serve.ddl import literal, name


@dataclass(frozen=True, slots=True)
class Macro:
    """A scalar or table macro.

    Attributes:
        name: Its name in the catalog.
        parameters: Its parameters as SQL declares them, with their defaults.
        body: Its definition: an expression, or the query of a table macro.
        description: What it answers, for readers of dashboards.
        example: A statement that uses it and runs on any catalog that has it.
        is_table: Whether it returns a table.
        reads_calls: Whether it reads the core tables, which a catalog to hand out lacks.
    """

    name: str
    parameters: tuple[str, ...]
    body: str
    description: str
    example: str
    is_table: bool = True
    reads_calls: bool = False

    def statements(self) -> Iterator[str]:
        """Yield the statements that create the macro and its comment."""
        kind = "TABLE " if self.is_table else ""
        yield f"CREATE MACRO {name(self.name)}({', '.join(self.parameters)}) AS {kind}{self.body}"
        text = f"{self.description} Example: {self.example}"
        yield f"COMMENT ON MACRO {'TABLE ' if self.is_table else ''}{name(self.name)} IS {literal(text)}"


GRAINS: Final = "'day', 'week' or 'month'"

PERIOD_COLUMN: Final = (
    "period_start, the first day of the period (of a week the Monday, as ISO weeks begin; of a month the 1st)"
)
"""The column's part of a description."""


def checked_grain(macro: str) -> str:
    """Return a query of one row, to be joined with any other: `unit`, the macro's parameter `grain` in lower case.

    It is a row of its own, since the other query may have no row at which an unknown grain could fail. If the other
    query is a view without files, DuckDB prunes both: see `or_error`.
    """
    message = (
        f"concat({literal(f'{macro}: the grain must be {GRAINS}, not ')}, coalesce(CAST(grain AS VARCHAR), 'NULL'))"
    )
    given = "lower(trim(CAST(grain AS VARCHAR)))"
    return f"(SELECT CASE WHEN {given} IN ('day', 'week', 'month') THEN {given} ELSE error({message}) END AS unit)"


def period_of(moment: str) -> str:
    """Return the first day of the period of a date or of a time without a zone."""
    return f"CAST(date_trunc(unit, {moment}) AS DATE)"


def or_error(query: str, columns: int, argument: str) -> str:
    """Return a query that fails with its argument, a query of one value that is never null, even if it has no row."""
    nulls = ", ".join(["NULL"] * columns)
    return f"{query} UNION ALL SELECT {nulls} FROM {argument} AS argument(given) WHERE given IS NULL"  # noqa: S608
