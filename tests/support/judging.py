"""Judges what readers of a lake that is rewritten meanwhile saw, by the record of its commits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.guide import ROOT
from tests.support.rewriting import OF_NUMBERS, RewrittenLake, Seen, read_record

FOLLOWING = ("duckdb catalog", "duckdb manifest", "polars manifest", "pyarrow manifest")
"""Readers that follow the catalog or the manifest."""
CAREFUL = (
    "duckdb catalog held open",
    "duckdb glob, open_days",
    "polars glob, open_days",
    "pyarrow glob, open_days",
    "duckdb glob, unchanged",
)
"""A catalog that is never closed, and globs by the guide's recipes."""
BARE = ("duckdb glob, bare", "polars glob, bare", "pyarrow glob, bare")
"""Globs without any care, which promise nothing: what the recipes are there for."""


_PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.support.reading import main; main(*sys.argv[1:])"


@dataclass
class Tally:
    """What came of one reader's reads.

    Attributes:
        way: Library and way of reading.
        reads: How many.
        errors: Reads that failed, or were never made since the process ended before.
        impossible: Reads with a table and day that no commit ever held, or that lack one.
        mixtures: Reads that match no commit, or another than they say, though all their days and tables did exist.
        retries: How often reads were tried again.
        seconds: Of all reads together.
        longest: Seconds of the longest read.
        rewrites: How many commits were seen from the first to the last read.
        examples: What the errors said.
    """

    way: str
    reads: int = 0
    errors: int = 0
    impossible: int = 0
    mixtures: int = 0
    retries: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    rewrites: int = 0
    examples: Counter[str] = field(default_factory=Counter)

    @property
    def promises_one_moment(self) -> bool:
        """Say whether a mixture breaks a promise: globs do not promise tables and days of one commit."""
        return "glob" not in self.way

    @property
    def failures(self) -> int:
        """Count what should never have been."""
        return self.errors + self.impossible + (self.mixtures if self.promises_one_moment else 0)


def watched(lake: RewrittenLake, reads: Mapping[str, int], tell: Callable[[], None] = lambda: None) -> list[Tally]:
    """Rewrite a lake as fast as possible while readers read, and judge what they saw.

    Args:
        lake: The lake; it is rewritten once before the readers start.
        reads: How often to read, by way.
        tell: Called after each commit.
    """
    folder = lake.record.parent
    lake.rewrite()
    with ExitStack() as stack:
        readers = {way: stack.enter_context(_reader(lake, way, number)) for way, number in reads.items()}
        try:
            while any(reader.poll() is None for reader in readers.values()):
                lake.rewrite()
                tell()
        except BaseException:
            for reader in readers.values():
                reader.kill()
            raise
    commits = read_record(lake.record)
    return [judge(way, number, _observations(folder, way), commits) for way, number in reads.items()]


def _observations(folder: Path, way: str) -> Path:
    return folder / f"{re.sub(r'[^a-z]+', '-', way)}.jsonl"


def _reader(lake: RewrittenLake, way: str, reads: int) -> subprocess.Popen[bytes]:
    folder = lake.record.parent
    words = [sys.executable, "-c", _PROGRAM, way, str(reads), str(len(lake.days)), str(_observations(folder, way))]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)


def judge(way: str, wanted: int, observations: Path, commits: Mapping[int, Seen]) -> Tally:
    """Compare every read with the record; reads that were wanted and never made are errors."""
    found = Tally(way)
    held = _by_table_and_day(commits)
    newest: list[int] = []
    for line in observations.read_text().splitlines() if observations.exists() else ():
        read = json.loads(line)
        found.reads += 1
        found.seconds += read["seconds"]
        found.longest = max(found.longest, read["seconds"])
        if "error" in read:
            found.errors += 1
            found.examples[read["error"]] += 1
        elif not _did_exist(read["seen"], held, commits[1]):
            found.impossible += 1
            found.examples[f"impossible: {read['seen']}"[:300]] += 1
        else:
            found.retries += read["retries"]
            newest.append(_newest(read["seen"]))
            # A glob names no commit, but its reads can only be of the one that wrote the newest of what they saw.
            of_commit = commits[newest[-1] if read["generation"] is None else read["generation"]]
            found.mixtures += not _agree(read["seen"], of_commit)
    found.errors += wanted - found.reads
    found.rewrites = max(newest) - min(newest) if newest else 0
    return found


def _newest(seen: Seen) -> int:
    """Return the greatest number of a commit in what was seen."""
    return max(int(facts[2]) for days in seen.values() for facts in days.values())


def _agree(seen: Seen, commit: Seen) -> bool:
    return all(facts == commit[table][day][: len(facts)] for table, days in seen.items() for day, facts in days.items())


def _by_table_and_day(commits: Mapping[int, Seen]) -> dict[tuple[str, str], set[tuple[int | str, ...]]]:
    """Return all facts that were ever true of a table and day, with and without those of the texts."""
    held: dict[tuple[str, str], set[tuple[int | str, ...]]] = {}
    for seen in commits.values():
        for table, days in seen.items():
            for day, facts in days.items():
                held.setdefault((table, day), set()).update({tuple(facts), tuple(facts[:OF_NUMBERS])})
    return held


def _did_exist(seen: Seen, held: Mapping[tuple[str, str], set[tuple[int | str, ...]]], whole: Seen) -> bool:
    """Whether all tables and days are there, each as some commit held it."""
    wanted = {table: days.keys() for table, days in whole.items()}
    return {table: days.keys() for table, days in seen.items()} == wanted and all(
        tuple(facts) in held[table, day] for table, days in seen.items() for day, facts in days.items()
    )
