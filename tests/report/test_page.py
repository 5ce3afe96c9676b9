"""What holds for every page, and the sentence for what cannot be reported."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.lake import state
from pipelines.report.html_page import make_report
from pipelines.report.queries import REPEAT_CALLERS, Source
from pipelines.serve.catalog import open_catalog
from tests.support.lakes import PII_KEY, workspace
from tests.support.report_pages import NUMBER, Page, call, leg, reported_lake

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
def simulated(tmp_path_factory, example):
    target = tmp_path_factory.mktemp("simulated") / "report.html"
    make_report(example.catalog.path, target)
    return example, target.read_text()


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


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    reported_lake(folder, [call("c1", "2026-03-03 08:00"), call("c2", "2026-03-04 08:00", agentId=None)])
    return folder


@pytest.fixture
def run(lake, tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", str(lake))
    monkeypatch.setenv("CHORUS_PII_KEY", PII_KEY)

    def command(*words: str) -> tuple[int, str, str]:
        code = main(["report", *words])
        return code, *capsys.readouterr()

    return command


def test_it_says_where_the_report_is_and_of_which_days(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("chorus-report.html: 2026-03-03 to 2026-03-04 (2 days, UTC), ")
    assert "<!DOCTYPE html>" in Path("chorus-report.html").read_text()


@pytest.mark.slow
def test_it_takes_the_place_of_an_earlier_report(run):
    assert run("--out", "new/folder/r.html", "--to", "2026-03-03")[0] == 0
    assert run("--out", "new/folder/r.html")[0] == 0
    assert "4\N{NO-BREAK SPACE}Mar" in Path("new/folder/r.html").read_text()
    assert [path.name for path in Path("new/folder").iterdir()] == ["r.html"]


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["--agent", "nobody"],
            1,
            "No agent with calls has the id 'nobody'. The agents with the most calls are agent-1.",
        ),
        (["--from", "2026-03-05", "--to", "2026-03-01"], 2, "--from 2026-03-05 is after --to 2026-03-01."),
        (["--from", "2027-01-01"], 1, "There are no calls in this period: the lake has calls from 2026-03-03"),
        (["--to", "2020-01-01"], 1, "There are no calls in this period: the lake has calls from 2026-03-03"),
        (["--from", "tomorrow"], 2, "'tomorrow' does not match the format '%Y-%m-%d'"),
        (["--out", "."], 2, "is a directory"),
        (["--out", "file/report.html"], 1, "The report cannot be written to file/report.html: File exists: "),
        (["--out", "file"], 1, "file is not a report, so it stays as it is."),
    ],
)
def test_bad_input_is_answered_in_a_sentence(run, words, code, said):
    Path("file").write_text("something else")
    found, out, err = run(*words)
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    assert Path("file").read_text() == "something else"
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_days_beyond_the_lakes_are_left_out(run):
    code, out, _ = run("--from", "0001-01-01", "--to", "9999-12-31")
    assert code == 0
    assert "2026-03-03 to 2026-03-04 (2 days, UTC)" in out


def test_an_empty_lake_says_what_to_do(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CHORUS_LAKE", str(tmp_path / "none"))
    code, out, err = run()
    assert (code, out) == (1, "")
    assert err.startswith(f"There is no catalog at {tmp_path}/none/chorus.duckdb. Run `chorus-calls sync`")
    workspace(tmp_path / "none").catalog.make(state.Manifest())
    assert run() == (1, "", "There are no calls to report on yet. Run `chorus-calls sync` to fetch them.\n")
    assert run("--from", "2026-03-05", "--to", "2026-03-01")[0] == 2


def test_a_catalog_without_single_calls_is_named(run, tmp_path, monkeypatch):
    assert main(["catalog", "--marts-only", str(tmp_path / "marts.duckdb")]) == 0
    monkeypatch.setenv("CHORUS_CATALOG", str(tmp_path / "marts.duckdb"))
    code, _, err = run()
    assert code == 1
    assert "has only aggregated tables" in err
