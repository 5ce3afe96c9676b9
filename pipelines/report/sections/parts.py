"""What several sections share: figures by step of time, bars beside figures, and names of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pipelines.report.figures import Figures
from pipelines.report.page_model import Cell, Part, Table, Text
from pipelines.report.period import Period
from pipelines.report.queries import Row

NO_CALLS = "There are no calls in this period."


def series(figures: Figures, column: str) -> dict[date, float | None]:
    """Return a column of the calls by step of time; a step without calls is missing."""
    return {row["step"]: row[column] for row in figures.by_step}


def step_name(period: Period, step: date) -> str:
    """Return the name of a step of time in a table."""
    if period.unit == "month":
        return f"{step:%B %Y}"
    return f"{step:%a} {step.day} {step:%b %Y}" if period.unit == "day" else f"Week of {step.day} {step:%b %Y}"


def table_in_time(figures: Figures, caption: str, columns: Sequence[tuple[str, Sequence[Text]]]) -> Table:
    """Return figures by step of time: for each column its heading and a cell for every step of the period."""
    period = figures.period
    rows = [
        (step_name(period, step), [Cell(texts[place]) for _, texts in columns])
        for place, step in enumerate(period.steps())
    ]
    return Table(caption, [period.unit.capitalize(), *(heading for heading, _ in columns)], rows)


def bars(values: Sequence[float | None], *, colour: int = 1) -> list[Sequence[Part]]:
    """Return a bar for each value, in proportion to the greatest."""
    greatest = max((value for value in values if value), default=0.0)
    return [(Part(100 * value / greatest, colour),) if value and greatest else () for value in values]


def stacked(rows: Sequence[Row], columns: Mapping[str, int]) -> list[Sequence[Part]]:
    """Return a bar of several parts for each row: its columns in their order, each with the number of its colour."""
    greatest = max((sum(row[column] for column in columns) for row in rows), default=0)
    return [
        tuple(Part(100 * row[column] / greatest, colour) for column, colour in columns.items() if row[column])
        if greatest
        else ()
        for row in rows
    ]


def ratio(above: float | None, below: float | None) -> float | None:
    """Return a ratio; None if unknown or of nothing."""
    return above / below if above is not None and below else None
