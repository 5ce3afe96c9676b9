"""What a macro of the catalog is made of, and the grains it may take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.serve.ddl import literal, name


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro, scalar or of a table.

    Attributes:
        name: Its name in the catalog.
        parameters: Its parameters as SQL declares them, each with its default where it has one.
        body: What it stands for: an expression, or the query of a table macro.
        description: What it answers, for somebody who reads dashboards.
        example: A statement that uses it and runs on any catalog that has it.
        is_table: Whether it gives a table.
        reads_calls: Whether it reads the tables of single calls, which a catalog to hand out lacks.
    """

    name: str
    parameters: tuple[str, ...]
    body: str
    description: str
    example: str
    is_table: bool = True
    reads_calls: bool = False

    def statements(self) -> Iterator[str]:
        """Yield the statements that make the macro and say what it is for."""
        kind = "TABLE " if self.is_table else ""
        yield f"CREATE MACRO {name(self.name)}({', '.join(self.parameters)}) AS {kind}{self.body}"
        text = f"{self.description} Example: {self.example}"
        yield f"COMMENT ON MACRO {'TABLE ' if self.is_table else ''}{name(self.name)} IS {literal(text)}"


GRAINS: Final = "'day', 'week' or 'month'"

PERIOD_COLUMN: Final = (
    "period_start, the first day of the period (of a week the Monday, as ISO weeks begin; of a month the 1st)"
)
"""What a description says of the column."""


def asked_grain(macro: str) -> str:
    """Return a query of one row, to be joined with any other: `unit`, the macro's parameter `grain` in lower case.

    It is a row of its own rather than part of the other query, which may have no row to find an unknown grain at. Where
    the other query is a view without files, DuckDB knows that beforehand and looks at neither: see `or_refused`.
    """
    complaint = (
        f"concat({literal(f'{macro}: the grain must be {GRAINS}, not ')}, coalesce(CAST(grain AS VARCHAR), 'NULL'))"
    )
    given = "lower(trim(CAST(grain AS VARCHAR)))"
    return f"(SELECT CASE WHEN {given} IN ('day', 'week', 'month') THEN {given} ELSE error({complaint}) END AS unit)"


def period_of(moment: str) -> str:
    """Return the first day of the period in which a date or a time without a zone lies."""
    return f"CAST(date_trunc(unit, {moment}) AS DATE)"


def or_refused(query: str, columns: int, argument: str) -> str:
    """Return a query that fails with what is wrong with an argument even where it has no row.

    Args:
        query: A query of so many columns.
        columns: How many.
        argument: A query of one value, which is never null, that fails for a wrong argument.
    """
    nothing = ", ".join(["NULL"] * columns)
    return f"{query} UNION ALL SELECT {nothing} FROM {argument} AS argument(given) WHERE given IS NULL"  # noqa: S608
