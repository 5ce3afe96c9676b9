"""The program starts fast, ends with the promised exit codes, and keeps results and progress apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from pipelines import __version__
from pipelines.cli.console import print_json, print_table, printable, progress, say
from pipelines.cli.main import COMMANDS, main, program
from pipelines.errors import ChorusCallsError, KeyRefusedError, SettingsError

ROOT = Path(__file__).parents[2]
SLOW = {"dagster", "polars", "duckdb", "pyarrow", "numpy", "pydantic", "rich", "requests"}


def failing_command(error: BaseException | None, result: object = None) -> click.Command:
    @click.command()
    @click.option("--times", type=int, default=1)
    def command(times):
        if error:
            raise error
        click.echo(f"did it {times}")
        return result

    return command


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `status`, replaced by a command that raises, and give exit code, stdout and stderr."""

    def run(*words: str, error: BaseException | None = None, result: object = None):
        module = ModuleType("pipelines.cli.serve")
        module.status_command = failing_command(error, result)
        monkeypatch.setitem(sys.modules, "pipelines.cli.serve", module)
        code = main(["status", *words])
        return code, *capsys.readouterr()

    return run


def test_help_imports_nothing_slow():
    code = (
        "import sys; from pipelines.cli.main import main; assert main(['--help']) == 0;"
        f"sys.stderr.write(' '.join(sorted({SLOW!r} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    for name, command in COMMANDS.items():
        assert name in done.stdout
        assert command.purpose.split(",")[0] in done.stdout


def test_help_and_version_by_the_module(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "pipelines.cli.main", "--version"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["chorus-calls,", "version", __version__]


def test_an_unknown_command_is_wrong_usage(capsys):
    assert main(["sink"]) == 2
    assert "No such command 'sink'" in capsys.readouterr().err


def test_no_command_shows_the_help_as_wrong_usage(capsys):
    assert main([]) == 2
    assert "Commands:" in "".join(capsys.readouterr())


def test_a_wrong_option_is_wrong_usage(run):
    code, out, err = run("--times", "often")
    assert (code, out) == (2, "")
    assert "'often' is not a valid integer" in err


def test_done_is_0(run):
    assert run() == (0, "did it 1\n", "")


def test_a_command_can_end_with_its_own_code(run):
    assert run(result=1)[0] == 1


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ChorusCallsError("Sync incomplete: the API did not answer. Run it again."), 1, "Sync incomplete: the API"),
        (SettingsError(["CHORUS_A: wrong", "CHORUS_B: wrong"]), 2, "CHORUS_A: wrong\nCHORUS_B: wrong\n"),
        (KeyRefusedError(), 3, "CHORUS_API_KEY"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (click.ClickException("no"), 1, "no"),
    ],
)
def test_an_expected_failure_is_reported_without_a_traceback(run, error, code, says):
    ended, out, err = run(error=error)
    assert (ended, out) == (code, "")
    assert says in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2


def test_an_unexpected_failure_says_how_to_see_more(run):
    code, _, err = run(error=ZeroDivisionError("float division"))
    assert code == 1
    assert err.splitlines()[0] == "Failed: ZeroDivisionError: float division"
    assert "--debug" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ChorusCallsError("Expected.")])
def test_debug_behind_the_command_shows_the_traceback(run, error):
    code, _, err = run("--debug", error=error)
    assert code == 1
    assert "Traceback" in err
    assert "raise error" in err


def test_the_group_works_under_clicks_own_runner():
    shown = CliRunner().invoke(program, ["--help"])
    assert shown.exit_code == 0
    assert "--debug" in shown.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals to send")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_usual_code(number, code):
    program = (
        "import signal, sys, types, click, threading; from pipelines.cli.main import main\n"
        # A shell starts background jobs, and so perhaps these tests, with the signal ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "@click.command()\n"
        "def command():\n"
        "    print('ready', flush=True); threading.Event().wait()\n"
        "module = types.ModuleType('m'); module.sync_command = command; sys.modules['pipelines.cli.lake'] = module\n"
        "sys.exit(main(['sync']))"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout.readline() == "ready\n"
    started.send_signal(number)
    _, err = started.communicate(timeout=60)
    assert started.returncode == code
    assert err.strip() == "Interrupted."


@pytest.mark.slow
def test_progress_elsewhere_than_on_a_terminal_is_a_plain_line(capsys):
    with progress("Fetching calls") as step:
        step(100)
        step(50)
    with progress("Building days", total=2) as step:
        step()
        step(total=3)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("Fetching calls: 150 (")
    assert lines[1].startswith("Building days: 2 of 3 (")


def test_progress_on_a_terminal_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Fetching [calls]", total=4) as step:
        step(4)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Fetching [calls]" in err
    assert "4/4" in err


def test_a_table_in_a_pipe_is_not_cut(capsys):
    long = "x" * 500
    print_table(["call_date", "calls", "note"], [[date(2026, 1, 1), 12, long], [None, 7, "[red]:smile:[/red]"]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["call_date", "calls", "note"]
    assert lines[1].split() == ["2026-01-01", "12", long]
    assert lines[2].split() == ["7", "[red]:smile:[/red]"]


def test_numbers_are_aligned(capsys):
    print_table(["n"], [[5], [1_000]])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == ["   n", "   5", "1000"]


def test_control_characters_are_shown_as_replaced(capsys):
    print_table(["text"], [["a\x1b[2Jb\u202ec"]])
    say("\x1b]0;title\x07")
    assert "\x1b" not in "".join(capsys.readouterr())
    assert printable("tab\tand\nline stay, \r\x00 go") == "tab\tand\nline stay, \ufffd\ufffd go"


def test_json_is_json(capsys):
    print_json({"day": date(2026, 1, 1), "path": Path("a/b"), "names": ["Zoë"]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"day": "2026-01-01", "path": "a/b", "names": ["Zoë"]}
    assert "Zoë" in out
