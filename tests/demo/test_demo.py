"""The demo as a newcomer sees it: the command, again, with Ctrl-C in between, and the clock of its company."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
from click.testing import CliRunner

from assets import dev
from assets.demo.company import WORLD, Company, create_company, is_shown_by_default, single_demo
from pipelines.errors import ChorusCallsError
from pipelines.serve.catalog import open_catalog
from pipelines.simulator import Order
from tests.support.small_lake import SmallLake

REPOSITORY = Path(__file__).parents[2]
SMALL = ("--calls", "200", "--days", "3")
USERS_ENV = """\
CHORUS_API_KEY=sk_live_users
CHORUS_API_URL=https://api.example.com/v1
CHORUS_LAKE=real
CHORUS_TIMEZONE=Asia/Tokyo
CHORUS_PII=raw
CHORUS_PII_KEY=users
CHORUS_START_DATE=2026-01-01
"""


@dataclass
class Shown:
    """What one demo printed, and what the catalog held afterwards."""

    code: int
    out: str
    log: str
    answers: dict[str, list[tuple[Any, ...]]]

    def row(self, first: str) -> list[str]:
        """Return the words of the line that begins with a word."""
        found = re.search(rf"^ *{re.escape(first)}(?: .*)?$", self.out, re.MULTILINE)
        assert found, f"no line begins with {first!r}"
        return found[0].split()


ASKED = {
    "rows": "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM transcript_turns), "
    "(SELECT count(*) FROM transfer_legs)",
    # Worked out from the calls alone, not from the mart that the demo reads.
    "per minute": "SELECT 60 * sum(cost) / sum(duration_seconds) FROM calls "
    "WHERE is_root AND cost IS NOT NULL AND duration_seconds > 0",
    "success": "SELECT count(*) FILTER (transfer_outcome = 'success') "
    "/ count(*) FILTER (transfer_outcome IN ('success', 'failed')) FROM transfer_legs",
    "agents": "SELECT DISTINCT agent_id[:8] FROM calls WHERE is_root",
    "said": "SELECT content FROM transcript_turns WHERE speaker = 'agent' AND leg_id IS NOT NULL",
    "versions": "SELECT call_date, version FROM _days ORDER BY ALL",
    "local": "SELECT count(*) FROM calls WHERE started_at_local <> started_at AT TIME ZONE 'UTC'",
    "numbers": "SELECT count(*) FROM calls WHERE customer_number NOT LIKE '+%**%'",
}


PROGRAM = """
import signal, sys
from pipelines.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
"""The program; it handles Ctrl-C even if the tests were started in the background and ignore it."""


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHORUS_", "DAGSTER_"))}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "error::ResourceWarning"}


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "demo", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment(), stdout=pipe, stderr=pipe, text=True)


