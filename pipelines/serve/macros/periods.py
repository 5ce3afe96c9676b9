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

    It is a row of its own rather than part of the other query, which may have no row to find an unknown grain at.
    """
    complaint = (
        f"concat({literal(f'{macro}: the grain must be {GRAINS}, not ')}, coalesce(CAST(grain AS VARCHAR), 'NULL'))"
    )
    given = "lower(trim(CAST(grain AS VARCHAR)))"
    return f"(SELECT CASE WHEN {given} IN ('day', 'week', 'month') THEN {given} ELSE error({complaint}) END AS unit)"


def period_of(moment: str) -> str:
    """Return the first day of the period in which a date or a time without a zone lies."""
    return f"CAST(date_trunc(unit, {moment}) AS DATE)"
