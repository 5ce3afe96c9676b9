"""Who calls again."""

from __future__ import annotations

from pipelines.report import text
from pipelines.report.figures import Figures
from pipelines.report.model import Figure, Section, Tile
from pipelines.report.sections.parts import ratio
from pipelines.report.single_calls import REPEAT_DAYS


def callers(figures: Figures) -> Section:
    """How many inbound callers call the same organisation again within a week."""
    found = figures.repeat_callers
    now, before = found.now, found.before
    subtitle = (
        f"Inbound calls after which the same number called the same organisation again within {REPEAT_DAYS} days, "
        "whichever agent answered."
    )
    if not now:
        lead = "There are no inbound calls in this period."
        return Section("callers", "Who calls again", lead, [Figure("Repeat callers", subtitle, empty=lead)])
    rate = ratio(now["repeat_calls"], now["caller_calls"])
    within = f"within {REPEAT_DAYS} days"
    lead = f"{text.share(rate)} of the inbound calls were followed by another from the same number {within}."
    if rate is None:
        lead = f"No inbound call from a known number is old enough to say whether another followed {within}."
    change = text.points(rate, ratio(before.get("repeat_calls"), before.get("caller_calls")))
    tiles = [
        Tile("Called again", text.share(rate), change or ""),
        Tile("Followed by another call", text.count(now["repeat_calls"])),
        Tile("Calls looked at", text.count(now["caller_calls"])),
        Tile("Too recent to say", text.count(now["recent_calls"])),
    ]
    anonymous = now["anonymous_calls"]
    note = f"{text.plural(anonymous, 'call')} without a usable number left out." if anonymous else ""
    return Section("callers", "Who calls again", lead, [Figure("Repeat callers", subtitle, tiles=tiles, note=note)])
