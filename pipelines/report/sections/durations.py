"""How long calls last."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipelines.report import text
from pipelines.report.charts import buckets, picture
from pipelines.report.figures import Figures
from pipelines.report.model import Cell, Figure, Section, Table, Tile
from pipelines.report.sections.parts import ratio

_RANGES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "le_10": ("to 10 s", "Up to 10 seconds"),
        "le_30": ("to 30 s", "Over 10, up to 30 seconds"),
        "le_60": ("to 1 min", "Over 30, up to 60 seconds"),
        "le_120": ("to 2 min", "Over 1, up to 2 minutes"),
        "le_300": ("to 5 min", "Over 2, up to 5 minutes"),
        "le_600": ("to 10 min", "Over 5, up to 10 minutes"),
        "le_1800": ("to 30 min", "Over 10, up to 30 minutes"),
        "gt_1800": ("longer", "Over 30 minutes"),
    }
)
_NAMES: Final[Mapping[int, str]] = MappingProxyType({50: "Half", 90: "90%", 95: "95%", 99: "99%"})


def durations(figures: Figures) -> Section:
    """The distribution of durations, and its percentiles."""
    counts = {key: figures.durations[key] or 0 for key in _RANGES}
    total = sum(counts.values())
    title, subtitle = "Calls by duration", "Connected calls that have a duration."
    if not total:
        lead = "No call of this period reached a person and has a duration."
        return Section("durations", "How long calls last", lead, [Figure(title, subtitle, empty=lead)])
    found = {(row["is_now"], row["percentile"]): row["seconds"] for row in figures.percentiles}
    now = {percent: found.get((True, percent)) for percent in _NAMES}
    lead = (
        f"Half of the connected calls lasted {text.duration(now[50])} or less, one in ten longer than "
        f"{text.duration(now[90])}. The average was {text.duration(figures.calls.now['average_duration_seconds'])}."
    )
    tiles = [
        Tile(f"{name} last at most", text.duration(now[percent]), _before(figures, found.get((False, percent))))
        for percent, name in _NAMES.items()
    ]
    rows = [
        (long, [Cell(text.count(counts[key])), Cell(text.share(ratio(counts[key], total)))])
        for key, (_, long) in _RANGES.items()
    ]
    figure = Figure(
        title,
        subtitle,
        tiles=tiles,
        picture=picture(
            lambda narrow: buckets({short: counts[key] for key, (short, _) in _RANGES.items()}, total, narrow=narrow),
            "Columns of the connected calls in eight ranges of duration. The table below has the figures.",
        ),
        table=Table(title, ["Duration", "Calls", "Share"], rows),
    )
    return Section("durations", "How long calls last", lead, [figure])


def _before(figures: Figures, seconds: float | None) -> str:
    return f"before: {text.duration(seconds)}" if figures.before and seconds is not None else ""
