"""Outcomes and durations of calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pipelines.report import text
from pipelines.report.charts import buckets, picture
from pipelines.report.figures import Figures
from pipelines.report.page_model import Cell, Figure, Section, Table, Tile
from pipelines.report.sections.parts import NO_CALLS, bars, ratio

_SHOWN: Final = 10
_OUTCOMES: Final[Mapping[str, str]] = {
    "completed": "Completed",
    "voicemail": "Voicemail",
    "no_answer": "No answer",
    "busy": "Busy",
    "canceled": "Cancelled",
    "failed": "Failed",
    "in_progress": "Not over yet",
    "unknown": "Not known",
}


def outcomes(figures: Figures) -> Section:
    """Return the outcomes, and the most frequent reasons."""
    if not figures.calls.now:
        empty = [Figure("Calls by outcome", empty=NO_CALLS), Figure("Most frequent reasons", empty=NO_CALLS)]
        return Section("outcomes", "Outcomes", NO_CALLS, empty)
    found = {(row["is_now"], row["outcome"]): row["calls"] for row in figures.outcomes}
    now = {name: found.get((True, outcome), 0) for outcome, name in _OUTCOMES.items()}
    before = {name: found.get((False, outcome), 0) for outcome, name in _OUTCOMES.items()}
    lead = f"{text.share(ratio(now['Completed'], figures.calls.now['calls']))} of the calls were completed."
    if now["Failed"]:
        lead += f" {text.plural(now['Failed'], 'call')} failed."
    counts = [(name, now[name], before[name]) for name in _ranked(now) if now[name] or before[name]]
    by_outcome = _figure(figures, "Calls by outcome", "Outcome", counts)
    return Section("outcomes", "Outcomes", lead, [by_outcome, _reasons(figures)])


def _reasons(figures: Figures) -> Figure:
    now: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for row in figures.reasons:
        name = text.word(row["ended_reason"])
        now[name] += row["calls"]
        before[name] += row["calls_before"]
    shown = [name for name in _ranked(now) if now[name]][:_SHOWN]
    counts = [(name, now[name], before[name]) for name in shown]
    if rest := len(now) - len(shown):
        other = f"{rest:,} other {'reason' if rest == 1 else 'reasons'}"
        sums = (now.total() - sum(now[name] for name in shown), before.total() - sum(before[name] for name in shown))
        counts.append((other, *sums))
    figure = _figure(figures, "Most frequent reasons", "Reason, as the API gives it", counts)
    note = "A reason with an @, or with as many digits as a phone number, is counted but not shown."
    return replace(figure, note=note)


def _ranked(counts: Mapping[str, int]) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))


def _figure(figures: Figures, title: str, heading: str, counts: list[tuple[str, int, int]]) -> Figure:
    """Return a table of each name's calls, their share of all with a bar, and the change of the share."""
    compare = bool(figures.calls.before)
    total, earlier = sum(now for _, now, _ in counts), sum(before for _, _, before in counts)
    drawn = bars([now for _, now, _ in counts])
    rows = []
    for (name, now, before), bar in zip(counts, drawn, strict=True):
        share = ratio(now, total)
        cells = [Cell(text.share(share), bar), Cell(text.count(now))]
        if compare:
            cells.append(Cell(text.points(share, ratio(before, earlier)) or text.UNKNOWN))
        rows.append((name, cells))
    columns = [heading, "Share", "Calls", *(["Change of share"] if compare else [])]
    return Figure(title, "Share of the calls.", table=Table(title, columns, rows))


_RANGES: Final[Mapping[str, tuple[str, str]]] = {
    "le_10": ("to 10 s", "Up to 10 seconds"),
    "le_30": ("to 30 s", "Over 10, up to 30 seconds"),
    "le_60": ("to 1 min", "Over 30, up to 60 seconds"),
    "le_120": ("to 2 min", "Over 1, up to 2 minutes"),
    "le_300": ("to 5 min", "Over 2, up to 5 minutes"),
    "le_600": ("to 10 min", "Over 5, up to 10 minutes"),
    "le_1800": ("to 30 min", "Over 10, up to 30 minutes"),
    "gt_1800": ("longer", "Over 30 minutes"),
}
_NAMES: Final[Mapping[int, str]] = {50: "Half", 90: "90%", 95: "95%", 99: "99%"}


def durations(figures: Figures) -> Section:
    """Return the distribution of durations, and its percentiles."""
    counts = {key: figures.durations[key] or 0 for key in _RANGES}
    total = sum(counts.values())
    title, subtitle = "Calls by duration", "Connected calls that have a duration."
    if not total:
        lead = "No call of this period reached a person and has a duration."
        return Section("durations", "Call duration", lead, [Figure(title, subtitle, empty=lead)])
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
    return Section("durations", "Call duration", lead, [figure])


def _before(figures: Figures, seconds: float | None) -> str:
    return f"before: {text.duration(seconds)}" if figures.before and seconds is not None else ""
