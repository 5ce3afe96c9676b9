"""The top of the page: key figures, compared with the period before, and a summary in two sentences."""

from __future__ import annotations

from typing import Final

from pipelines.report import text
from pipelines.report.figures import Figures, NowAndBefore
from pipelines.report.page_model import Text, Tile
from pipelines.report.queries import Row

_NOTEWORTHY: Final = 0.01


def tiles(figures: Figures) -> list[Tile]:
    """Return the key figures. For some of them, more or less is better."""
    now, money = figures.calls.now, figures.currency
    calls = text.count(now.get("calls", 0))
    price = text.price(now.get("cost_per_minute"), money)
    return [
        _sum(figures.calls, "calls", "Calls", calls, "root calls, not deleted"),
        _sum(figures.calls, "minutes", "Minutes", text.count(now.get("minutes")), "of connected calls"),
        _sum(figures.calls, "cost", "Cost", text.amount(now.get("cost"), money), "without transfer legs"),
        _sum(figures.calls, "cost_per_minute", "Cost per minute", price, "of calls with cost and duration", better=-1),
        _share(figures.calls, "connect_rate", "Connect rate", "of all calls reached a person", better=1),
        _share(figures.calls, "containment_rate", "Containment", "of connected, finished calls"),
        _share(figures.calls, "transfer_rate", "Transfer rate", "of connected calls"),
        _share(figures.legs, "transfer_success_rate", "Transfer success", "of attempts with a result", better=1),
    ]


def lead(figures: Figures) -> str:
    """Return the summary."""
    now, before = figures.calls.now, figures.calls.before
    if not now:
        return "There are no calls in this period."
    words = f"{text.plural(now['calls'], 'call')}{_than_before(now, before)}"
    if now["connected_calls"]:
        minutes = text.plural(round(now["minutes"] or 0), "minute")
        words += f". {text.share(now['connect_rate'])} reached a person, for {minutes} in all"
    else:
        words += ". Nobody was reached"
    if now["cost_per_minute"] is not None:
        words += f". A minute cost {text.price(now['cost_per_minute'], figures.currency)}"
    return f"{words}."


def compared(figures: Figures) -> str:
    """Return what the period is compared with, or why with nothing."""
    period, before, newest = figures.period, figures.before, figures.freshness["newest_call_at"]
    if before is None:
        begin = text.day(figures.known.first)
        return f"No comparison: calls are known from {begin} on, so there is no earlier period of equal length."
    days = text.day(before.first)
    if before.days > 1:
        days = f"{text.plural(before.days, 'day')} before, {days} to {text.day(before.last)}"
    words = f"Compared with {'the ' if before.days > 1 else ''}{days}."
    if newest is not None and newest.date() == period.last:
        words += f" The last day reaches to its newest call, at {newest:%H:%M} UTC."
    return words


def _than_before(now: Row, before: Row) -> str:
    if not before or not before["calls"]:
        return ""
    difference = now["calls"] / before["calls"] - 1
    if abs(difference) < 0.0005:  # noqa: PLR2004 - would be written as 0
        return ", as many as in the period before"
    return f", {abs(100 * difference):,.1f}% {'more' if difference > 0 else 'fewer'} than in the period before"


def _sum(sums: NowAndBefore, column: str, name: str, value: Text, note: str, *, better: int = 0) -> Tile:
    newer, older = sums.now.get(column), sums.before.get(column)
    difference = newer / older - 1 if newer is not None and older else None
    return Tile(name, value, text.change(newer, older) or "", _rating(difference, better), note)


def _share(sums: NowAndBefore, column: str, name: str, note: str, *, better: int = 0) -> Tile:
    newer, older = sums.now.get(column), sums.before.get(column)
    difference = newer - older if newer is not None and older is not None else None
    return Tile(name, text.share(newer), text.points(newer, older) or "", _rating(difference, better), note)


def _rating(difference: float | None, better: int) -> str:
    """Return whether a change is for the better, if more (1) or less (-1) is `better`; nothing for small changes."""
    if not better or difference is None or abs(difference) < _NOTEWORTHY:
        return ""
    return "better" if (difference > 0) == (better > 0) else "worse"
