"""What a command costs: CPU, wall time and memory of it and of every process that it started."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[1]

MEBIBYTE = 1 << 20
# Linux counts in KiB, macOS in bytes.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_SHOWN_OF_A_FAILURE = 4_000


class CommandFailedError(Exception):
    """A command under measurement failed; the text says which, and the end of what it said."""


@dataclass(frozen=True)
class Cost:
    """What one run of a command took.

    Attributes:
        cpu: Seconds of CPU, user and system, of the process and of all that it started and waited for.
        wall: Seconds from start to end.
        peak: Bytes of memory of its largest process at its largest.
    """

    cpu: float
    wall: float
    peak: float


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> tuple[Cost, str]:
    """Run a command to its end.

    A process that starts another hands its own peak of memory on to it, so the caller should be small: it should not
    import what it measures.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        environment: Its whole environment.

    Returns:
        What it took, and what it printed on stdout.

    Raises:
        CommandFailedError: It ended with another code than 0.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=complained)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        if process.returncode:
            text = complained.read().decode(errors="replace")[-_SHOWN_OF_A_FAILURE:]
            message = f"{' '.join(command)} ended with {process.returncode}:\n{text}"
            raise CommandFailedError(message)
        return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * _MAXRSS_UNIT), said.read().decode()


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the medians of several runs."""
    return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("cpu", "wall", "peak")))


def clean_environment(**settings: str) -> dict[str, str]:
    """Return this environment without settings of the product, but for those given; its packages can be imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHORUS_")}
    # Byte code that may not be kept would be compiled again by every process of every round.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONPATH": str(REPOSITORY)} | settings
