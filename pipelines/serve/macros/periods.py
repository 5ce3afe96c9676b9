"""Days, weeks and months for the macros that take a grain."""

from __future__ import annotations

from typing import Final

from pipelines.serve.ddl import literal

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
