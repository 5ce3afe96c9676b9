"""The charts as SVG, drawn for a screen and for a phone, in the colours of the page.

Charts are drawn in placeholder colours, each of which is then replaced by the page's CSS variable of that name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal

import altair as alt
import vl_convert
from markupsafe import Markup

from pipelines.report.page_model import Picture
from pipelines.report.period import Period
from pipelines.report.text import rounded_share

INK: Final = "#010101"
MUTED: Final = "#010102"
GRID: Final = "#010103"
PAPER: Final = "#010104"
COLOURS: Final = ("#020101", "#020102", "#020103")
HEAT: Final = ("#030101", "#030102", "#030103", "#030104", "#030105", "#030106")

_NAMES: Final[Mapping[str, str]] = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    **{colour: f"c{number}" for number, colour in enumerate(COLOURS, start=1)},
    **{colour: f"h{number}" for number, colour in enumerate(HEAT)},
}
_OPENING: Final = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>')
TEXT_SIZE: Final = 12.5


def draw(chart: alt.Chart | alt.LayerChart, width: int, height: int) -> Markup:
    """Return a chart as SVG without a size of its own, in the page's colours."""
    sized = chart.properties(
        width=width, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding"), padding=2
    ).configure(**_style(), background="transparent")
    drawn: str = vl_convert.vegalite_to_svg(sized.to_dict())
    for colour, name in _NAMES.items():
        drawn = drawn.replace(f'"{colour}"', f'"var(--{name})"')
    opening = r'<svg viewBox="\1" aria-hidden="true" focusable="false">'
    return Markup(_OPENING.sub(opening, drawn, count=1))  # noqa: S704 - vega escapes the texts in it


def _style() -> dict[str, Any]:
    words = {"labelColor": MUTED, "labelFontSize": TEXT_SIZE}
    return {
        "aria": False,
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {"domain": False, "ticks": False, "labelPadding": 6, **words},
        "axisY": {"gridColor": GRID, "tickCount": 4},
        "axisX": {"grid": False, "domain": True, "domainColor": MUTED, "labelAngle": 0},
    }


Chart = alt.Chart | alt.LayerChart

WIDE: Final = (760, 260)
NARROW: Final = (360, 250)
_LABELS: Final = 9
_TICKS: Final = 4
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def picture(
    chart: Callable[[bool], Chart],
    alternative: str,
    wide: tuple[int, int] = WIDE,
    narrow: tuple[int, int] = NARROW,
) -> Picture:
    """Draw a chart in both widths.

    Args:
        chart: Returns it; the argument is whether it is for a phone.
        alternative: What it shows, in words.
        wide: Width and height on a screen.
        narrow: Width and height on a phone.
    """
    return Picture(draw(chart(False), *wide), draw(chart(True), *narrow), alternative)


def columns_in_time(
    period: Period, parts: Sequence[Mapping[date, float | None]], marks: Mapping[date, float | None], *, narrow: bool
) -> Chart:
    """Return stacked columns, one a step of time, the first part at the bottom, with marks to compare them with."""
    rows = [
        {"step": str(step), "part": number, "value": part.get(step) or 0}
        for step in period.steps()
        for number, part in enumerate(parts)
    ]
    bars: alt.Chart = (
        _chart(rows)
        .mark_bar(stroke=PAPER, strokeWidth=1)
        .encode(
            x=_time(period, narrow=narrow),
            y=_values("value:Q"),
            color=alt.Color("part:O", legend=None, scale=alt.Scale(domain=[0, 1], range=[COLOURS[0], COLOURS[2]])),
            order="part:O",
        )
    )
    if not marks:
        return bars
    compared = _chart([{"step": str(step), "value": marks.get(step)} for step in period.steps()])
    ticks = compared.mark_tick(
        color=INK, stroke=PAPER, strokeWidth=1, thickness=4, opacity=1, width={"band": 0.9}
    ).encode(x=_time(period, narrow=narrow), y="value:Q")
    return alt.LayerChart(layer=[bars, ticks])


