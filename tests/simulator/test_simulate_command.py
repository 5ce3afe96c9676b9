"""The simulate command: what it prints is what works, and Ctrl-C ends it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest
import requests
from click.testing import CliRunner

from pipelines.cli.simulate import simulate_command as command
from pipelines.errors import ChorusCallsError
from pipelines.simulator.faults import FAULTS


def test_the_printed_lines_lead_to_the_calls_and_ctrl_c_ends_it():
    words = ["simulate", "--port", "0", "--calls", "30", "--days", "2", "--key", "sk_mine", "--order", "oldest"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli.main", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        settings = dict(line.strip().removeprefix("export ").split("=") for line in lines[1:])
        answer = requests.get(
            f"{settings['CHORUS_API_URL']}/calls",
            headers={"Authorization": f"Bearer {settings['CHORUS_API_KEY']}"},
            timeout=10,
        )
        process.send_signal(signal.SIGINT)
        rest, log = process.communicate(timeout=30)
    assert answer.json()["pagination"]["total"] >= 30
    assert process.returncode == 130
    assert rest == ""
    assert "GET /v1/calls 200" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("words", [["--faults", "sharknado"], ["--order", "up"], ["--calls", "-1"], ["--days", "0"]])
def test_wrong_options_are_wrong_usage(words):
    assert CliRunner().invoke(command, words).exit_code == 2


def test_an_unknown_fault_is_answered_with_the_known_ones():
    output = CliRunner().invoke(command, ["--faults", "sharknado"]).output
    assert "rate_limit" in output
    assert "sharknado" in output


def test_a_file_without_dialogues_is_wrong_usage(tmp_path):
    file = tmp_path / "dialogues.jsonl"
    file.write_text("nonsense", encoding="utf-8")
    result = CliRunner().invoke(command, ["--dialogues", str(file)])
    assert result.exit_code == 2
    assert "line 1" in result.output


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(command, ["--calls", "1", "--port", str(port)])
    assert isinstance(result.exception, ChorusCallsError)
    assert str(port) in result.exception.message


def test_help_shows_an_example_and_each_fault_in_a_line():
    lines = CliRunner().invoke(command, ["--help"]).output.splitlines()
    assert any("chorus-calls simulate --calls" in line for line in lines)
    assert all(any(line.strip().startswith(f"{name}: ") for line in lines) for name in FAULTS)


def test_it_starts_without_the_heavy_libraries():
    code = (
        "import sys, pipelines.cli.simulate as s;"
        "print(sorted({'dagster', 'polars', 'duckdb', 'pyarrow'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
