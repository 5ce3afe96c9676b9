"""A lake whose days are rewritten again and again by the product's own steps, and checks of what readers saw meanwhile.

Every row of a version carries the number of the commit that wrote it, as a number and in its text; how many rows there
are and how long the texts depend on it too. So what a reader counts, sums and measures names the commit it saw, and a
mixture of two matches none. Each commit is recorded before it is made.
"""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from pipelines.dictionary import TABLES
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import identity, layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import Build, publish
from pipelines.lake.tables import write_table
from pipelines.lake.versions import write_audit
from pipelines.serve.catalog import DuckDBCatalog
from tests.support.guide import ROOT
from tests.support.small_lake import SETTINGS

FIRST_DAY = date(2026, 1, 5)


class Marks(NamedTuple):
    """Where a table carries its commit: in a number and in a text, of about so many rows."""

    number: str
    text: str
    rows: int


MARKED: Mapping[str, Marks] = MappingProxyType(
    {
        "calls": Marks("version_count", "summary", 3_000),
        "transcript_turns": Marks("turn_index", "content", 24_000),
        "call_metrics_daily": Marks("calls", "agent_id", 40),
    }
)
LARGE = ("calls", "transcript_turns")
"""Tables whose files are large; a mart is small, as marts are."""

LETTERS_A_BYTE = 4 / 3
"""Of random base64, which no compression makes smaller than what it encodes."""
_LEAST_OF_A_ROW = 400
"""So many bytes has a row of a large file at least, so that small ones for tests have few rows."""
_PARTS = 3
"""So many row groups has a large file."""

Facts = list[int | str]
"""What is read of a table and day: rows; least, greatest and sum of the numbers; letters, first and last mark."""
OF_NUMBERS = 4
"""So many facts are of the rows and numbers, which a read that leaves the texts out says alone."""
Seen = dict[str, dict[str, Facts]]
"""Facts by table and day."""


@dataclass(frozen=True)
class Contents:
    """What a commit writes for a table and day."""

    rows: int
    letters: int
    commit: int

    @property
    def facts(self) -> Facts:
        mark = f"{self.commit:08d}"
        return [self.rows, self.commit, self.commit, self.rows * self.commit, self.rows * self.letters, mark, mark]


class RewrittenLake:
    """The lake `data/lake` below a folder, its record of commits, and how it is rewritten.

    Args:
        folder: The folder of the lake and the record; the lake is empty.
        days: How many days it has.
        size: About how many bytes a large file has.
        keep: How long versions are kept.
        seed: What is rewritten when.
    """

    def __init__(self, folder: Path, *, days: int, size: int, keep: timedelta, seed: int = 0) -> None:
        self.days = [FIRST_DAY + timedelta(days=number) for number in range(days)]
        self.storage = LocalStorage(folder / "data/lake")
        identity.require_same_settings(self.storage, SETTINGS)
        self.catalog = DuckDBCatalog(Path(self.storage.address(layout.CATALOG)), self.storage)
        self.record = folder / "commits.jsonl"
        self.commits = 0
        self.versions_removed = 0
        self.most_bytes = 0
        self._size = size
        self._keep = keep
        self._chance = random.Random(seed)
        self._pool = base64.b64encode(self._chance.randbytes(size + size // 8 + 8_192)).decode()
        self._published: dict[date, int] = {}

    def rewrite(self) -> None:
        """Rewrite one day or two, all the first time, publish them in one commit, and clean up."""
        some = self._chance.sample(self.days, self._chance.randint(1, 2))
        days = sorted(some if self.commits else self.days)
        commit = self.commits + 1
        self._published |= dict.fromkeys(days, commit)
        self._write_record(commit)
        manifest = state.load_manifest(self.storage).value
        builds = {}
        for day in days:
            base = manifest.days[day].version if day in manifest.days else None
            builds[day] = Build(f"{commit:024x}", base)
            self._write_version(day, builds[day].version, commit)
        done = publish(self.storage, SETTINGS, builds, self.catalog)
        assert done.published == days
        self.commits = commit
        assert state.load_manifest(self.storage).value.generation == commit
        self.most_bytes = max(self.most_bytes, sum(file.size for file in self.storage.list("days")))
        self.versions_removed += reconcile(self.storage, self.catalog, self._keep).versions_removed

    def _write_record(self, commit: int) -> None:
        seen = {
            table: {str(day): self._contents(table, by).facts for day, by in self._published.items()}
            for table in MARKED
        }
        with self.record.open("a") as file:
            file.write(json.dumps({"commit": commit, "seen": seen}) + "\n")

    def _contents(self, table: str, commit: int) -> Contents:
        rows = MARKED[table].rows
        if table not in LARGE:
            return Contents(rows=rows + commit % 23, letters=60 + commit % 7, commit=commit)
        rows = min(rows, self._size // _LEAST_OF_A_ROW)
        letters = int(self._size * LETTERS_A_BYTE / rows)
        return Contents(rows=rows + commit % 23, letters=letters + 8 + commit % 7, commit=commit)

    def _write_version(self, day: date, version: str, commit: int) -> None:
        for table in TABLES:
            with write_table(self.storage, day, version, table) as writer:
                for part in self._parts(table, commit):
                    writer.write(part)
        write_audit(self.storage, day, version, 1, [])

    def _parts(self, table: str, commit: int) -> Iterator[pa.Table]:
        schema = arrow_schema(table)
        if table not in MARKED:
            yield schema.empty_table()
            return
        contents = self._contents(table, commit)
        parts = _PARTS if table in LARGE else 1
        for part in range(parts):
            yield _rows(schema, table, contents, self._texts(contents, range(part, contents.rows, parts)))

    def _texts(self, contents: Contents, numbers: range) -> list[str]:
        mark, length = f"{contents.commit:08d}", contents.letters - 8
        last = len(self._pool) - length
        begin = self._chance.randrange(last)
        return [mark + self._pool[at : at + length] for at in ((begin + n * length) % last for n in numbers)]


def _rows(schema: pa.Schema, table: str, contents: Contents, texts: list[str]) -> pa.Table:
    number, text, _ = MARKED[table]
    known = {number: pa.array([contents.commit] * len(texts), pa.int64()), text: pa.array(texts, pa.string())}
    columns = [known[field.name] if field.name in known else pa.nulls(len(texts), field.type) for field in schema]
    return pa.table(columns, schema=schema)


def read_record(path: Path) -> Mapping[int, Seen]:
    """Return what readers must see after each commit."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["commit"]: line["seen"] for line in lines}


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


_PROGRAM = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    "from tests.support.reader_programs import main; main(*sys.argv[1:])"
)


@dataclass
class Tally:
    """The results of one reader's reads.

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


def watched(lake: RewrittenLake, reads: Mapping[str, int], on_commit: Callable[[], None] = lambda: None) -> list[Tally]:
    """Rewrite a lake as fast as possible while readers read, and check what they saw.

    Args:
        lake: The lake; it is rewritten once before the readers start.
        reads: How often to read, by way.
        on_commit: Called after each commit.
    """
    folder = lake.record.parent
    lake.rewrite()
    with ExitStack() as stack:
        readers = {way: stack.enter_context(_reader(lake, way, number)) for way, number in reads.items()}
        try:
            while any(reader.poll() is None for reader in readers.values()):
                lake.rewrite()
                on_commit()
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
    """Return whether all tables and days are there, each as some commit held it."""
    wanted = {table: days.keys() for table, days in whole.items()}
    return {table: days.keys() for table, days in seen.items()} == wanted and all(
        tuple(facts) in held[table, day] for table, days in seen.items() for day, facts in days.items()
    )
