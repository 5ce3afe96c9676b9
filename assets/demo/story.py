"""What the demo prints: headings, tables and runs on stdout, and what is running on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.cli.console import printable, say

_WIDTH: Final = 100
_INDENT: Final = 3


class Story:
    """Prints a demo, part by part."""

    def __init__(self) -> None:
        self._out = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
        self._part = 0

    def part(self, title: str, text: str = "") -> None:
        """Begin a part, with its number."""
        self._part += 1
        self._out.print(Text(f"\n{self._part}. {title}", style="bold cyan"))
        if text:
            self.show(Text(text))

    def show(self, what: RenderableType, *, above: int = 0, indent: int = _INDENT) -> None:
        """Print a text or a table, wrapped to the width and indented."""
        self._out.print(Padding(what, (above, 0, 0, indent), expand=False))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table whose first column is text; a column whose heading begins with `>` has numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for position, name in enumerate(columns):
            number = name.startswith(">")
            table.add_column(name.removeprefix(">"), justify="right" if number else "left", no_wrap=not position)
        for row in rows:
            table.add_row(*("" if value is None else printable(str(value)) for value in row))
        self.show(table)

    def run(self, job: str, days: str, seconds: float, steps: Sequence[tuple[str, float]]) -> None:
        """Print a run of Dagster that succeeded, and below it its steps if there are several."""
        line = Text("✓ ", "green").append(f"{job:<14}", "bold default")
        self.show(line.append(f"{seconds:6.1f} s  {days}", "default"))
        if len(steps) > 1:
            self.show(Text(" · ".join(f"{name} {took:.1f}" for name, took in steps), "dim"), indent=_INDENT + 2)

    def command(self, command: str, purpose: str) -> None:
        """Print a command to copy, below what it is for; it is not wrapped, since it could not be copied then."""
        self.show(Text(purpose, style="dim"))
        self._out.print(Text(f"{' ' * (_INDENT + 2)}{command}", style="bold"), soft_wrap=True)


@contextmanager
def running(title: str) -> Iterator[None]:
    """Show for a block that something is running."""
    log = Console(stderr=True)
    if not log.is_terminal:
        say(f"   {title} …")
        yield
        return
    with log.status(title):
        yield
