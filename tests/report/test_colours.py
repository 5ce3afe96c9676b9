"""The contrast of colours with their background, by the formula of WCAG 2, on light and on dark."""

from __future__ import annotations

import re
from importlib import resources

import pytest

STYLE = resources.files("pipelines.report").joinpath("style.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted", "link", "better", "worse"])
@pytest.mark.parametrize("ground", ["paper", "raised", "notice"])
def test_words_can_be_read(colours, name, ground):
    assert contrast(colours[name], colours[ground]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["c1", "c2", "c3"])
def test_what_is_drawn_can_be_seen(colours, name):
    assert contrast(colours[name], colours["paper"]) >= 3


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_the_grid_goes_one_way_from_few_to_many(colours):
    steps = [luminance(colours[f"h{number}"]) for number in range(6)]
    assert steps == sorted(steps, reverse=colours is LIGHT)


def test_dark_names_the_same_colours_as_light():
    assert LIGHT.keys() == DARK.keys()
