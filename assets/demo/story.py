"""How the demo tells what happens: headings and tables on stdout, what is under way on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from assets.demo.place import FOLDER
from assets.demo.world import LivingWorld
from pipelines.cli.console import say
from pipelines.cli.serve import agent_name, chat, heading
from pipelines.dictionary import TABLES

if TYPE_CHECKING:  # what these import looks at the environment, which is not the demo's yet
    from assets.demo.answers import AgentRow
    from assets.demo.runs import RunNews, SyncNews
    from pipelines.serve.conversation import Conversation


_WIDTH: Final = 100
_INDENT: Final = 3


class Story:
    """Tells a demo, part by part."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self._out = Console(file=sys.stdout, width=None if terminal else _WIDTH, highlight=False)
        self._part = 0

    def part(self, title: str, text: str = "") -> None:
        """Begin a part."""
        self._part += 1
        self._out.print(Text(f"\n{self._part}. {title}", style="bold cyan"))
        if text:
            self.text(text)

    def text(self, text: str) -> None:
        """Say something, wrapped to the width."""
        self._out.print(Padding(Text(text), (0, 0, 0, _INDENT), expand=False))

    def company(self, world: LivingWorld, api_url: str, *, again: bool) -> None:
        """Introduce the company whose calls these are."""
        self.part(
            "A simulated company",
            f"It has made and taken calls since {world.founding.first_day}, and its clock is at "
            f"{world.now:%A %Y-%m-%d %H:%M} UTC. {world.size:,} calls and transfer legs are served at {api_url}/calls "
            f"as the Chorus API would serve them. Everything is kept in {FOLDER}"
            f"{', where an earlier demo has filled the lake' if again else ''}.",
        )

    @contextmanager
    def working(self, title: str) -> Iterator[None]:
        """Show that something is under way, and for how long."""
        if not sys.stderr.isatty():
            say(f"   {title} …")
            yield
            return
        columns = (TextColumn("  "), SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            bar.add_task(title, total=None)
            yield

    def run(self, news: RunNews) -> None:
        """Tell of a run of Dagster, and below it of its steps where there are several."""
        line = Text(" " * _INDENT)
        line.append("✓ ", "green").append(f"{news.job:<14}", "bold").append(f"{news.seconds:6.1f} s  ")
        line.append(_days(news.days))
        self._out.print(line)
        if len(news.steps) > 1:
            steps = " · ".join(f"{name} {seconds:.1f}" for name, seconds in news.steps)
            self._out.print(Padding(Text(steps, "dim"), (0, 0, 0, _INDENT + 2), expand=False))

    def landed(self, rows: Mapping[str, int]) -> None:
        """Show how many rows each table has."""
        table = self._table("table", ">rows", "one row per")
        for name, count in rows.items():
            table.add_row(name, f"{count:,}", TABLES[name].grain.removeprefix("one row per "))
        self._print(table)

    def syncs(self, columns: Mapping[str, SyncNews]) -> None:
        """Compare what syncs read and wrote."""
        table = self._table("", *(f">{name}" for name in columns))
        facts = [_facts(news) for news in columns.values()]
        for name in facts[0]:
            table.add_row(name, *(fact[name] for fact in facts))
        self._print(table)

    def agents(self, rows: Sequence[AgentRow]) -> None:
        """Show what each agent's minutes cost and how its transfers went."""
        table = self._table(
            "agent", ">calls", ">connected", ">minutes", ">cost", ">cost/min", ">transfers", ">successful"
        )
        for row in rows:
            if row.agent_id is None:
                table.add_section()
            table.add_row(
                agent_name(row.agent_id, row.name) if row.agent_id else "all agents",
                f"{row.calls:,}",
                _share(row.connect_rate),
                _number(row.minutes, ",.0f"),
                _number(row.cost, ",.2f"),
                _number(row.cost_per_minute, ".4f"),
                f"{row.legs:,}",
                _share(row.transfer_success_rate),
                style="bold" if row.agent_id is None else "",
            )
        self._print(table)

    def conversation(self, call: Conversation) -> None:
        """Print a call's transcript, and those of its transfer legs in their place, after the hand-over."""
        for line in heading(call.call):
            self.text(line)
        self._out.print(Padding(chat(call.lines), (1, 0, 0, _INDENT), expand=False))

    def commands(self, lines: Iterable[tuple[str, str]]) -> None:
        """List what to type, and what for."""
        for command, purpose in lines:
            self._out.print(Padding(Text(purpose, style="dim"), (0, 0, 0, _INDENT), expand=False))
            # A command that is folded cannot be copied.
            self._out.print(Text(f"{' ' * (_INDENT + 2)}{command}", style="bold"), soft_wrap=True)

    def _table(self, *columns: str) -> Table:
        """A table; a heading that begins with `>` stands above numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for name in columns:
            numbers = name.startswith(">")
            table.add_column(name.removeprefix(">"), justify="right" if numbers else "left", no_wrap=name == "agent")
        return table

    def _print(self, table: Table) -> None:
        self._out.print(Padding(table, (0, 0, 0, _INDENT), expand=False))


def _facts(news: SyncNews) -> dict[str, str]:
    scan = news.scan
    total = scan["total_end"] or scan["calls_seen"]
    return {
        "scan": f"{scan['mode']}, {'complete' if scan['complete'] else scan['ending']}",
        "pages read": f"{scan['pages']:,}",
        "calls and legs read": f"{scan['calls_seen']:,} of {total:,}",
        "new": f"{scan['calls_new']:,}",
        "changed": f"{scan['calls_changed']:,}",
        "days built and published": f"{len(news.rebuilt):,} of {news.published:,}",
        "table files written": f"{news.bytes_written / 1e6:,.1f} MB",
        "time": f"{news.seconds:.1f} s",
    }


def _days(days: Sequence[date]) -> str:
    if not days:
        return ""
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
