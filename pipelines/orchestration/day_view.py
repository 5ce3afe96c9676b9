"""What a person sees of a mart's day in Dagster: its numbers as a table, and a small chart, both as Markdown.

Every day's metadata stays in Dagster's storage for ever, so it is small: a chart is a few hundred bytes of SVG. It
shows totals over all calls or legs of the day, and nothing of a single one.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from pipelines.dictionary import TABLES, ratios_of

_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "call_metrics_daily": (
            "calls",
            "connected_calls",
            "connect_rate",
            "completion_rate",
            "transfer_rate",
            "containment_rate",
            "average_duration_seconds",
            "cost",
            "cost_missing_calls",
            "cost_per_minute",
        ),
        "transfer_metrics_daily": ("legs", "transfer_success_rate", "average_leg_seconds", "cost", "cost_per_minute"),
        "call_volume_hourly": ("calls", "connected_calls", "completed_calls", "transferred_calls", "contained_calls"),
    }
)
"""What the table of a mart's day tells: columns and ratios by the names they have in the mart."""

_BARS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "call_metrics_daily": (
            "completed_calls",
            "failed_calls",
            "no_answer_calls",
            "busy_calls",
            "voicemail_calls",
            "canceled_calls",
            "unknown_outcome_calls",
        ),
        "transfer_metrics_daily": ("successful_legs", "failed_legs", "pending_legs", "unknown_legs"),
    }
)
"""The columns that the chart of a mart's day shows; of the hourly mart it shows the calls by hour."""

_HEIGHT: Final = 90
_WIDTH: Final = 600


def view_columns(table: str) -> list[str]:
    """Return the columns of a mart that `day_view` needs."""
    ratios = {ratio.name: ratio.components for ratio in ratios_of(table)}
    columns = [column for name in _NUMBERS[table] for column in ratios.get(name, (name,))]
    return list(dict.fromkeys([*columns, *_BARS.get(table, ("hour_utc",))]))


def day_view(table: str, rows: pl.DataFrame) -> str:
    """Return Markdown with the numbers and a chart of one day.

    Args:
        table: A mart.
        rows: Its rows of the day, with `view_columns`.
    """
    sums = rows.select(pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()) for column in rows.columns)
    ratios = [
        (ratio.factor * pl.col(ratio.numerator) / pl.sum_horizontal(ratio.denominator)).alias(ratio.name)
        for ratio in ratios_of(table)
        if ratio.name in _NUMBERS[table]
    ]
    numbers = sums.with_columns(ratios).select(_NUMBERS[table]).row(0, named=True)
    lines = [f"| {name} | {_number(value)} | {_unit(table, name)} |" for name, value in numbers.items()]
    chart = columns_chart(_bars(table, rows, sums))
    return "\n".join(["| of the day | | unit |", "|---|--:|---|", *lines, "", f"![{chart[0]}]({chart[1]})"])


def _bars(table: str, rows: pl.DataFrame, sums: pl.DataFrame) -> dict[str, int]:
    if table in _BARS:
        found = sums.select(_BARS[table]).row(0, named=True)
        return {_label(name): count or 0 for name, count in found.items()}
    by_hour = dict(rows.group_by("hour_utc").agg(pl.col("calls").sum()).iter_rows())
    return {str(hour): by_hour.get(hour, 0) for hour in range(24)}


def _label(column: str) -> str:
    return column.removesuffix("_calls").removesuffix("_legs").removesuffix("_outcome").replace("_", " ")


def _unit(table: str, name: str) -> str:
    return TABLES[table].column(name).unit


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


def columns_chart(bars: Mapping[str, int]) -> tuple[str, str]:
    """Draw one column for each number, with its name below and the number above.

    Returns:
        The numbers in words, for who does not see the chart, and the chart as the address of an SVG image.
    """
    words = ", ".join(f"{name} {count}" for name, count in bars.items())
    step, most = _WIDTH / max(len(bars), 1), max(bars.values(), default=0) or 1
    drawn = "".join(_column(place * step, step, name, count, most) for place, (name, count) in enumerate(bars.items()))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT + 40}" font-family="sans-serif" '
        f'font-size="11" fill="#7d8590" text-anchor="middle">{drawn}</svg>'
    )
    return words, f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _column(left: float, step: float, name: str, count: int, most: int) -> str:
    height, middle = _HEIGHT * count / most, left + step / 2
    top = 20 + _HEIGHT - height
    bar = f'<rect x="{left + step / 8:.0f}" y="{top:.0f}" width="{step * 3 / 4:.0f}" height="{height:.0f}"'
    number = f'<text x="{middle:.0f}" y="{top - 4:.0f}">{count:,}</text>' if count else ""
    return f'{bar} fill="#4178be"/>{number}<text x="{middle:.0f}" y="{_HEIGHT + 34}">{name}</text>'
