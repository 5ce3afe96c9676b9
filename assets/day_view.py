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

_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "call_metrics_daily": "Calls by outcome",
        "transfer_metrics_daily": "Legs by outcome",
        "call_volume_hourly": "Calls by the hour in which they were created, in UTC",
    }
)
_HEIGHT: Final = 90
_BASE: Final = _HEIGHT + 20
_ALL_NAMED: Final = 12
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
    sums = rows.select(pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()) for name in view_columns(table))
    ratios = [
        (ratio.factor * pl.col(ratio.numerator) / pl.sum_horizontal(ratio.denominator)).alias(ratio.name)
        for ratio in ratios_of(table)
        if ratio.name in _NUMBERS[table]
    ]
    numbers = sums.with_columns(ratios).select(_NUMBERS[table]).row(0, named=True)
    lines = [f"| {name} | {_number(value)} | {_unit(table, name)} |" for name, value in numbers.items()]
    words, address = columns_chart(_bars(table, rows, sums))
    title = _TITLES[table]
    return "\n".join(
        ["| of the day | | unit |", "|---|--:|---|", *lines, "", f"{title}:", "", f"![{words}]({address})"]
    )


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
    """Draw one column for each number, with the number above and its name below; of many, each third is named.

    Returns:
        The numbers in words, for who does not see the chart, and the chart as the address of an SVG image.
    """
    words = ", ".join(f"{name} {count}" for name, count in bars.items())
    step, most = _WIDTH / len(bars), max(bars.values()) or 1
    named_each = 1 if len(bars) <= _ALL_NAMED else 3
    columns, texts = "", ""
    for place, (name, count) in enumerate(bars.items()):
        left, middle, height = (
            round((place + 1 / 8) * step),
            round((place + 1 / 2) * step),
            round(_HEIGHT * count / most),
        )
        if count:
            columns += f"M{left} {_BASE}v-{height}h{step * 3 / 4:.0f}v{height}z"
            texts += f'<text x="{middle}" y="{_BASE - height - 4}">{count:,}</text>'
        if place % named_each == 0:
            texts += f'<text x="{middle}" y="{_BASE + 14}">{name}</text>'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_BASE + 18}" font-family="sans-serif" '
        f'font-size="11" fill="#7d8590" text-anchor="middle"><path fill="#4178be" d="{columns}"/>{texts}</svg>'
    )
    return words, f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
