"""Cost of calls."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.report import text
from pipelines.report.charts import lines_in_time, picture
from pipelines.report.figures import Figures
from pipelines.report.page_model import Cell, Figure, Part, Section, Table, Text
from pipelines.report.queries import Row
from pipelines.report.sections.parts import NO_CALLS, bars, series, table_in_time

_COLUMNS = ("Agent", "Cost per minute", "Calls", "Minutes", "Cost")


def cost(figures: Figures) -> Section:
    """Return the cost per minute over time and by agent."""
    now = figures.calls.now
    lead = NO_CALLS
    if now:
        minute, total = text.price(now["cost_per_minute"], figures.currency), text.amount(now["cost"], figures.currency)
        lead = f"A minute cost {minute}, all calls together {total}."
        if now["cost_per_minute"] is None:
            lead = "The cost per minute is unknown: no call has both a cost and a duration."
        if figures.currency is None:
            lead += " Amounts are as the API states them, without a currency."
        if now["cost_missing_calls"]:
            lead += f" {text.plural(now['cost_missing_calls'], 'call')} came without a cost."
    return Section("cost", "Cost", lead, [_over_time(figures), _by_agent(figures)])


def _over_time(figures: Figures) -> Figure:
    title = f"Cost per minute by {figures.period.unit}"
    subtitle = _measure(figures)
    rates, costs = series(figures, "cost_per_minute"), series(figures, "cost")
    if not any(rate is not None for rate in rates.values()):
        return Figure(title, subtitle, empty="No call of this period has both a cost and a duration.")
    steps, period = figures.period.steps(), figures.period
    columns = [
        ("Cost per minute", [text.price(rates.get(step)) for step in steps]),
        ("Cost", [text.amount(costs.get(step)) for step in steps]),
    ]
    return Figure(
        title,
        subtitle,
        picture=picture(
            lambda narrow: lines_in_time(period, [rates], narrow=narrow),
            f"A line of the cost per minute of each {period.unit}. The table below has the figures.",
        ),
        table=table_in_time(figures, title, columns),
        note="The line breaks where no call has both a cost and a duration." if len(rates) < len(steps) else "",
    )


def _by_agent(figures: Figures) -> Figure:
    title, subtitle = "Cost per minute by agent", f"{_measure(figures)} Agents with the most calls first."
    if not figures.by_agent:
        return Figure(title, subtitle, empty=NO_CALLS)
    rows: list[tuple[Text, Row]] = [(_name(figures, row), row) for row in figures.by_agent]
    drawn = bars([row["cost_per_minute"] for _, row in rows])
    if len(rows) > 1:
        rows.append(("All", figures.calls.now))
        drawn.append(())
    cells = [(name, _cells(row, bar)) for (name, row), bar in zip(rows, drawn, strict=True)]
    return Figure(title, subtitle, table=Table(title, _COLUMNS, cells))


def _name(figures: Figures, row: Row) -> str:
    return figures.agents.label(row["agent_id"]) if row["agents"] == 1 else f"{row['agents']:,} other agents"


def _cells(row: Row, bar: Sequence[Part]) -> list[Cell]:
    return [
        Cell(text.price(row["cost_per_minute"]), bar),
        Cell(text.count(row["calls"])),
        Cell(text.count(row["minutes"])),
        Cell(text.amount(row["cost"])),
    ]


def _measure(figures: Figures) -> str:
    unit = f"In {figures.currency}, over" if figures.currency else "As the API states it, without a currency; over"
    return f"{unit} the calls that have both a cost and a duration above zero."
