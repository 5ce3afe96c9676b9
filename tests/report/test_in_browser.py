"""The report in a real browser without a network, judged by an HTML validator and an accessibility checker."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.report.html_page import make_report
from tests.support.lakes import example_lake, workspace
from tests.support.processes import Browser
from tests.support.report_pages import call, reported_lake

CHECK = Path(__file__).parent / "check.js"

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Browser:
    return Browser(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module", params=["many calls", "one call that nobody answered"])
def looked_at(request, browser, tmp_path_factory) -> tuple[dict, Path]:
    """What was found on the page of a lake, and the folder with its pictures."""
    folder = tmp_path_factory.mktemp("looked-at")
    if request.param == "many calls":
        example_lake(folder / "lake")
        opened = workspace(folder / "lake")
    else:
        alone = call("c1", "2026-03-03 08:00", seconds=0, status="no-answer", cost=None)
        opened = reported_lake(folder / "lake", [alone])
    report = folder / "report.html"
    make_report(opened.catalog.path, report)
    return browser.run(CHECK, report, folder), folder


def test_the_html_is_valid(looked_at):
    assert looked_at[0]["invalid"] == []


def test_nothing_is_asked_for_and_nothing_complains(looked_at):
    views = {name: view for name, view in looked_at[0]["views"].items() if name != "print"}
    assert {name: (view["requests"], view["said"]) for name, view in views.items()} == dict.fromkeys(views, ([], []))


def test_everybody_can_use_it_light_and_dark_wide_and_narrow(looked_at):
    views = {name: view for name, view in looked_at[0]["views"].items() if name != "print"}
    assert list(views) == ["light", "dark", "narrow", "narrow dark", "very narrow"]
    assert {name: view["violations"] for name, view in views.items()} == {name: [] for name in views}
    assert {name: view["overflow"] for name, view in views.items()} == dict.fromkeys(views, 0)
    assert views["light"]["background"] != views["dark"]["background"]


def test_words_in_pictures_are_large_enough(looked_at):
    for name, view in looked_at[0]["views"].items():
        for size, drawn, width in view.get("pictures", []):
            assert size * width / drawn >= 9, (name, size, drawn, width)


def test_on_paper_it_is_light_and_shows_all_figures(looked_at):
    found, folder = looked_at
    assert found["views"]["print"]["hidden"] == 0
    assert found["views"]["print"]["ink"] == "rgb(28, 33, 38)"
    assert (folder / "print.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "narrow.png").stat().st_size > 10_000
