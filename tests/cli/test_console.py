"""Results go to stdout and progress to stderr, whole in a pipe, and strangers' text cannot steer the terminal."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from pipelines.cli.console import print_json, print_table, printable, progress, say


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


def test_numbers_stand_under_each_other(capsys):
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
