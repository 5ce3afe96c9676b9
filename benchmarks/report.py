"""How the benchmark speaks: plain tables on stdout, news on stderr."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A figure that should not be above another."""

    name: str
    measured: float
    most: float

    def row(self) -> list[str]:
        """Return the bar as a row of a table."""
        verdict = "met" if self.measured <= self.most else "MISSED"
        return [self.name, f"{self.measured:.2f}", f"{self.most:g}", verdict]


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as an aligned text table, all but the first column to the right."""
    lines = [list(heading), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]

    def aligned(line: Sequence[str]) -> str:
        first, *others = zip(line, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([aligned(heading), rule, *(aligned(row) for row in rows), ""])


def say(news: str) -> None:
    """Print a line of news."""
    print(news, file=sys.stderr, flush=True)


def heading(what: str) -> str:
    """Return what was measured, and on what kind of machine."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{what}; Python {platform.python_version()}, {os.cpu_count()} processors, load {load} at the end\n"
