"""The demo as a newcomer sees it: the command in an empty folder, once, again, and with Ctrl-C in between."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.serve.catalog import open_catalog

pytestmark = pytest.mark.slow

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
        """The words of the line that begins with a word."""
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


def test_it_succeeds_and_logs_only_its_progress(first):
    assert first.code == 0, first.log
    assert first.log.split("\n") == [
        "   Starting Dagster …",
        *["   extract_calls …", "   build_days …"] * 2,
        "",
    ]


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


def test_the_second_sync_reads_and_writes_less_than_the_first(first):
    seen = first.row("calls and legs read")
    assert int(seen[4]) == int(seen[6])  # all that there was
    new = first.row("new")
    assert 0 < int(new[2]) < int(new[1])
    built = first.row("days built and published")
    assert built[4] == built[6]
    assert int(built[7]) < int(built[9])


def test_a_transfer_is_shown_in_its_conversation(first):
    said = first.out[first.out.index("A call that was transferred") :]
    words = re.sub(r"\s+", " ", said)
    handed_over, briefing = words.index("→ transfer ("), words.index("│ agent ")
    assert words.index(" agent ") < words.index(" customer ") < handed_over < briefing < words.index("│ colleague ")
    spoken = words[briefing + len("│ agent ") : words.index(" │ colleague ")]
    assert (spoken,) in first.answers["said"]


def test_it_neither_uses_nor_changes_the_users_settings_and_lake(folder, first, second):
    assert sorted(path.name for path in folder.iterdir()) == [".env", "data"]
    assert [path.name for path in (folder / "data").iterdir()] == ["demo"]
    assert sorted(path.name for path in (folder / "data/demo").iterdir()) == [
        *("chorus-report.html", "dagster_home", "lake", "world")
    ]
    for shown in (first, second):
        assert shown.answers["local"] == [(0,)]
        assert shown.answers["numbers"] == [(0,)]


def test_it_leaves_a_report(folder, second):
    assert "data/demo/chorus-report.html has the days from " in re.sub(r"\s+", " ", second.out)
    page = (folder / "data/demo/chorus-report.html").read_text(encoding="utf-8")
    newest = max(dict(second.answers["versions"]))
    assert f"{newest.day}\N{NO-BREAK SPACE}{newest:%b}\N{NO-BREAK SPACE}{newest.year}" in page


def test_a_second_demo_continues_the_first(first, second):
    assert second.code == 0, second.log
    assert "Catching up" in second.out
    assert second.row("calls  ")[1] == f"{second.answers['rows'][0][0]:,}"
    assert second.answers["rows"][0][0] > first.answers["rows"][0][0]
    before, after = dict(first.answers["versions"]), dict(second.answers["versions"])
    oldest = min(before)
    assert before[oldest] == after[oldest]
    assert before != after


@pytest.mark.usefixtures("second")
def test_a_demo_is_not_mixed_with_another(folder):
    with start(folder, "--calls", "10") as process:
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "remove data/demo first" in log


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