def lines_in_time(
    period: Period, lines: Sequence[Mapping[date, float | None]], *, shares: bool = False, narrow: bool
) -> Chart:
    """Return lines over time with gaps at unknown figures."""
    rows = [
        {"step": str(step), "line": number, "value": line.get(step)}
        for step in period.steps()
        for number, line in enumerate(lines)
    ]
    domain = list(range(len(lines)))
    x, colour = _time(period, narrow=narrow), alt.Scale(domain=domain, range=list(COLOURS[: len(lines)]))
    y = _values("value:Q", shares=shares)
    base = _chart(rows).encode(x=x, y=y, color=alt.Color("line:N", legend=None, scale=colour))
    points = base.mark_point(filled=True, size=26, opacity=1)
    return alt.LayerChart(layer=[base.mark_line(strokeWidth=2.25), points])


def heat(counts: Mapping[tuple[int, int], int], bounds: Sequence[int], *, narrow: bool) -> Chart:
    """Return a heat map of hours by weekdays; on a phone the hours are the rows."""
    rows = [
        {"day": WEEKDAYS[day - 1], "hour": f"{hour:02d}", "value": counts.get((day, hour), 0)}
        for day in range(1, 8)
        for hour in range(24)
    ]
    colour = alt.Scale(type="threshold", domain=list(bounds), range=list(HEAT[: len(bounds) + 1]))
    hours = [f"{hour:02d}" for hour in range(0, 24, 3)]
    days, hour = ("x:O", "y:O") if narrow else ("y:O", "x:O")
    encoded: dict[str, Any] = {
        days[0]: _band("day", days[0], list(WEEKDAYS), list(WEEKDAYS)),
        hour[0]: _band("hour", hour[0], [f"{n:02d}" for n in range(24)], hours),
    }
    encoded["color"] = alt.Color("value:Q", scale=colour, legend=None)
    cells: alt.Chart = _chart(rows).mark_rect(stroke="none").encode(**encoded)
    return cells


def buckets(counts: Mapping[str, int], total: int, *, narrow: bool) -> Chart:
    """Return columns for ranges of durations, each with its share on top."""
    rows = [{"range": name, "value": n, "share": rounded_share(n / total)} for name, n in counts.items()]
    lines = "split(replace(datum.value, 'to ', ''), ' ')" if narrow else "datum.value"
    x = alt.X("range:O", sort=None, title=None, axis=alt.Axis(labelExpr=lines), scale=alt.Scale(paddingInner=0.08))
    base = _chart(rows).encode(x=x, y=_values("value:Q"))
    words = base.mark_text(baseline="bottom", dy=-4, color=INK, fontSize=TEXT_SIZE).encode(text="share:N")
    return alt.LayerChart(layer=[base.mark_bar(color=COLOURS[0]), words])


def _chart(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))


def _values(field: str, *, shares: bool = False) -> alt.Y:
    """Return the axis of a measure, from 0; labels from a million on are abbreviated."""
    if shares:
        return alt.Y(field, title=None, axis=alt.Axis(format=".0%"), scale=alt.Scale(domain=[0, 1]))
    short = "datum.value < 1e6 ? datum.label : replace(format(datum.value, '~s'), 'G', 'B')"
    return alt.Y(field, title=None, axis=alt.Axis(labelExpr=short), scale=alt.Scale(zero=True, nice=_TICKS))


def _time(period: Period, *, narrow: bool) -> alt.X:
    """Return the time axis: a band for each step, labels at some of them."""
    steps = period.steps()
    most = _LABELS // 2 if narrow else _LABELS
    every = next(n for n in (1, 2, 3, 7, 14, 28, *range(56, 10**6, 28)) if len(steps) <= n * most)
    start = (-steps[0].weekday()) % 7 if period.unit == "day" and every >= 7 else 0  # noqa: PLR2004 - Mondays
    shown = steps[start::every]
    words = json.dumps({str(s): f"{s:%b %Y}" if period.unit == "month" else f"{s.day} {s:%b}" for s in shown})
    axis = alt.Axis(values=[str(step) for step in shown], labelExpr=f"{words}[datum.value]", labelOverlap=False)
    return alt.X("step:O", sort=None, title=None, axis=axis, scale=alt.Scale(paddingInner=0.12, paddingOuter=0.1))


def _band(field: str, channel: str, domain: list[str], shown: list[str]) -> alt.X | alt.Y:
    side: Literal["top", "left"] = "top" if channel == "x" else "left"
    axis = alt.Axis(values=shown, tickCount=len(domain), labelOverlap=False, domain=False, grid=False, orient=side)
    kind = alt.X if channel == "x" else alt.Y
    scale = alt.Scale(domain=domain, paddingInner=0.06, paddingOuter=0)
    return kind(f"{field}:O", sort=None, title=None, axis=axis, scale=scale)
