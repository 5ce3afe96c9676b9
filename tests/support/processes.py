"""Long-running programs for tests: started with a log, awaited, told to stop, and gone with everything they started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
PATIENCE = 180.0


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own; at the end it is told to stop, and so is what it left behind.

    Args:
        command: The program and its arguments.
        log: Where its output goes.
        environment: What it finds in its environment besides the test's own.
        options: What else Popen takes.
    """
    with ExitStack() as stack:
        output = stack.enter_context(log.open("ab"))
        process = subprocess.Popen(
            # A shell that starts the tests in the background has them, and so their children, ignore Ctrl-C.
            ["env", "--default-signal=INT,TERM", *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            **options,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], farewell: signal.Signals = signal.SIGTERM) -> None:
    """Tell a program to stop, and wait for it; what is left of its group is killed."""
    if process.poll() is None:
        process.send_signal(farewell)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=60)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def left_of(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process of a program's group is still there."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Look until there is something to see, and return it; OSError means not yet."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with suppress(OSError):
            if found := look():
                return found
        time.sleep(0.25)
    pytest.fail(f"not seen in {patience:.0f} seconds: {what}")
