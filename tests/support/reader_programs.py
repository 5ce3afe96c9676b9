"""Readers of a lake, each a process of its own, that write down what every read saw.

In the folder with `data/lake`; those of the manifest and of globs use the functions of the readers' guide as they are
there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from tests.support.guide import functions_of_the_guide
from tests.support.rewritten_lake import FIRST_DAY, MARKED, Facts, Seen

LAKE = Path("data/lake")
HIVE = ds.partitioning(pa.schema([("call_date", pa.date32())]), flavor="hive")


@dataclass(frozen=True)
class Question:
    """What is asked of a table: facts of its numbers by day, and those of its texts too on one day or none."""

    table: str
    texts_of: date | None

    @property
    def number(self) -> str:
        return MARKED[self.table].number

    @property
    def text(self) -> str:
        return MARKED[self.table].text


Questions = Sequence[Question]
Read = tuple[int | None, Seen, int]
"""The generation that was read, None where the way has none, what was seen, and how often it was tried again."""
Way = Callable[[Questions], Read]


def questions(turn: int, days: int) -> Questions:
    """Ask all tables for their numbers, and in turn one of them for the texts of one day: they are what takes time."""
    day, table = divmod(turn % (days * len(MARKED)), len(MARKED))
    asked = list(MARKED)[table]
    return [Question(name, FIRST_DAY + timedelta(days=day) if name == asked else None) for name in MARKED]


def by_day(numbers: Sequence[Sequence[Any]], texts: Sequence[Sequence[Any]] = ()) -> dict[str, Facts]:
    found = {str(day): list(facts) for day, *facts in numbers}
    for day, *facts in texts:
        found[str(day)] += facts
    return found


def in_duckdb(connection: duckdb.DuckDBPyConnection, asked: Question, source: str, *files: Any) -> dict[str, Facts]:
    def select(facts: str, where: str = "") -> list[tuple[Any, ...]]:
        return connection.execute(f"SELECT call_date, {facts} FROM {source} {where} GROUP BY ALL", files).fetchall()

    number, text = asked.number, asked.text
    numbers = select(f"count(*), min({number}), max({number}), CAST(sum({number}) AS BIGINT)")
    if asked.texts_of is None:
        return by_day(numbers)
    letters = f"CAST(sum(strlen({text})) AS BIGINT), min(left({text}, 8)), max(left({text}, 8))"
    return by_day(numbers, select(letters, f"WHERE call_date = DATE '{asked.texts_of}'"))


def in_polars(asked: Question, rows: pl.LazyFrame) -> dict[str, Facts]:
    def select(rows: pl.LazyFrame, *facts: pl.Expr) -> list[tuple[Any, ...]]:
        return rows.group_by("call_date").agg(*facts).collect().rows()

    number, text, marks = pl.col(asked.number), pl.col(asked.text), pl.col(asked.text).str.slice(0, 8)
    least, most = number.min().alias("least"), number.max().alias("most")
    numbers = select(rows, pl.len(), least, most, number.sum().alias("sum"))
    if asked.texts_of is None:
        return by_day(numbers)
    letters, first, last = text.str.len_bytes().sum().alias("letters"), marks.min().alias("first"), marks.max()
    return by_day(numbers, select(rows.filter(pl.col("call_date") == asked.texts_of), letters, first, last))


def in_pyarrow(asked: Question, data: ds.Dataset) -> dict[str, Facts]:
    def select(columns: dict[str, pc.Expression], *facts: tuple[str, str], day: date | None = None) -> list[Any]:
        only = None if day is None else pc.field("call_date") == day
        rows = data.to_table(columns={"day": pc.field("call_date"), **columns}, filter=only)
        found = rows.group_by("day").aggregate(list(facts))
        names = ["day", *(f"{column}_{function}" for column, function in facts)]
        return list(zip(*(found[name].to_pylist() for name in names), strict=True))

    number, text = pc.field(asked.number), pc.field(asked.text)
    numbers = select({"n": number}, ("n", "count"), ("n", "min"), ("n", "max"), ("n", "sum"))
    if asked.texts_of is None:
        return by_day(numbers)
    texts = {"length": pc.binary_length(text).cast(pa.int64()), "mark": pc.utf8_slice_codeunits(text, 0, 8)}
    return by_day(numbers, select(texts, ("length", "sum"), ("mark", "min"), ("mark", "max"), day=asked.texts_of))


def connected() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(LAKE / "chorus.duckdb"), read_only=True)


def from_catalog(lake: duckdb.DuckDBPyConnection, asked: Questions) -> tuple[int, Seen]:
    lake.begin()
    generation = lake.execute("SELECT generation FROM _lake").fetchall()[0][0]
    seen = {question.table: in_duckdb(lake, question, question.table) for question in asked}
    lake.commit()
    return generation, seen


def opened_catalog(asked: Questions) -> Read:
    with connected() as lake:
        return *from_catalog(lake, asked), 0


class HeldCatalog:
    """Keeps the catalog open until its files are gone, then opens it again, as the guide says."""

    def __init__(self) -> None:
        self._lake: duckdb.DuckDBPyConnection | None = None

    def __call__(self, asked: Questions) -> Read:
        self._lake = self._lake or connected()
        try:
            return *from_catalog(self._lake, asked), 0
        except duckdb.IOException:
            self._lake.close()
            self._lake = connected()
            return *from_catalog(self._lake, asked), 1


def duckdb_files(asked: Question, files: list[str] | str) -> dict[str, Facts]:
    with duckdb.connect() as connection:
        return in_duckdb(connection, asked, "read_parquet($1, hive_partitioning = true)", files)


def polars_files(asked: Question, files: list[str] | str) -> dict[str, Facts]:
    return in_polars(asked, pl.scan_parquet(files, hive_partitioning=True))


def pyarrow_files(asked: Question, files: list[str] | str) -> dict[str, Facts]:
    return in_pyarrow(asked, ds.dataset(files, partitioning=HIVE))


def duckdb_data_set(asked: Question, opened: ds.Dataset) -> dict[str, Facts]:
    with duckdb.connect() as connection:
        connection.register("opened", opened)
        return in_duckdb(connection, asked, "opened")


def glob(table: str) -> str:
    return f"{table}/call_date=*/data.parquet"


def ways() -> Mapping[str, Way]:
    """Return every way of reading: with a generation by catalog and manifest, without one by globs."""
    guide = functions_of_the_guide()
    files, open_days, unchanged = guide["files"], guide["open_days"], guide["unchanged"]

    def manifest(read: Callable[[Question, list[str]], dict[str, Facts]]) -> Way:
        def once(asked: Questions) -> Read:
            present = json.loads((LAKE / "manifest.json").read_text())
            seen = {question.table: read(question, files(present, question.table)) for question in asked}
            return present["generation"], seen, 0

        return once

    def globs(read: Callable[[Question], dict[str, Facts]]) -> Way:
        return lambda asked: (None, {question.table: read(question) for question in asked}, 0)

    def looked_at_again(asked: Questions) -> Read:
        tries = []

        def read(question: Question) -> dict[str, Facts]:
            tries.append(question)
            return duckdb_files(question, str(LAKE / glob(question.table)))

        seen = {
            question.table: unchanged(glob(question.table), lambda question=question: read(question))
            for question in asked
        }
        return None, seen, len(tries) - len(asked)

    return {
        "duckdb catalog": opened_catalog,
        "duckdb catalog held open": HeldCatalog(),
        "duckdb manifest": manifest(duckdb_files),
        "polars manifest": manifest(polars_files),
        "pyarrow manifest": manifest(pyarrow_files),
        "duckdb glob, open_days": globs(lambda asked: duckdb_data_set(asked, open_days(asked.table))),
        "polars glob, open_days": globs(
            lambda asked: in_polars(asked, pl.scan_pyarrow_dataset(open_days(asked.table)))
        ),
        "pyarrow glob, open_days": globs(lambda asked: in_pyarrow(asked, open_days(asked.table))),
        "duckdb glob, unchanged": looked_at_again,
        "duckdb glob, bare": globs(lambda asked: duckdb_files(asked, str(LAKE / glob(asked.table)))),
        "polars glob, bare": globs(lambda asked: polars_files(asked, str(LAKE / glob(asked.table)))),
        "pyarrow glob, bare": globs(lambda asked: pyarrow_files(asked, str(LAKE / asked.table))),
    }


def observe(way: Way, asked: Questions) -> dict[str, Any]:
    """Read once and say what came of it; a panic of polars is no Exception."""
    begun = time.time()
    try:
        generation, seen, retries = way(asked)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
        found = {"error": f"{type(error).__name__}: {error}"[:300]}
    else:
        found = {"generation": generation, "seen": seen, "retries": retries}
    return {**found, "seconds": time.time() - begun}


def main(name: str, reads: str, days: str, observations: str) -> None:
    """Read so many times; each observation is written as soon as it is made."""
    way = ways()[name]
    with Path(observations).open("w", buffering=1) as file:
        file.writelines(json.dumps(observe(way, questions(turn, int(days)))) + "\n" for turn in range(int(reads)))
