"""Macros that roll the marts up: sums are added, ratios are computed from the sums.

Which column is which is what the data dictionary says, so a measure that a mart gains is here without a change.
"""

from __future__ import annotations

from pipelines.dictionary import RATIOS, TABLES, Additivity, Column, ColumnType, Ratio, ratios_of
from pipelines.dictionary.metrics import RATIOS_OF_METRICS
from pipelines.serve.ddl import name
from pipelines.serve.macros.macro import PERIOD_COLUMN, Macro, asked_grain, period_of


def quotient(ratio: Ratio) -> str:
    """Return a ratio as an expression over its sums: null without them, and where it is no finite number.

    All is cast to DOUBLE, since a client may have set `/` to divide without a remainder; what is then divided by zero
    is infinite or nothing, as the client has set.
    """
    above = f"CAST({name(ratio.numerator)} AS DOUBLE)"
    below = " + ".join(f"CAST({name(part)} AS DOUBLE)" for part in ratio.denominator)
    factor = "" if ratio.factor == 1 else f"{ratio.factor:g} * "
    result = f"{factor}{above} / ({below})"
    return f"CASE WHEN isfinite({result}) THEN {result} END"


def _macro(ratio: Ratio) -> Macro:
    sums = ", ".join(f"sum({component})" for component in ratio.components)
    return Macro(
        name=ratio.name,
        parameters=tuple(name(component) for component in ratio.components),
        body=quotient(ratio),
        description=f"{ratio.description} Takes sums over any rows of {' or '.join(ratio.tables)}.",
        example=f"SELECT {ratio.name}({sums}) FROM {ratio.tables[0]}",  # noqa: S608 - own names
        is_table=False,
    )


RATIO_MACROS = tuple(_macro(ratio) for ratio in (*RATIOS.values(), *RATIOS_OF_METRICS))


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
