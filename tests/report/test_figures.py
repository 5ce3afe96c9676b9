"""Figures compared with figures computed by hand, how they and days are written and chosen, and colours."""

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
from tests.support.report_pages import call, leg

ALICE, BOB = "+15550100111", "+15550100122"

CALLS = [
    # The period before: two days, four calls.
    call("b1", "2026-03-01 09:00", customerNumber=ALICE),
    call("b2", "2026-03-01 10:00", seconds=0, cost=0.1, status="no-answer", endedReason="no-answer"),
    call("b3", "2026-03-02 09:00", seconds=120, cost=1.0),
    call("b4", "2026-03-02 10:00", seconds=60, cost=None),
    # The period: two days, five calls, one of which is handed over twice.
    call("n1", "2026-03-03 08:00", seconds=30, cost=0.5, customerNumber=ALICE, endedReason="customer-ended-call"),
    call("n2", "2026-03-03 23:30", seconds=90, cost=0.5, customerNumber=ALICE, endedReason="agent_hangup"),
    call(
        *("n3", "2026-03-04 10:00"),
        seconds=300,
        cost=1.5,
        agentId="agent-2",
        customerNumber=BOB,
        transferCalls=[
            leg("l1", "declined", after="2026-03-04 10:01"),
            leg("l2", "completed", kind="cold", after="2026-03-04 10:03"),
        ],
    ),
    call("n4", "2026-03-04 11:00", seconds=0, cost=None, status="busy", direction="outbound", endedReason="busy"),
    call("n5", "2026-03-04 12:00", seconds=None, cost=0.2, status="odd", customerNumber=None),
    # Afterwards, so that what follows the period's calls is known.
    call("a1", "2026-03-20 12:00", customerNumber=BOB),
]


@pytest.fixture(scope="module")
def page(report):
    return report(CALLS, "2026-03-03", "2026-03-04", currency="USD", timezone="Europe/Berlin")


@pytest.mark.slow
def test_key_figures_are_shown_with_their_changes(page):
    expected = {
        "Calls": ["5", "+25.0%"],
        "Minutes": ["7", "+75.0%"],
        "Cost": ["2.70 USD", "+100.0%"],
        "Cost per minute": ["0.3571 USD", "\N{MINUS SIGN}14.3%"],
        "Connect rate": ["60.0%", "\N{MINUS SIGN}15.0 points"],
        "Containment": ["66.7%", "\N{MINUS SIGN}33.3 points"],
        "Transfer rate": ["33.3%", "+33.3 points"],
        "Transfer success": ["50.0%", "of attempts with a result"],
    }
    assert {name: page.tiles[name][:2] for name in expected} == expected
    assert page.tiles["Cost per minute"][2:3] == ["better"]
    assert page.tiles["Connect rate"][2:3] == ["worse"]
    assert page.tiles["Calls"][2:3] == ["root calls, not deleted"], "more calls are neither better nor worse"


@pytest.mark.slow
def test_days_have_rows_of_their_own(page):
    assert page.tables["Calls by day"] == [
        ["Day", "Calls", "Reached a person"],
        ["Tue 3 Mar 2026", "2", "2"],
        ["Wed 4 Mar 2026", "3", "1"],
    ]
    assert page.rows("Cost per minute by day") == {
        "Tue 3 Mar 2026": ["0.5000", "1.00"],
        "Wed 4 Mar 2026": ["0.3000", "1.70"],
    }
    assert page.rows("Containment and transfers by day") == {
        "Tue 3 Mar 2026": ["100.0%", "0.0%"],
        "Wed 4 Mar 2026": ["0.0%", "100.0%"],
    }


def test_agents_are_compared_by_sum_over_sum(page):
    assert page.rows("Cost per minute by agent") == {
        "agent-1": ["0.5000", "4", "2", "1.20"],
        "agent-2": ["0.3000", "1", "5", "1.50"],
        "All": ["0.3571", "5", "7", "2.70"],
    }


def test_hours_are_local(page):
    hours = page.rows("Calls by weekday and hour")
    assert {(hour, day): n for hour, row in hours.items() for day, n in enumerate(row, start=1) if n != "0"} == {
        ("09:00", 2): "1",
        ("00:00", 3): "1",
        ("11:00", 3): "1",
        ("12:00", 3): "1",
        ("13:00", 3): "1",
    }


