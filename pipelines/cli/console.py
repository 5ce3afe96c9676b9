"""What commands print: results on stdout, progress on stderr, for people at a terminal and for programs in a pipe.

rich is imported where it is used, so that a command that prints JSON, or fails, does not wait for it.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from datetime import time as clock_time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from pipelines.workflows.build import Step

_SECONDS_BETWEEN_LINES: Final = 10.0
# A pipe has no width: a table cut at 80 columns would lose what the next program searches for.
_NO_WIDTH: Final = 100_000
# Calls carry text of unknown people. Control characters in it could change what the terminal shows.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Day(click.DateTime):
    """An option that takes a day, such as 2026-01-31."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the day as a date."""
        return super().convert(value, param, ctx).date()


def say(line: str) -> None:
    """Print one line on stderr."""
    click.echo(printable(line), err=True)


def printable(text: str) -> str:
    """Show control characters other than tab and line feed as the replacement character."""
    return _CONTROL.sub("\ufffd", text)


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Step]:
    """Show the progress of a long step: a bar on a terminal, a plain line every ten seconds elsewhere.

    Yields:
        The function to call with the number of items just finished.
    """
    with _bar(title, total) if sys.stderr.isatty() else _lines(title, total) as step:
        yield step


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows on stdout as an aligned table, numbers right-aligned, null as empty text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = [list(row) for row in rows]
    terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, header_style="bold")
    for position, name in enumerate(columns):
        values = [row[position] for row in listed if row[position] is not None]
        number = bool(values) and all(isinstance(value, int | float) for value in values)
        table.add_column(Text(printable(name)), justify="right" if number else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text("" if value is None else printable(str(value))) for value in row))
    Console(file=sys.stdout, width=None if terminal else _NO_WIDTH, soft_wrap=not terminal).print(table)


def print_json(value: Any) -> None:
    """Print a value on stdout as JSON; dates, times and paths become text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: dates and times as text, UTC instants with Z at the end, NaN as null."""
    if isinstance(value, datetime | date | clock_time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    return value


def size(number: int) -> str:
    """Return a number of bytes as text, such as 1.2 MB."""
    from rich.filesize import decimal

    return decimal(number)


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)

        def step(done: int = 1, *, total: int | None = None) -> None:
            bar.update(task, advance=done, total=total)

        yield step


@contextmanager
def _lines(title: str, total: int | None) -> Iterator[Step]:
    begun = last_line = time.monotonic()
    count, expected = 0, total

    def line() -> str:
        return f"{title}: {count:,}" if expected is None else f"{title}: {count:,} of {expected:,}"

    def step(done: int = 1, *, total: int | None = None) -> None:
        nonlocal count, expected, last_line
        count += done
        expected = expected if total is None else total
        if time.monotonic() - last_line >= _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            say(line())

    yield step
    say(f"{line()} ({time.monotonic() - begun:.1f} s)")
