"""The head of the page: key figures against the period before, and the news in two sentences."""

from __future__ import annotations

from pipelines.report import text
from pipelines.report.figures import Figures
from pipelines.report.model import Tile
from pipelines.report.source import Row


def tiles(figures: Figures) -> list[Tile]:
    """Return the key figures. Only of some can it be said that more, or less, is better."""
    now, before = figures.calls.now, figures.calls.before
    legs, legs_before = figures.legs.now, figures.legs.before
    money = figures.currency
    return [
        _sum("Calls", text.count(now.get("calls", 0)), "calls", now, before, "root calls, not deleted"),
        _sum("Minutes", text.count(now.get("minutes")), "minutes", now, before, "of connected calls"),
        _sum("Cost", text.amount(now.get("cost"), money), "cost", now, before, "without transfer legs"),
        _sum(
            "Cost per minute",
            text.amount(now.get("cost_per_minute"), money),
            "cost_per_minute",
            now,
            before,
            "of calls with cost and duration",
            better=-1,
        ),
        _share("Connect rate", "connect_rate", now, before, "of all calls reached a person", better=1),
        _share("Containment", "containment_rate", now, before, "of connected, finished calls"),
        _share("Transfer rate", "transfer_rate", now, before, "of connected calls"),
        _share("Transfer success", "transfer_success_rate", legs, legs_before, "of attempts with a result", better=1),
    ]


def lead(figures: Figures) -> str:
    """Return the news."""
    now, before = figures.calls.now, figures.calls.before
    if not now:
        return "There are no calls in this period."
    said = f"{text.plural(now['calls'], 'call')}{_than_before(now, before)}"
    if now["connected_calls"]:
        said += f". {text.share(now['connect_rate'])} reached a person, for {text.plural(round(now['minutes'] or 0), 'minute')} in all"
    else:
        said += ". None reached a person"
    if now["cost_per_minute"] is not None:
        said += f". A minute cost {text.amount(now['cost_per_minute'], figures.currency)}"
    return f"{said}."


def compared(figures: Figures) -> str:
    """Return what the period is compared with, or why it is compared with nothing."""
    if figures.before:
        first, last = figures.before.first, figures.before.last
        days = f"{text.day(first)} to {text.day(last)}" if first != last else text.day(first)
        return f"Compared with the {text.plural(figures.period.days, 'day')} before: {days}."
    return f"Compared with nothing: the calls begin on {text.day(figures.known.first)}, later than a period before would."


def _than_before(now: Row, before: Row) -> str:
    if not before or not before["calls"]:
        return ""
    difference = now["calls"] / before["calls"] - 1
    if abs(difference) < 0.0005:  # noqa: PLR2004 - would be written as 0
        return ", as many as in the period before"
    return f", {abs(100 * difference):,.1f}% {'more' if difference > 0 else 'fewer'} than in the period before"


def _sum(name: str, value: text.Markup | str, column: str, now: Row, before: Row, note: str, *, better: int = 0) -> Tile:
    change = text.change(now.get(column), before.get(column))
    return Tile(name, value, change or "", _verdict(change, better), note)


def _share(name: str, column: str, now: Row, before: Row, note: str, *, better: int = 0) -> Tile:
    change = text.points(now.get(column), before.get(column))
    return Tile(name, text.share(now.get(column)), change or "", _verdict(change, better), note)


def _verdict(change: str | None, better: int) -> str:
    """Whether a change is for the better, where `better` says that more (1) or less (-1) is."""
    if not change or not better or change.startswith("±"):
        return ""
    grew = not change.startswith("\N{MINUS SIGN}")
    return "better" if grew == (better > 0) else "worse"
