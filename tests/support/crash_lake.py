"""A tiny lake that is restored to one state again and again, for runs that fail at every possible step.

The clock of landing and random names are fixed, so that two runs that do the same leave the same bytes.

`python -m tests.support.crash_lake STEP COMMAND...` runs the command line and is killed by the system at one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.cli.main import main
from pipelines.extract import sync as extraction
from pipelines.extract.landing.landing import Landing
from pipelines.lake.maintenance import compaction
from pipelines.materialize import processes
from pipelines.privacy import rewrite
from pipelines.simulator import SimulatedApi
from pipelines.suppression import suppression_list
from tests.support import lake_contents
from tests.support.faulty_disk import NEEDS_SPACE, Fault, FaultyDisk, KilledError, Step
from tests.support.lake_contents import Readers
from tests.support.simulated import KEY

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)
KILLED = -9
_REPOSITORY = Path(__file__).resolve().parents[2]
_RANDOM = re.compile(r"(?<=\.)[0-9a-f]{12}(?=\.tmp|$)")
"""The random part of the name of an unfinished file."""


def _call(name: str, day: int, **fields: Any) -> bytes:
    call = {
        "id": name,
        "organizationId": "organisation",
        "agentId": "agent",
        "direction": "inbound",
        "status": "completed",
        "durationSeconds": 61,
        "cost": 0.1,
        "createdAt": f"2026-03-0{day}T10:00:00Z",
        **fields,
    }
    return json.dumps(call).encode()


_LEG = {"id": "leg", "transferStatus": "completed", "durationSeconds": 5}
_FIRST = [_call("one", 1), _call("two", 2, transferCalls=[_LEG])]
BEFORE = [*_FIRST, _call("three", 3)]
AFTER = [*_FIRST, _call("three", 3, analysis={"summary": "A friendly call."}), _call("four", 3)]
"""Day 3 has a call that changed and one that is new; the other days stay as they are."""


@dataclass
class Ended:
    """How a run ended; the code is KILLED where it was killed."""

    code: int
    err: str
    disk: FaultyDisk


def make_deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make two runs that do the same leave the same files: one process, a fixed clock, fixed names."""
    monkeypatch.setattr(processes, "_processors", lambda: 1)
    chance = SimpleNamespace(token_hex=lambda _: "name", token_bytes=bytes)
    for module in (extraction, compaction, suppression_list, rewrite):
        monkeypatch.setattr(module, "secrets", chance)
    monkeypatch.setitem(Landing.__init__.__kwdefaults__, "clock", lambda: NOW)


