"""From a chart to SVG that takes its colours from the page, so that dark mode and paper need no second picture.

Charts are drawn in colours that mean nothing, and each is then replaced by the page's variable of that name. A chart
that stands alone gets colours of its own instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import altair as alt
import vl_convert
from markupsafe import Markup

INK: Final = "#010101"
MUTED: Final = "#010102"
GRID: Final = "#010103"
PAPER: Final = "#010104"
COLOURS: Final = ("#020101", "#020102", "#020103")
HEAT: Final = ("#030101", "#030102", "#030103", "#030104", "#030105", "#030106")

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        INK: "ink",
        MUTED: "muted",
        GRID: "grid",
        PAPER: "paper",
        **{colour: f"c{number}" for number, colour in enumerate(COLOURS, start=1)},
        **{colour: f"h{number}" for number, colour in enumerate(HEAT)},
    }
)
_ON_WHITE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ink": "#1c2126",
        "muted": "#59626b",
        "grid": "#dfe1e1",
        "paper": "#fff",
        "c1": "#1f5f99",
        "c2": "#b8530b",
        "c3": "#8593a0",
    }
)
_OPENING: Final = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>')
TEXT_SIZE: Final = 12.5


def draw(chart: alt.Chart | alt.LayerChart, width: int, height: int) -> Markup:
    """Return a chart as SVG without a size of its own, in the page's colours."""
    drawn = _svg(chart, width, height)
    for colour, name in _NAMES.items():
        drawn = drawn.replace(f'"{colour}"', f'"var(--{name})"')
    opening = r'<svg viewBox="\1" aria-hidden="true" focusable="false">'
    return Markup(_OPENING.sub(opening, drawn, count=1))  # noqa: S704 - vega escapes the texts in it


def draw_alone(chart: alt.Chart | alt.LayerChart, width: int, height: int) -> str:
    """Return a chart as SVG that stands alone, on a light ground of its own."""
    drawn = _svg(chart, width, height, background=PAPER)
    for colour, name in _NAMES.items():
        drawn = drawn.replace(f'"{colour}"', f'"{_ON_WHITE.get(name, "#1f5f99")}"')
    return drawn


def _svg(chart: alt.Chart | alt.LayerChart, width: int, height: int, *, background: str = "transparent") -> str:
    sized = chart.properties(
        width=width, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding"), padding=2
    ).configure(**_style(), background=background)
    drawn: str = vl_convert.vegalite_to_svg(sized.to_dict())
    return drawn


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
