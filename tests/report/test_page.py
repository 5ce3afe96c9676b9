"""What holds for every page: nothing of a customer, nothing that loads, no broken figure."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import pytest

from pipelines.report.html_page import make_report
from pipelines.report.queries import REPEAT_CALLERS, Source
from pipelines.serve.catalog import open_catalog
from tests.support.lakes import example_lake, workspace
from tests.support.report_pages import NUMBER, Page, call, leg

HOSTILE = "<script>alert('x')</script> & \"quoted\" {{ 7 * 7 }} ]]>"
EVER = {"first": date(2020, 1, 1), "before_first": date(2020, 1, 1), "last": date(2030, 1, 1)}
PARAMETERS = {**EVER, "repeat_last": date(2030, 1, 1), "agent": None}


def assert_sound(page: Page) -> None:
    """Whatever a page says, it says it in words, and loads nothing."""
    assert not re.search(r"\b(NaN|None|nan|null|inf|Infinity|undefined|Undefined)\b", page.text), page.text
    assert not {"script", "img", "iframe", "object", "embed", "use", "image"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"src", "srcset", "xlink:href", "style"}, (tag, name, value)
        if name == "href":
            assert value == "data:," or value.startswith("#"), value
        if name in {"d", "x", "y", "width", "height", "transform", "viewbox"}:
            assert not re.search(r"NaN|undefined|Infinity", value), (tag, name, value)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    example_lake(folder)
    opened = workspace(folder)
    target = folder / "report.html"
    make_report(opened.catalog.path, target)
    return opened, target.read_text()


def test_nothing_of_a_customer_is_on_the_page(simulated):
    opened, html = simulated
    questions = {
        "ids": "SELECT call_id FROM calls UNION SELECT leg_id FROM transfer_legs",
        "keys": "SELECT customer_key FROM calls UNION SELECT customer_key FROM transfer_legs",
        "numbers": "SELECT customer_number FROM calls UNION SELECT customer_number FROM transfer_legs",
        "what is said": "SELECT content FROM transcript_turns WHERE char_count > 12",
        "summaries": "SELECT summary FROM calls WHERE length(summary) > 12",
        "values": "SELECT value FROM call_attributes WHERE length(value) > 8",
        "raw values": "SELECT raw_value FROM data_issues WHERE length(raw_value) > 8",
    }
    with open_catalog(opened.catalog.path) as catalog:
        for what, sql in questions.items():
            found = {row[0] for row in catalog.execute(sql).fetchall() if row[0]}
            assert found or what == "raw values", f"the lake has no {what} that could be on the page"
            assert not [text for text in found if text in html], what


@pytest.mark.slow
def test_repeat_callers_are_those_of_the_catalogs_macro(simulated):
    opened, _ = simulated
    with open_catalog(opened.catalog.path) as catalog:
        # A span of whole days that the few days of this lake are old enough for.
        assert catalog.execute("SELECT count(caller_calls) FROM repeat_callers(1)").fetchone() != (0,)
        source = Source(catalog, {**PARAMETERS, "repeat_span": 86_400_000_000})
        (found,) = source.rows(REPEAT_CALLERS)
        macro = "SELECT sum(anonymous_calls), sum(caller_calls), sum(repeat_calls) FROM repeat_callers(1)"
        assert catalog.execute(macro).fetchone() == tuple(
            found[name] for name in ("anonymous_calls", "caller_calls", "repeat_calls")
        )


def test_the_page_of_a_simulated_lake_is_sound(simulated):
    page = Page(simulated[1])
    assert_sound(page)
    assert "lang" in {name for tag, name, _ in page.attributes if tag == "html"}
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_headings_go_down_one_at_a_time(simulated):
    levels = [int(tag[1]) for tag in Page(simulated[1]).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_has_words_and_a_table_beside_it(simulated):
    page = Page(simulated[1])
    pictures = [value for tag, name, value in page.attributes if tag == "div" and name == "aria-label"]
    assert len(pictures) == 5
    assert all("table below" in words for words in pictures)
    hidden = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-hidden"]
    assert hidden == ["true"] * page.tags.count("svg")
    assert page.tags.count("details") == len(pictures)


@pytest.mark.slow
def test_hostile_words_stay_words(report):
    calls = [
        call("c1", "2026-03-03 08:00", endedReason=HOSTILE, agentId=HOSTILE),
        call(
            *("c2", "2026-03-03 09:00"),
            endedReason="\u202egnal\x00\u200b\n\ttext " + "long " * 40,
            transferCalls=[leg("l1", "completed", kind=HOSTILE)],
        ),
    ]
    page = report(calls, names={"agent-1": HOSTILE}, currency="<b>$")
    assert_sound(page)
    assert f"{HOSTILE} (agent-1)" in page.rows("Cost per minute by agent")
    assert HOSTILE[:8] in page.rows("Cost per minute by agent")
    assert HOSTILE in page.rows("Most frequent reasons")
    assert HOSTILE in page.rows("Attempts by type")
    assert page.tiles["Cost"][0].replace("\xa0", " ") == "0.50 <b>$"
    assert max(map(len, page.rows("Most frequent reasons"))) <= 60


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize(
    "reason", [f"hung up by {NUMBER}", "call 0 0 4 4 20 7946 0123", "mail jo@example.org", "٠٤٤٢٠٧٩٤٦٠"]
)
def test_words_that_may_identify_a_person_are_withheld(report, reason):
    page = report([call("c1", "2026-03-03 08:00", endedReason=reason, transferType=reason)])
    assert page.rows("Most frequent reasons") == {"(withheld: holds a number or address)": ["100.0%", "1"]}
    assert reason not in page.text


@pytest.mark.slow
def test_one_day_without_a_connected_call(report):
    page = report([call("c1", "2026-03-03 08:00", seconds=0, status="no-answer", cost=None)])
    assert_sound(page)
    assert page.tiles["Connect rate"][0] == "0.0%"
    unknown = "\N{EN DASH}"
    for name in ("Minutes", "Cost", "Cost per minute", "Containment", "Transfer rate", "Transfer success"):
        assert page.tiles[name][0] == unknown, name
    assert ("span", "aria-label", "not known") in page.attributes
    assert page.tiles["Called again"] == [unknown], "whether somebody calls again cannot be known on the same day"
    assert page.tiles["Too recent to know"] == ["1"]
    assert "1 call. Nobody was reached." in page.text.replace("\xa0", " ")
    assert "No call of this period has both a cost and a duration." in page.text
    assert "There were no transfer attempts in this period." in page.text
    assert "No call of this period reached a person" in page.text


@pytest.mark.slow
def test_a_period_without_calls_between_others(report):
    page = report([call("c1", "2026-03-01 08:00"), call("c2", "2026-03-09 08:00")], "2026-03-04", "2026-03-05")
    assert_sound(page)
    assert page.tiles["Calls"][0] == "0"
    assert "There are no calls in this period." in page.text


@pytest.mark.slow
def test_without_a_currency_money_is_plain_and_that_is_said(report):
    page = report([call("c1", "2026-03-03 08:00")])
    assert page.tiles["Cost"][0] == "0.25"
    assert "Amounts are as the API states them, without a currency." in page.text


@pytest.mark.slow
def test_many_agents_are_one_row_together(report):
    calls = [
        call(f"c{n}-{m}", f"2026-03-03 {m % 24:02d}:{m // 24:02d}", agentId=f"{n:04d}-agent-of-many", cost=n / 10)
        for n in range(30)
        for m in range(2 if n < 12 else 1)
    ]
    rows = report(calls).rows("Cost per minute by agent")
    assert len(rows) == 14
    assert rows["18 other agents"][1:3] == ["18", "18"]
    assert rows["0000-age"][0] == "0.0000"
    assert rows["All"][1] == "42"


@pytest.mark.slow
def test_figures_too_large_to_read_are_cut_short(report):
    calls = [
        call("c1", "2026-03-03 08:00", cost=1e290, durationSeconds=9e15),
        call("c2", "2026-03-04 08:00", cost=1e-9),
    ]
    page = report(calls)
    assert_sound(page)
    assert page.tiles["Cost"][0].replace("\xa0", " ") == "1.00 \N{MULTIPLICATION SIGN} 10^290"


@pytest.mark.slow
def test_a_year_is_shown_by_month_and_a_quarter_by_week(report):
    calls = [call("c1", "2025-01-15 08:00"), call("c2", "2026-03-03 08:00"), call("c3", "2026-06-30 08:00")]
    page = report(calls, "2025-01-15")
    assert_sound(page)
    assert len(page.tables["Calls by month"]) == 1 + 18
    assert page.rows("Calls by month")["March 2026"][0] == "1"
    assert_sound(report(calls, "2026-03-03"))
    assert "No comparison" in page.text
