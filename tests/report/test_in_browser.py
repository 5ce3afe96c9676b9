"""The report in a real browser without a network, judged by an HTML validator and an accessibility checker."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.report.make import make_report
from tests.support.lakes import example_lake, workspace
from tests.support.reported import call, reported_lake

TOOLS = Path(__file__).parent / "browser"
PACKAGES = {"chromium": "chromium", "npm": "npm", "node": "nodejs"}
INSTALL = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> Path:
    """The programs that look at the page, in a folder of their own; what Debian has of them is installed if missing."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if missing:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-qq", "--no-install-recommends", *missing], check=True)
    folder = tmp_path_factory.mktemp("browser")
    for name in ("package.json", "check.js"):
        shutil.copy(TOOLS / name, folder / name)
    subprocess.run(INSTALL, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module", params=["many calls", "one call that nobody answered"])
def looked_at(request, tools, tmp_path_factory) -> tuple[dict, Path]:
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
    command = ["node", "check.js", str(shutil.which("chromium")), str(report), str(folder)]
    done = subprocess.run(command, cwd=tools, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder


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
