"""Runs of the real program in processes of their own, which can be killed at any moment of their lives.

A process is started before it is needed: it imports what the program uses, says so, and waits for the word to begin.
So a kill falls into the program's work and never only into its imports, and nothing waits for a start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from pipelines.dictionary import TABLES
from pipelines.serve.catalog import read_generation
from tests.support.lake_contents import counted, state, temporary_files, version_folders

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
        """Return its exit code, after its end."""
        return self._process.wait(_WAIT)

    def left_others(self) -> bool:
        """Return whether processes that it started outlive it."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def said(self) -> str:
        """Return what the runs in its folder said on stderr."""
        return self._said.read_text()

    def close(self) -> None:
        """Let go of it, and of everything that it started."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


_PLACES: Mapping[str, str] = MappingProxyType(
    {
        "raw being written": "raw/.tmp/*",
        "raw not counted yet": "raw/calls/*/*",
        "landing log just committed": "state/landed.json",
        "tables being written": "days/.tmp/*",
        "first table there": "days/call_date=*/*",
        "audit there": "days/*/*/_audit.json",
        "manifest just committed": "manifest.json",
        "catalog being made": ".chorus.duckdb.*",
        "catalog just made": "chorus.duckdb",
        "links being updated": "calls/*/data.parquet",
    }
)
PHASES = tuple(_PLACES)
"""Parts of a run that are too short to be met by chance alone."""

NOTHING = "between two writings"

Trace = tuple[str, str]
"""What was under way, and of what."""


def mark(lake: Path, phase: str) -> set[tuple[str, int]]:
    """Something that changes when a run comes to a phase."""
    found = set()
    for path in lake.glob(_PLACES[phase]):
        with suppress(FileNotFoundError):
            found.add((path.name, path.stat().st_ino))
    return found


def traces(lake: Path) -> set[Trace]:
    """Return every unfinished file and version."""
    return set(_unfinished(lake)) | {(_kind(path.relative_to(lake)), str(path)) for path in temporary_files(lake)}


def leftovers(lake: Path) -> list[str]:
    """Everything on the disk that no reader can reach: temporary files, uncounted raw files, unpublished versions."""
    published = set(_published(state(lake, "manifest.json"), lake))
    unpublished = [path for path in version_folders(lake) if path not in published]
    left = [*temporary_files(lake), *_uncounted(lake), *unpublished]
    return [str(path.relative_to(lake)) for path in left]


def histogram(found: Iterable[set[Trace]]) -> str:
    """Into what the kills fell: how many left each kind of trace, a line each."""
    kinds = [{kind for kind, _ in one} or {NOTHING} for one in found]
    counts = Counter(kind for one in kinds for kind in one)
    return "\n".join(f"{kills:5} {kind}" for kind, kills in counts.most_common())


def _kind(path: Path) -> str:
    """Return what a temporary file was to become."""
    if path.name.startswith("chorus.duckdb"):
        return "writing the catalog"
    return "swinging a link" if path.name.startswith("data.parquet") else f"writing in {path.parts[0]}"


def _unfinished(lake: Path) -> Iterator[Trace]:
    manifest = state(lake, "manifest.json")
    for path in _uncounted(lake):
        yield "raw written, not counted", str(path)
    published = set(_published(manifest, lake))
    for folder in set(version_folders(lake)) - published:
        whole = (folder / "_audit.json").exists()
        if whole and str(folder.relative_to(lake)) not in manifest.get("unreferenced", {}):
            yield "version built, not published", str(folder)
        elif not whole:
            yield "version half built", str(folder)
    generation = manifest.get("generation", 0)
    if (read_generation(lake / "chorus.duckdb") or 0) < generation:
        yield "manifest committed, catalog not made", str(generation)
    for folder in published:
        for table in TABLES:
            link = lake / table / folder.parent.name / "data.parquet"
            if not (link.exists() and link.samefile(folder / f"{table}.parquet")):
                yield "manifest committed, links not updated", str(link)
    if cut := state(lake, "state/scan.json").get("cut"):
        yield "pages landed, scan not at its end", str(cut)


def _published(manifest: dict[str, dict[str, dict[str, str]]], lake: Path) -> Iterator[Path]:
    for day, known in manifest.get("days", {}).items():
        yield lake / f"days/call_date={day}/{known['version']}"


def _uncounted(lake: Path) -> list[Path]:
    return sorted(set((lake / "raw").rglob("*.parquet")) - counted(lake, "calls") - counted(lake, "rejected"))
