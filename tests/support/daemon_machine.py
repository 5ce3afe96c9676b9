"""A machine with a code server and a daemon, which a test can kill one by one or all at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from assets._dagster import ACTIVE_RUN_STATUSES
from assets.instance.home import VARIABLE, dagster_home
from assets.jobs import extract_calls
from tests.support.processes import eventually, free_port, left_of, running
from tests.support.server import DEPLOY

CODE, DAEMON = "code", "daemon"

MOVED = Path("moved")
"""Rewritten when the API's calls change."""

UNWANTED = "agent-of-another-company"
"""A day with a call of this agent is not to be published."""


def reading_since(moved: Path) -> RunsFilter:
    """Return which runs have read all calls, and began after the calls changed."""
    since = datetime.fromtimestamp(moved.stat().st_mtime, UTC)
    return RunsFilter(job_name=extract_calls.name, statuses=[DagsterRunStatus.SUCCESS], created_after=since)


class Machine:
    """The programs of a server in a folder, with SQLite as `make dev` has it, and the definitions with short intervals.

    Attributes:
        home: Dagster's home.
        instance: The same instance that the programs use.
        unfinished: The runs that are not over.
    """

    unfinished = RunsFilter(statuses=ACTIVE_RUN_STATUSES)

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Set the place up; nothing runs yet."""
        self._folder, self._stack = folder, stack
        self.home = dagster_home()
        settings = self.home / "dagster.yaml"
        usual = "start_timeout_seconds: 180, poll_interval_seconds: 30"
        assert usual in settings.read_text()
        settings.write_text(settings.read_text().replace(usual, "start_timeout_seconds: 30, poll_interval_seconds: 3"))
        shutil.copy(DEPLOY / "workspace.yaml", folder)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            "PYTHONPATH": str(DEPLOY.parent),
            VARIABLE: str(self.home),
            "DAGSTER_GRPC_HOST": "127.0.0.1",
            "DAGSTER_GRPC_PORT": str(free_port()),
        }
        self.instance = stack.enter_context(dg.DagsterInstance.from_config(str(self.home)))
        self.move()

    def start(self) -> None:
        """Start what does not run."""
        for name in [name for name in (CODE, DAEMON) if name not in self._running]:
            process = running(
                self._command(name), self._folder / f"{name}.log", environment=self._environment, cwd=self._folder
            )
            self._running[name] = self._stack.enter_context(process)

    def cut(self, *names: str) -> None:
        """End programs with everything they started, as a loss of power does: without a word."""
        for name in names:
            with suppress(ProcessLookupError):
                os.killpg(self._running[name].pid, signal.SIGKILL)
        for name in names:
            process = self._running.pop(name)
            process.wait()
            eventually(lambda process=process: not left_of(process), f"that nothing is left of {name}", 30)

    def move(self) -> None:
        """Say that the API's calls are other than before."""
        (self._folder / MOVED).write_text("")

    def works(self) -> bool:
        """Return whether a run is active."""
        return self.instance.get_runs_count(RunsFilter(statuses=[DagsterRunStatus.STARTED])) > 0

    def has_read(self) -> bool:
        """Return whether a run has read the API's calls as they are now."""
        return self.instance.get_runs_count(reading_since(self._folder / MOVED)) > 0

    def _command(self, name: str) -> list[str]:
        programs = Path(sys.executable).parent
        if name == DAEMON:
            return [str(programs / "dagster-daemon"), "run", "--workspace", "workspace.yaml"]
        served = ["-m", "tests.support.fast_definitions", "--location-name", "chorus_calls"]
        return [str(programs / "dagster"), "api", "grpc", *served]


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Give a machine in a folder, in which this process is too, and with its environment; nothing runs yet."""
    with ExitStack() as stack:
        yield Machine(folder, stack)
