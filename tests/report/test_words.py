"""How figures and days are written and chosen, and the contrast of colours."""

from __future__ import annotations

import math
import re
from datetime import date
from importlib import resources

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.report import text
from pipelines.report.figures import Agents
from pipelines.report.period import Period, choose_period

KNOWN = Period(date(2026, 1, 1), date(2026, 3, 31))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (text.count(1234567), "1,234,567"),
        (text.count(None), text.UNKNOWN),
        (text.count(math.nan), text.UNKNOWN),
        (text.amount(math.inf), text.UNKNOWN),
        (text.amount(1234.5, "EUR"), "1,234.50 EUR"),
        (text.amount(0.001), "1.00 \N{MULTIPLICATION SIGN} 10^\N{MINUS SIGN}3"),
        (text.price(0.09731, "EUR"), "0.0973 EUR"),
        (text.share(0.12345), "12.3%"),
        (text.share(None), text.UNKNOWN),
        (text.share(0), "0.0%"),
        (text.share(1), "100.0%"),
        (text.share(6 / 285_308), "<0.1%"),
        (text.share(1 - 1e-6), ">99.9%"),
        (text.rounded_share(0.004), "<1%"),
        (text.duration(0), "0 s"),
        (text.duration(59.6), "1 min 00 s"),
        (text.duration(3599.7), "1 h 00 min"),
        (text.duration(7265), "2 h 01 min"),
        (text.change(110, 100), "+10.0%"),
        (text.change(99.99, 100), "±0%"),
        (text.change(1, 0), None),
        (text.change(None, 1), None),
        (text.change(1e6, 1), "more than +1,000%"),
        (text.points(0.5, 0.512), "\N{MINUS SIGN}1.2 points"),
        (text.word("  customer-ended-call\n"), "customer-ended-call"),
        (text.word(" "), "(none given)"),
        (text.plural(1, "call"), "1 call"),
        (text.plural(2, "call"), "2 calls"),
    ],
)
def test_figures_are_written_for_people(written, expected):
    assert (written or "").replace("\xa0", " ") == (expected or "")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (date(2026, 3, 4), date(2026, 3, 31))),
        (None, date(2026, 2, 28), (date(2026, 2, 1), date(2026, 2, 28))),
        (None, date(2026, 1, 3), (date(2026, 1, 1), date(2026, 1, 3))),
        (date(2026, 3, 30), None, (date(2026, 3, 30), date(2026, 3, 31))),
        (date(2025, 1, 1), date(2027, 1, 1), (date(2026, 1, 1), date(2026, 3, 31))),
        (date(2026, 2, 3), date(2026, 2, 3), (date(2026, 2, 3), date(2026, 2, 3))),
    ],
)
def test_the_period_lies_within_the_known_days(first, last, expected):
    assert choose_period(first, last, KNOWN) == Period(*expected)


def test_a_period_that_is_none_is_wrong_usage():
    with pytest.raises(ChorusCallsError) as raised:
        choose_period(date(2026, 2, 2), date(2026, 2, 1), KNOWN)
    assert raised.value.exit_code == 2


def test_the_period_before_is_as_long():
    assert Period(date(2026, 3, 1), date(2026, 3, 2)).before() == Period(date(2026, 2, 27), date(2026, 2, 28))


@pytest.mark.parametrize(
    ("days", "unit", "first", "steps"),
    [
        (62, "day", date(2026, 1, 31), 62),
        (63, "week", date(2026, 1, 26), 10),
        (400, "week", date(2026, 1, 26), 58),
        (401, "month", date(2026, 1, 1), 15),
    ],
)
def test_long_periods_go_by_weeks_and_months(days, unit, first, steps):
    period = Period(date(2026, 1, 31), date.fromordinal(date(2026, 1, 31).toordinal() + days - 1))
    assert (period.unit, period.steps()[0], len(period.steps())) == (unit, first, steps)


def test_whole_steps():
    assert Period(date(2026, 1, 31), date(2026, 2, 1)).is_whole, "days always are"
    assert Period(date(2026, 1, 5), date(2026, 3, 29)).is_whole
    assert not Period(date(2026, 1, 5), date(2026, 3, 28)).is_whole
    assert not Period(date(2026, 1, 4), date(2026, 3, 29)).is_whole
    assert Period(date(2025, 1, 1), date(2026, 3, 31)).is_whole
    assert not Period(date(2025, 1, 1), date(2026, 4, 1)).is_whole


def test_short_ids_are_unique():
    agents = Agents(["aaaaaaaa-1111", "aaaaaaaa-2222", "b", " "], {"aaaaaaaa-1111": "Nora", "b": " "})
    assert [agents.label(agent) for agent in (*agents.ids, None)] == [
        "Nora (aaaaaaaa-1)",
        "aaaaaaaa-2",
        "b",
        "(blank id)",
        "(no agent)",
    ]


def test_ids_are_shortened_even_if_not_unique():
    agents = Agents(["x" * 100, "x" * 101], {})
    assert agents.label("x" * 100) == "x" * 40


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