def test_durations_are_in_ranges_and_percentiles(page):
    rows = page.rows("Calls by duration")
    assert [row[0] for row in rows.values()] == ["0", "1", "0", "1", "1", "0", "0", "0"]
    assert page.tiles["Half last at most"] == ["1 min 30 s", "before: 1 min 00 s"]
    assert page.tiles["90% last at most"] == ["4 min 18 s", "before: 1 min 48 s"]


def test_endings(page):
    assert page.rows("Calls by outcome") == {
        "Completed": ["60.0%", "3", "\N{MINUS SIGN}15.0 points"],
        "Busy": ["20.0%", "1", "+20.0 points"],
        "Not known": ["20.0%", "1", "+20.0 points"],
        "No answer": ["0.0%", "0", "\N{MINUS SIGN}25.0 points"],
    }
    assert page.rows("Most frequent reasons") == {
        "(none given)": ["40.0%", "2", "\N{MINUS SIGN}35.0 points"],
        "agent_hangup": ["20.0%", "1", "+20.0 points"],
        "busy": ["20.0%", "1", "+20.0 points"],
        "customer-ended-call": ["20.0%", "1", "+20.0 points"],
        "1 other reason": ["0.0%", "0", "\N{MINUS SIGN}25.0 points"],
    }


def test_transfers(page):
    assert page.rows("Attempts by type") == {
        "cold": ["1", "100.0%", "0", "0", "3 min 00 s"],
        "warm_briefing": ["1", "0.0%", "1", "0", "1 min 00 s"],
    }
    assert page.tiles["Attempts"] == ["2"]
    assert page.tiles["Average time to transfer"] == ["2 min 00 s"]


def test_repeat_callers(page):
    # Of the period, Alice's first call alone was followed by another; of the days before, three calls of four were.
    assert page.tiles["Called again"] == ["33.3%", "\N{MINUS SIGN}41.7 points"]
    assert page.tiles["Calls considered"] == ["3"]
    assert "1 call without a usable number left out" in page.text.replace("\xa0", " ")


def test_problems_are_shown_without_the_values_sent(page):
    assert page.rows("Problems found in the data") == {"Word without a mapping: calls $.status": ["1"]}
    assert "odd" not in page.text.split()


def test_the_period_and_what_it_is_compared_with_are_said(page):
    text = page.text.replace("\xa0", " ")
    assert "3 Mar 2026 to 4 Mar 2026 (2 days, UTC)" in text
    assert "Compared with the 2 days before, 1 Mar 2026 to 2 Mar 2026." in text
    assert "5 calls, 25.0% more than in the period before. 60.0% reached a person, for 7 minutes in all." in text


@pytest.mark.slow
def test_one_agent_alone(report):
    page = report(CALLS, "2026-03-03", "2026-03-04", agent="agent-2")
    assert page.tiles["Calls"][0] == "1"
    assert page.rows("Cost per minute by agent") == {"agent-2": ["0.3000", "1", "5", "1.50"]}
    assert page.rows("Calls by outcome") == {"Completed": ["100.0%", "1"]}
    assert page.rows("Most frequent reasons") == {"(none given)": ["100.0%", "1"]}
    assert page.tiles["Called again"] == ["0.0%"]
    assert "No problems were found in this period." in page.text


@pytest.mark.slow
def test_days_of_whole_weeks_are_compared_with_those_of_the_same_weekday(report):
    moments = ["02-23 08:00", "02-23 09:00", "03-01 08:00", "03-02 08:00", "03-08 08:00", "03-08 09:00"]
    page = report([call(f"c{number}", f"2026-{at}") for number, at in enumerate(moments)], "2026-03-02")
    days = page.rows("Calls by day")
    assert page.tables["Calls by day"][0] == ["Day", "Calls", "Reached a person", "7 days earlier"]
    assert days["Mon 2 Mar 2026"] == ["1", "1", "2"]
    assert days["Tue 3 Mar 2026"] == ["0", "0", "0"]
    assert days["Sun 8 Mar 2026"] == ["2", "2", "1"]
    assert days.keys() == page.rows("Cost per minute by day").keys()
    assert page.rows("Cost per minute by day")["Tue 3 Mar 2026"] == ["\N{EN DASH}", "\N{EN DASH}"]


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
def test_the_period_is_within_the_known_days(first, last, expected):
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
