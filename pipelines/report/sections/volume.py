"""Call volume and repeat callers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.report import text
from pipelines.report.charts import WEEKDAYS, columns_in_time, heat, picture
from pipelines.report.figures import Figures
from pipelines.report.page_model import Cell, Figure, Section, Table, Tile
from pipelines.report.queries import REPEAT_DAYS
from pipelines.report.sections.parts import NO_CALLS, ratio, series, step_name, table_in_time

_HEAT_STEPS: Final = 5
_WIDE_HEAT, _NARROW_HEAT = (760, 250), (360, 560)


def volume(figures: Figures) -> Section:
    """Return the calls over time, and by weekday and hour."""
    calls = figures.calls.now
    lead = NO_CALLS
    if calls:
        average = calls["calls"] / figures.period.days
        busiest = max(figures.by_step, key=lambda row: row["calls"])
        reached = text.share(calls["connect_rate"])
        lead = f"{text.count(average)} calls on an average day; {reached} of all reached a person."
        if figures.period.days > 1:
            when = step_name(figures.period, busiest["step"]).replace("Week of", "that of")
            lead += f" The busiest {figures.period.unit}: {when} with {text.plural(busiest['calls'], 'call')}."
    return Section("volume", "Call volume", lead, [_over_time(figures), _by_hour(figures)])


def _over_time(figures: Figures) -> Figure:
    period = figures.period
    title, subtitle = f"Calls by {period.unit}", "Root calls by the UTC day on which they were created."
    if not figures.calls.now:
        return Figure(title, subtitle, empty=NO_CALLS)
    calls, connected = series(figures, "calls"), series(figures, "connected_calls")
    others = {step: (total or 0) - (connected[step] or 0) for step, total in calls.items()}
    marks = {step: figures.calls_before.get(step, 0) for step in period.steps()} if _has_marks(figures) else {}
    legend = [("c1", "Reached a person"), ("c3", "Reached nobody")]
    columns: list[tuple[str, Sequence[str]]] = [
        ("Calls", [text.count(calls.get(step) or 0) for step in period.steps()]),
        ("Reached a person", [text.count(connected.get(step) or 0) for step in period.steps()]),
    ]
    if marks:
        legend.append(("ink", f"All calls {text.plural(period.days, 'day')} earlier"))
        columns.append((f"{period.days} days earlier", [text.count(marks[step]) for step in period.steps()]))
    return Figure(
        title,
        subtitle,
        picture=picture(
            lambda narrow: columns_in_time(period, [connected, others], marks, narrow=narrow),
            f"Columns of the calls of each {period.unit}, those that reached a person below the others. "
            f"The table below has the figures.",
        ),
        legend=legend,
        table=table_in_time(figures, title, columns),
        note=""
        if period.is_whole
        else f"The first or last {period.unit} is incomplete: it counts only its days in this period.",
    )


def _has_marks(figures: Figures) -> bool:
    """Return whether each day can be compared with the same weekday in the period before."""
    return figures.before is not None and figures.period.unit == "day" and figures.period.days % 7 == 0


def _by_hour(figures: Figures) -> Figure:
    title, subtitle = "Calls by weekday and hour", f"All calls of the period, in local time ({figures.timezone})."
    if not figures.hours:
        return Figure(title, subtitle, empty=NO_CALLS)
    most = max(figures.hours.values())
    bounds = _bounds(most)
    day, hour = max(figures.hours, key=lambda place: figures.hours[place])
    uneven = figures.period.days % 7
    return Figure(
        title,
        subtitle,
        picture=picture(
            lambda narrow: heat(figures.hours, bounds, narrow=narrow),
            f"A grid of weekdays and hours, darker where there are more calls. The most, {text.count(most)}, are on "
            f"{_LONG[day - 1]} from {hour:02d}:00. The table below has the figures.",
            _WIDE_HEAT,
            _NARROW_HEAT,
        ),
        legend=_heat_legend(bounds, most),
        table=_hours_table(figures, title),
        note="The period is not a whole number of weeks, so some weekdays count once more than others."
        if uneven
        else "",
    )


_LONG: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _bounds(most: int) -> list[int]:
    """Return where the colours of the grid change: after 0, then in equal steps up to the greatest number."""
    return sorted({1, *(1 + round(most * part / _HEAT_STEPS) for part in range(1, _HEAT_STEPS))})


def _heat_legend(bounds: Sequence[int], most: int) -> list[tuple[str, str]]:
    starts = [0, *(bound for bound in bounds if bound <= most)]
    ends = [*(start - 1 for start in starts[1:]), most]
    return [
        (f"h{number}", text.count(start) if start == end else f"{text.count(start)} to {text.count(end)}")
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _hours_table(figures: Figures, caption: str) -> Table:
    rows = [
        (f"{hour:02d}:00", [Cell(text.count(figures.hours.get((day, hour), 0))) for day in range(1, 8)])
        for hour in range(24)
    ]
    return Table(caption, ["Hour", *WEEKDAYS], rows)


def repeat_callers(figures: Figures) -> Section:
    """Return how many inbound callers call the same organisation again within a week."""
    found = figures.repeat_callers
    now, before = found.now, found.before
    subtitle = (
        f"Inbound calls after which the same number called the same organisation again within {REPEAT_DAYS} days, "
        "whichever agent answered."
    )
    if not now:
        lead = "There are no inbound calls in this period."
        return Section("callers", "Repeat callers", lead, [Figure("Calls followed by another", subtitle, empty=lead)])
    rate = ratio(now["repeat_calls"], now["caller_calls"])
    within = f"within {REPEAT_DAYS} days"
    lead = f"{text.share(rate)} of the inbound calls were followed by another from the same number {within}."
    if rate is None:
        lead = f"No inbound call from a known number is old enough to know whether another followed {within}."
    change = text.points(rate, ratio(before.get("repeat_calls"), before.get("caller_calls")))
    tiles = [
        Tile("Called again", text.share(rate), change or ""),
        Tile("Followed by another call", text.count(now["repeat_calls"])),
        Tile("Calls considered", text.count(now["caller_calls"])),
        Tile("Too recent to know", text.count(now["recent_calls"])),
    ]
    anonymous = now["anonymous_calls"]
    note = f"{text.plural(anonymous, 'call')} without a usable number left out." if anonymous else ""
    return Section(
        "callers", "Repeat callers", lead, [Figure("Calls followed by another", subtitle, tiles=tiles, note=note)]
    )
