"""What Dagster's UI shows of a report: the key figures and one chart, as Markdown."""

from __future__ import annotations

import base64

from pipelines.report import overview
from pipelines.report.charts import columns_in_time, draw_alone
from pipelines.report.figures import Figures
from pipelines.report.sections.parts import series
from pipelines.report.text import UNKNOWN

_SIZE = (640, 180)


def key_figures(figures: Figures) -> str:
    """Return the key figures as a table in Markdown, short enough (1,000 characters) to be shown without a click."""
    rows = [
        f"| {_cell(tile.name)} | {_cell(tile.value)} | {_cell(tile.change or UNKNOWN)} |"
        for tile in overview.tiles(figures)
    ]
    return "\n".join(["| | now | against the period before |", "|---|---:|---:|", *rows])


def calls_chart(figures: Figures) -> str:
    """Return the calls over time as a picture in Markdown."""
    period = figures.period
    calls, connected = series(figures, "calls"), series(figures, "connected_calls")
    others = {step: (total or 0) - (connected[step] or 0) for step, total in calls.items()}
    drawn = draw_alone(columns_in_time(period, [connected, others], {}, narrow=False), *_SIZE)
    data = base64.b64encode(drawn.encode()).decode()
    words = f"Calls by {period.unit}, {period.first} to {period.last}: those that reached a person in blue"
    return f"![{words}](data:image/svg+xml;base64,{data})\n\n{words}."


def _cell(given: str) -> str:
    text = "\N{EN DASH}" if given == UNKNOWN else given
    return text.replace("|", "\\|")
