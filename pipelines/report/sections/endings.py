"""How calls ended, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipelines.report import text
from pipelines.report.figures import Figures
from pipelines.report.model import Cell, Figure, Section, Table
from pipelines.report.sections.parts import NO_CALLS, bars, ratio

_SHOWN: Final = 10
_OUTCOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "completed": "Completed",
        "voicemail": "Voicemail",
        "no_answer": "No answer",
        "busy": "Busy",
        "canceled": "Cancelled",
        "failed": "Failed",
        "in_progress": "Not over yet",
        "unknown": "Not known",
    }
)


def endings(figures: Figures) -> Section:
    """Outcomes, and the reasons that are given most often."""
    if not figures.calls.now:
        empty = [Figure("Calls by outcome", empty=NO_CALLS), Figure("Reasons given", empty=NO_CALLS)]
        return Section("endings", "How calls ended", NO_CALLS, empty)
    found = {(row["is_now"], row["outcome"]): row["calls"] for row in figures.outcomes}
    now = Counter({name: found.get((True, outcome), 0) for outcome, name in _OUTCOMES.items()})
    before = Counter({name: found.get((False, outcome), 0) for outcome, name in _OUTCOMES.items()})
    total = figures.calls.now["calls"]
    lead = f"{text.share(ratio(now['Completed'], total))} of the calls were completed."
    if now["Failed"]:
        lead += f" {text.plural(now['Failed'], 'call')} failed."
    shown = [(name, calls) for name, calls in now.most_common() if calls or before[name]]
    table = _shares("Calls by outcome", "Outcome", shown, before, compare=bool(figures.calls.before))
    outcomes = Figure(table.caption, "Share of the calls.", table=table)
    return Section("endings", "How calls ended", lead, [outcomes, _reasons(figures)])


def _reasons(figures: Figures) -> Figure:
    now: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for row in figures.reasons:
        name = text.word(row["ended_reason"])
        now[name] += row["calls"]
        before[name] += row["calls_before"]
    ranked = sorted(((name, calls) for name, calls in now.items() if calls), key=lambda item: (-item[1], item[0]))
    shown, rest = ranked[:_SHOWN], ranked[_SHOWN:]
    if rest:
        other = f"{len(rest):,} other {'reason' if len(rest) == 1 else 'reasons'}"
        shown.append((other, sum(calls for _, calls in rest)))
        before[other] = sum(calls for name, calls in before.items() if name not in dict(shown))
    table = _shares(
        "Most frequent reasons", "Reason, as the API gives it", shown, before, compare=bool(figures.calls.before)
    )
    note = "A reason that holds as many digits as a telephone number, or an @, is counted and not shown."
    return Figure(table.caption, "Share of the calls.", table=table, note=note)


def _shares(title: str, heading: str, counts: list[tuple[str, int]], before: Counter[str], *, compare: bool) -> Table:
    """Return each name's share of all calls with its bar and, to compare, how it changed."""
    total, earlier = sum(calls for _, calls in counts), sum(before[name] for name, _ in counts)
    drawn = bars([calls for _, calls in counts])
    rows = []
    for (name, calls), bar in zip(counts, drawn, strict=True):
        share = ratio(calls, total)
        cells = [Cell(text.share(share), bar), Cell(text.count(calls))]
        if compare:
            cells.append(Cell(text.points(share, ratio(before[name], earlier)) or text.UNKNOWN))
        rows.append((name, cells))
    return Table(title, [heading, "Share", "Calls", *(["Change of share"] if compare else [])], rows)