def demo(folder: Path, *options: str) -> Shown:
    with start(folder, *options) as process:
        out, log = process.communicate(timeout=120)
    with open_catalog(folder / "data/demo/lake/chorus.duckdb") as connection:
        answers = {name: connection.execute(sql).fetchall() for name, sql in ASKED.items()}
    return Shown(process.returncode, out, log, answers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with settings of the user."""
    path = tmp_path_factory.mktemp("checkout")
    (path / ".env").write_text(USERS_ENV, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def first(folder) -> Shown:
    return demo(folder, *SMALL)


@pytest.fixture(scope="module")
def second(folder, first) -> Shown:
    assert first.code == 0, first.log
    return demo(folder)


@pytest.mark.slow
def test_it_succeeds_and_logs_only_its_progress(first):
    assert first.code == 0, first.log
    assert first.log.split("\n") == [
        "   Starting Dagster …",
        *["   extract_calls …", "   build_days …"] * 2,
        "",
    ]


@pytest.mark.slow
def test_the_numbers_shown_are_those_of_the_tables(first):
    calls, turns, legs = first.answers["rows"][0]
    assert first.row("calls  ")[1] == f"{calls:,}"
    assert first.row("transcript_turns")[1] == f"{turns:,}"
    assert first.row("transfer_legs")[1] == f"{legs:,}"
    everybody = first.row("all agents")
    assert everybody[-2] == str(legs)
    assert float(everybody[-3]) == pytest.approx(first.answers["per minute"][0][0], abs=0.00006)
    assert float(everybody[-1].rstrip("%")) == pytest.approx(100 * first.answers["success"][0][0], abs=0.06)
    for (agent,) in first.answers["agents"]:
        assert f"({agent})" in first.out


@pytest.mark.slow
def test_the_second_sync_reads_and_writes_less_than_the_first(first):
    seen = first.row("calls and legs read")
    assert int(seen[4]) == int(seen[6])  # all that there was
    new = first.row("new")
    assert 0 < int(new[2]) < int(new[1])
    built = first.row("days built and published")
    assert built[4] == built[6]
    assert int(built[7]) < int(built[9])


@pytest.mark.slow
def test_a_transfer_is_shown_in_its_conversation(first):
    said = first.out[first.out.index("A call that was transferred") :]
    words = re.sub(r"\s+", " ", said)
    handed_over, briefing = words.index("→ transfer ("), words.index("│ agent ")
    assert words.index(" agent ") < words.index(" customer ") < handed_over < briefing < words.index("│ colleague ")
    spoken = words[briefing + len("│ agent ") : words.index(" │ colleague ")]
    assert (spoken,) in first.answers["said"]


@pytest.mark.slow
def test_it_neither_uses_nor_changes_the_users_settings_and_lake(folder, first, second):
    assert sorted(path.name for path in folder.iterdir()) == [".env", "data"]
    assert [path.name for path in (folder / "data").iterdir()] == ["demo"]
    assert sorted(path.name for path in (folder / "data/demo").iterdir()) == [
        *("chorus-report.html", "dagster_home", "lake", "world")
    ]
    for shown in (first, second):
        assert shown.answers["local"] == [(0,)]
        assert shown.answers["numbers"] == [(0,)]


@pytest.mark.slow
def test_it_leaves_a_report(folder, second):
    assert "data/demo/chorus-report.html has the days from " in re.sub(r"\s+", " ", second.out)
    page = (folder / "data/demo/chorus-report.html").read_text(encoding="utf-8")
    newest = max(dict(second.answers["versions"]))
    assert f"{newest.day}\N{NO-BREAK SPACE}{newest:%b}\N{NO-BREAK SPACE}{newest.year}" in page


@pytest.mark.slow
def test_a_second_demo_continues_the_first(first, second):
    assert second.code == 0, second.log
    assert "Catching up" in second.out
    assert second.row("calls  ")[1] == f"{second.answers['rows'][0][0]:,}"
    assert second.answers["rows"][0][0] > first.answers["rows"][0][0]
    before, after = dict(first.answers["versions"]), dict(second.answers["versions"])
    oldest = min(before)
    assert before[oldest] == after[oldest]
    assert before != after


@pytest.mark.slow
@pytest.mark.usefixtures("second")
def test_a_demo_is_not_mixed_with_another(folder):
    with start(folder, "--calls", "10") as process:
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "remove data/demo first" in log


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly_and_the_next_one_completes_it(tmp_path):
    with start(tmp_path, "--calls", "40", "--days", "12") as process:  # so many that they are not built in a moment
        log = ""
        while "build_days" not in log:
            log += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert rest.strip() == "Interrupted."
    again = demo(tmp_path)
    assert again.code == 0, again.log
    assert again.row("days built and published")[6] == str(len(again.answers["versions"]))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty folder to work in; what is changed in the environment is changed back."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        for variable in [name for name in os.environ if name.startswith(("CHORUS_", "DAGSTER_"))]:
            del os.environ[variable]
        yield tmp_path


def newest(company) -> list[bytes]:
    return list(company.page(Order.NEWEST, 0, 100, draw=1)[0])


def test_the_clock_is_behind_and_never_goes_beyond_ours(tmp_path):
    company = create_company(tmp_path, calls=20, days=2)
    assert timedelta(days=1) <= datetime.now(UTC) - company.now <= timedelta(days=5)
    assert company.now.isoweekday() <= 5
    begins = company.now
    assert company.advance(timedelta(hours=6)) == timedelta(hours=6)
    assert company.now - begins >= timedelta(hours=6)
    rest = company.advance(timedelta(days=30))
    assert rest < timedelta(days=5)
    assert company.advance(timedelta(hours=6)) == timedelta()
    assert abs(datetime.now(UTC) - company.now) < timedelta(minutes=1)


def test_every_process_that_serves_the_company_shows_the_same_moment(tmp_path):
    one = create_company(tmp_path, calls=60, days=1)
    other = Company(tmp_path)
    size = one.size
    assert other.size == size
    one.advance(timedelta(hours=20))
    assert other.size == one.size > size
    assert other.now - one.now < timedelta(minutes=1)
    assert newest(other) == newest(one)


def test_no_call_is_older_than_the_first_day(tmp_path):
    company = create_company(tmp_path, calls=40, days=3)
    items, total = company.page(Order.OLDEST, 0, 100, draw=1)
    assert total >= 40
    assert f'"createdAt":"{company.first_day}'.encode() in items[0]


def test_there_is_one_demo_at_a_time(tmp_path):
    with single_demo(tmp_path), pytest.raises(ChorusCallsError, match="Another demo"), single_demo(tmp_path):
        pass


def test_a_company_that_was_not_founded_is_not_opened(tmp_path):
    with pytest.raises(ChorusCallsError, match="make demo"):
        Company(tmp_path)


def test_the_demo_is_shown_only_where_there_is_nothing_else_to_show(checkout):
    assert not is_shown_by_default()
    create_company(WORLD, calls=5, days=1)
    assert is_shown_by_default()
    (checkout / ".env").write_text("CHORUS_API_KEY=sk_live_1\n", encoding="utf-8")
    assert not is_shown_by_default()
    (checkout / ".env").unlink()
    SmallLake(Path("data/lake")).land(date(2026, 1, 5))
    assert not is_shown_by_default()


@pytest.mark.parametrize(("options", "served"), [([], True), (["--no-demo"], False)])
def test_the_development_server_serves_the_demo_while_it_runs(checkout, monkeypatch, options, served):
    create_company(WORLD, calls=5, days=1)
    seen = {}

    def dagster_runs(*_args, **_kwargs):
        seen.update(os.environ)
        if served:
            headers = {"Authorization": f"Bearer {seen['CHORUS_API_KEY']}"}
            answer = requests.get(f"{seen['CHORUS_API_URL']}/calls", headers=headers, timeout=10)
            seen["total"] = answer.json()["pagination"]["total"]

    monkeypatch.setattr(dev.runpy, "run_module", dagster_runs)
    monkeypatch.setattr(dev.sys, "argv", ["dev"])
    result = CliRunner().invoke(dev.main, options)
    assert result.exit_code == 0, result.output
    home = Path(seen["DAGSTER_HOME"]).relative_to(checkout)
    if served:
        assert seen["total"] >= 5
        assert home == Path("data/demo/dagster_home")
        assert "This is the demo" in result.output
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{seen['CHORUS_API_URL']}/calls", timeout=10)
    else:
        assert "CHORUS_API_URL" not in seen
        assert home == Path("data/dagster_home")


@pytest.mark.usefixtures("checkout")
def test_a_demo_that_is_asked_for_must_be_there():
    result = CliRunner().invoke(dev.main, ["--demo"])
    assert result.exit_code == 1
    assert "make demo" in result.output
