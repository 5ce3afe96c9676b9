"""The types of a data quality check: what it reads and reports. Where tables are stored is not its concern."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

Problems = Mapping[str, int]
"""What is wrong, and in how many rows. Contains names of tables and columns and counts, never a value of a row."""


class DayTables(Protocol):
    """The tables of one day as they were written to files."""

    day: date

    def schema(self, table: str) -> pl.Schema:
        """Return the columns and types of a table's file."""

    def rows(self, table: str) -> int:
        """Return how many rows a table has."""

    def landed_items(self, table: str) -> int | None:
        """Return how many landed items a table's rows were made from, None if the file does not record it."""

    def frame(self, table: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of a whole table."""

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield some columns of a table in batches, in the order of the file."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check for one day.

    Attributes:
        passed: Whether nothing is wrong.
        rows: How many rows fail; for totals, how many totals differ.
        detail: What is wrong in words, without personal data; empty if it passed.
    """

    check: str
    table: str
    passed: bool
    rows: int
    detail: str


@dataclass(frozen=True)
class Check:
    """A rule that a day must meet to be published.

    Attributes:
        table: The table it is shown on; if it reads several, the first of them.
        description: The rule in one sentence.
        find: Finds the rows that break the rule; problems with a count of 0 are ignored.
    """

    name: str
    table: str
    description: str
    find: Callable[[DayTables], Problems]

    def run(self, tables: DayTables) -> CheckResult:
        """Check one day.

        Raises:
            Exception: Any error of reading the tables: a day that cannot be read has not passed.
        """
        problems = {what: rows for what, rows in self.find(tables).items() if rows}
        detail = "; ".join(f"{what}: {rows}" for what, rows in problems.items())
        return CheckResult(self.name, self.table, not problems, sum(problems.values()), detail)
