"""What a check is, what it reads and what it says; nothing here knows where the tables lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

Problems = Mapping[str, int]
"""What is wrong and in how many rows; counts and the names of tables and columns, never a value of a row."""


class DayTables(Protocol):
    """The tables of one day as they were written, not as they were meant."""

    day: date

    def schema(self, table: str) -> pl.Schema:
        """Return the columns and types of a table's file."""

    def rows(self, table: str) -> int:
        """Return how many rows a table has."""

    def landed_items(self, table: str) -> int | None:
        """Return how many landed items a table's rows were made of, None where that was not written down."""

    def frame(self, table: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of a whole table."""

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Return some columns of a table a piece at a time, in the file's order."""


@dataclass(frozen=True)
class Verdict:
    """What one check found in one day.

    Attributes:
        check: The check's name.
        table: The table that the check speaks of.
        passed: Whether nothing is wrong.
        rows: How many rows offend; for totals, how many totals differ.
        detail: What is wrong in words, without personal data; empty where nothing is.
    """

    check: str
    table: str
    passed: bool
    rows: int
    detail: str


@dataclass(frozen=True)
class Check:
    """A rule that a day must keep to be published.

    Attributes:
        name: Short name, unique among the checks.
        table: The table it speaks of; of several, the one that comes first.
        description: The rule in one sentence.
        find: Finds what breaks the rule; problems with a count of 0 are none.
    """

    name: str
    table: str
    description: str
    find: Callable[[DayTables], Problems]

    def verdict(self, tables: DayTables) -> Verdict:
        """Judge one day.

        Args:
            tables: The day as it was written.

        Returns:
            The verdict. Whatever goes wrong while the tables are read is raised as it is: a day that cannot be judged
            has not passed.
        """
        problems = {what: rows for what, rows in self.find(tables).items() if rows}
        detail = "; ".join(f"{what}: {rows}" for what, rows in problems.items())
        return Verdict(self.name, self.table, not problems, sum(problems.values()), detail)
