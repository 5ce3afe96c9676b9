"""Whatever is asked for, the answer is a report or a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.lake import state
from tests.support.lakes import PII_KEY, workspace
from tests.support.report_pages import call, reported_lake


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
