"""The marts by day, week or month: sums are added up, and ratios worked out anew from the sums.

Which column is which is what the data dictionary says, so a measure that a mart gains is here without a change.
"""

from __future__ import annotations

from pipelines.dictionary import TABLES, Additivity, Column, ColumnType, ratios_of
from pipelines.serve.ddl import name
from pipelines.serve.macros.model import Macro
from pipelines.serve.macros.periods import PERIOD_COLUMN, asked_grain, period_of
from pipelines.serve.macros.ratios import quotient


def _rollup(macro: str, mart: str, what: str, example: str) -> Macro:
    table = TABLES[mart]
    key = ", ".join(name(column) for column in table.key)
    sums = ", ".join(_sum(column) for column in table.columns if column.additivity is Additivity.ADDITIVE)
    period = f"{period_of('call_date')} AS period_start"
    # Those who write SQL by hand read `period_start` first, then the mart's own columns in the order they know.
    ratios = {ratio.name: f"{quotient(ratio)} AS {name(ratio.name)}" for ratio in ratios_of(mart)}
    shown = ", ".join(ratios.get(column.name, name(column.name)) for column in table.columns)
    return Macro(
        name=macro,
        parameters=("grain",),
        body=(
            f"SELECT period_start, {shown} FROM (SELECT {period}, {key}, {sums} "  # noqa: S608 - own names
            f"FROM {name(mart)}, {asked_grain(macro)} GROUP BY period_start, {key})"
        ),
        description=(
            f"{what} by 'day', 'week' or 'month': one row per period and {', '.join(table.key)}. "
            f"Columns: {PERIOD_COLUMN}; then those of {mart}, with counts and sums added up and ratios worked out from "
            "these sums. For fewer dimensions add the sums up again and use the ratios' own macros, never an average."
        ),
        example=example,
    )


def _sum(column: Column) -> str:
    """Add a column up in its own type; a sum of whole numbers would be wider than most clients know."""
    total = f"sum({name(column.name)})"
    whole = column.type is ColumnType.INTEGER
    return f"{f'CAST({total} AS BIGINT)' if whole else total} AS {name(column.name)}"


ROLLUP_MACROS = (
    _rollup(
        "call_metrics",
        "call_metrics_daily",
        "Calls, their outcomes, durations and costs",
        "SELECT period_start, agent_id, calls, connect_rate FROM call_metrics('month') ORDER BY ALL",
    ),
    _rollup(
        "transfer_metrics",
        "transfer_metrics_daily",
        "Transfer legs, their results, durations and costs",
        "SELECT period_start, transfer_type, legs, transfer_success_rate FROM transfer_metrics('week') ORDER BY ALL",
    ),
)
