"""A lake whose days are rewritten again and again, through the product's own steps, in a way that every read betrays.

Every row of a version carries the number of the commit that wrote it, as a number and in its text; how many rows there
are and how long the texts depend on it too. So what a reader counts, sums and measures names the commit it saw, and a
mixture of two matches none. What each commit is stands in a record before it is made.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
        folder: Where the lake and the record lie; the lake is empty.
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
        """Write one day or two anew, all the first time, publish them in one commit, and clean up."""
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