class CrashLake:
    """The lake, and the state that it is restored to."""

    def __init__(self, folder: Path, before: str, after: str) -> None:
        """Take the addresses of the API as it was and as it is."""
        self.lake = folder / "lake"
        self._kept = folder / "kept"
        self._before = before
        self._after = after

    def prepare(self, monkeypatch: pytest.MonkeyPatch, *, small_files: int = 7) -> None:
        """Make the lake: published, with several small raw files of the day that will change."""
        settings = {
            "CHORUS_API_KEY": KEY,
            "CHORUS_LAKE": str(self.lake),
            "CHORUS_PII_KEY": "a pii key for tests only",
            "CHORUS_RETRY_SECONDS": "0",
            "CHORUS_KEEP_VERSIONS_HOURS": "0",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(self.lake.parent)
        make_deterministic(monkeypatch)
        for number in range(small_files):
            with SimulatedApi(items=[*_FIRST, _call("three", 3, cost=number)], key=KEY) as api:
                build = number == small_files - 1  # leaves a version that is not published any more
                assert self.run(f"sync --full{'' if build else ' --no-build'}", url=api.url).code == 0
        assert self.run("sync --full", url=self._before).code == 0
        self.keep()

    def keep(self) -> None:
        """Keep the present state as the one to restore."""
        if self._kept.exists():
            shutil.rmtree(self._kept)
        shutil.copytree(self.lake, self._kept, copy_function=os.link)

    def restore(self, *, raw_alone: bool = False) -> None:
        """Restore the lake, or only raw and state.

        Files are linked, not copied, since no file of a lake is ever written in place.
        """
        shutil.rmtree(self.lake)
        if raw_alone:
            for name in ("raw", "state"):
                shutil.copytree(self._kept / name, self.lake / name, copy_function=os.link)
        else:
            shutil.copytree(self._kept, self.lake, copy_function=os.link)

    def run(self, command: str, disk: FaultyDisk | None = None, *, url: str | None = None) -> Ended:
        """Run a command on a disk that may be faulty."""
        disk = disk or FaultyDisk()
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            patch.setenv("CHORUS_API_URL", url or self._after)
            disk.take_over(patch)
            try:
                code = main(command.split())
            except KilledError:
                code = KILLED
        return Ended(code, said.getvalue(), disk)

    def die(self, command: str, at: int) -> int:
        """Run a command in a process of its own that is killed for real at a step; returns how it ended."""
        program = [sys.executable, "-m", "tests.support.crash_lake", str(at), *command.split()]
        environment = {**os.environ, "CHORUS_API_URL": self._after, "PYTHONPATH": str(_REPOSITORY)}
        return subprocess.run(program, env=environment, capture_output=True, check=False, timeout=120).returncode

    def content(self) -> dict[str, str]:
        """Return every file with the hash of its bytes, and every folder, except records of runs."""
        found = {}
        for path in sorted(self.lake.rglob("*")):
            name = _RANDOM.sub("", path.relative_to(self.lake).as_posix())
            if name.startswith(("state/locks/", "state/scan", "state/no_scans")) or path.name == ".tmp":
                continue
            found[name] = "" if name == "chorus.duckdb" else hashlib.sha256(self._plain(path)).hexdigest()
        return found

    @staticmethod
    def _plain(path: Path) -> bytes:
        if path.name != "manifest.json":
            return path.read_bytes() if path.is_file() else b""
        manifest = lake_contents.state(path.parent, path.name)
        versions = {day: known["version"] for day, known in manifest["days"].items()}
        return json.dumps([versions, sorted(manifest["unreferenced"])]).encode()


@contextlib.contextmanager
def crash_lake(
    folder: Path, *, before: Sequence[bytes] = BEFORE, after: Sequence[bytes] = AFTER, **options: Any
) -> Iterator[CrashLake]:
    """Give a lake with its two APIs running, as they list calls before and after."""
    with ExitStack() as stack:
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        urls = [stack.enter_context(SimulatedApi(items=items, key=KEY)).url for items in (before, after)]
        made = CrashLake(folder, *urls)
        made.prepare(monkeypatch, **options)
        yield made


Disk = frozenset[tuple[str, int]]

_NAMES = re.compile(r"[0-9a-f]{12,}|\d{4}-\d\d-\d\d|\d{8}T\w+|\w+(?=\.parquet|/call_date)")


class ReferenceRun:
    """A run in which nothing fails, with what readers see before each of its steps.

    Attributes:
        steps: Its steps.
        disks: The files on the disk before each of them.
        states: The states that readers saw, from the one before the run to the one after it: the version of each day.
        content: What is on the disk after it and an ordinary run.
    """

    def __init__(
        self, lake: CrashLake, command: str, *, repaired_by: str = "sync --full", raw_alone: bool = False
    ) -> None:
        """Run a command.

        Args:
            lake: The lake.
            command: The command.
            repaired_by: The command that repairs the lake, wherever this one failed.
            raw_alone: Start with raw and state alone.
        """
        self._lake, self.command, self._repaired_by, self._raw_alone = lake, command, repaired_by, raw_alone
        self.disks: list[Disk] = []
        readers = Readers(lake.lake)

        def observe() -> None:
            readers.observe()
            self.disks.append(_disk(lake.lake))

        self.restore()
        readers.observe()
        ended = lake.run(command, FaultyDisk(before_each=observe))
        assert ended.code == 0, ended.err
        readers.observe()
        self.steps: list[Step] = ended.disk.steps
        self.states = list(readers.generations.values())
        self.content = self.repaired()

    def restore(self) -> None:
        """Bring the lake back to what it was before."""
        self._lake.restore(raw_alone=self._raw_alone)

    def repaired(self) -> dict[str, str]:
        """Repair the lake by one ordinary run, and return what is on the disk."""
        ended = self._lake.run(self._repaired_by)
        assert ended.code == 0, ended.err
        Readers(self._lake.lake).observe()
        return self._lake.content()

    def points(self, fault: Fault) -> list[int]:
        """Return the steps to fail at, where each differs from those before it.

        For a kill only steps that change a name or a file matter: the others leave what the step before them left. Of
        the many writes to one file, the first and the last are enough.
        """
        if fault is Fault.KILL:
            return [0, *(n for n in range(1, len(self.steps)) if self.disks[n] != self.disks[n - 1])]
        return [
            number for number, step in enumerate(self.steps) if _may_strike(fault, step) and not self._is_amid(number)
        ]

    def sample(self, fault: Fault) -> Iterator[int]:
        """Yield the last of the points that do the same with another table, day or name."""
        kinds: dict[tuple[str, str], list[int]] = {}
        for point in self.points(fault):
            step = self.steps[point]
            kinds.setdefault((step.function, _NAMES.sub("*", str(step.path))), []).append(point)
        yield from sorted(points[-1] for points in kinds.values())

    def _is_amid(self, number: int) -> bool:
        around = self.steps[max(number - 1, 0) : number + 2]
        return len(around) == 3 and len(set(around)) == 1 and around[0].function == "write"


def _may_strike(fault: Fault, step: Step) -> bool:
    """A full disk refuses what needs space; permission is asked for names, not for writing to what is open."""
    return step.function in NEEDS_SPACE if fault is Fault.FULL else step.function != "write"


def _disk(lake: Path) -> Disk:
    """Return every file by name and identity; unfinished ones are alike, however much of them is written."""
    paths = (path for path in lake.rglob("*") if "locks" not in path.parts)
    return frozenset((str(path.relative_to(lake)), path.stat().st_ino if path.is_file() else 0) for path in paths)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patched:
        make_deterministic(patched)
        FaultyDisk(Fault.DIE, int(sys.argv[1])).take_over(patched)
        sys.exit(main(sys.argv[2:]))
