"""Runs of the real program in processes of their own, which can be killed at any moment of their lives.

A process is started before it is needed: it imports what the program uses, says so, and waits for the word to begin.
So a kill falls into the program's work and never only into its imports, and nothing waits for a start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_WAIT = 120


class Run:
    """One run of the command line, waiting to begin."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start the process.

        Args:
            folder: Where it runs.
            environment: Its settings, over this process's environment.
        """
        self._said = folder / "said.txt"
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.waiting_program"],
                cwd=folder,
                env={**os.environ, **environment, "PYTHONPATH": str(_REPOSITORY)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
                text=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, *words: str) -> None:
        """Let it run a command."""
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        assert self._process.stdout.readline() == "ready\n", self.said()
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self, *, alone: bool = False) -> None:
        """Kill it as the operating system would, with the processes that it started unless it is to die alone."""
        if alone:
            self._process.kill()
        else:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_WAIT)

    def code(self) -> int:
        """Its exit code, after its end."""
        return self._process.wait(_WAIT)

    def left_others(self) -> bool:
        """Whether processes that it started outlive it."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def said(self) -> str:
        """What the runs in its folder said on stderr."""
        return self._said.read_text()

    def close(self) -> None:
        """Let go of it, and of everything that it started."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
