"""`chorus-calls transcript`: a conversation in the terminal, shown like a chat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from pipelines.cli.console import printable

if TYPE_CHECKING:
    from pipelines.serve.conversation import Call, Line


import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pipelines.cli.console import plain, print_json, say
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.serve.conversation import Conversation


_MINUTE: Final = 60
_OTHERS: Final = {"customer": "colleague"}
"""Whom the agent talks to on a transfer leg is seldom the customer, whatever the API's word for that side is."""


def heading(call: Call) -> Iterator[str]:
    """Yield lines that say which call this is."""
    if call.call_date is None:
        yield f"Call {printable(call.call_id)} itself is not in the lake; of it, only what follows is known."
        return
    began = f"{call.started_at:%Y-%m-%d %H:%M} UTC" if call.started_at else f"{call.call_date} UTC"
    agent, number = agent_name(call.agent_id, call.agent_name), call.customer_number or "an unknown number"
    yield printable(f"{call.direction or 'a'} call of {agent} with {number}, {began},")
    cost = "unknown" if call.cost is None else f"{call.cost:.4f}"
    yield printable(f"{call.outcome}, {_clock(call.duration_seconds)}, cost {cost}; id {call.call_id}")
    if call.deleted_at:
        yield f"The API no longer lists it: a scan on {call.deleted_at:%Y-%m-%d %H:%M} UTC found it gone."


def chat(lines: Iterable[Line]) -> Table:
    """Return a conversation to print, the transfer legs behind the call's own messages."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        words = printable(line.content or "…")
        if line.speaker == "transfer":
            table.add_row("→", Text(words, style="bold yellow"))
        elif line.leg_id is None:
            table.add_row(Text(line.speaker), Text(words))
        else:
            table.add_row(Text(f"│ {_OTHERS.get(line.speaker, line.speaker)}"), Text(words))
    return table


def agent_name(agent_id: str | None, name: str | None) -> str:
    """Return an agent's name where it is known, with the beginning of its id."""
    short = (agent_id or "unknown")[:8]
    return f"{name} ({short})" if name else short


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "of unknown length"
    return f"{int(seconds) // _MINUTE}:{int(seconds) % _MINUTE:02d} min long"


_WIDTH: Final = 100


@click.command(epilog="Example: chorus-calls transcript 0b3e7a52-6c1f-4f0e-9a77-2d1f0c9be001")
@click.argument("call_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the call, and its lines as the catalog has them.")
def command(call_id: str, *, as_json: bool) -> None:
    """Print the conversation of a call, those of its transfer legs behind it. Times are in UTC.

    The id of a leg, or of a call that is a leg of another, prints the call that it is a part of.
    """
    from pipelines.serve.conversation import read_conversation

    found = read_conversation(load_settings().catalog_path, call_id)
    if as_json:
        print_json(plain(asdict(found)))
    else:
        _show(found)
    if not found.lines:
        has_none = found.call.message_count is None
        say("The API gave no transcript of this call." if has_none else "Nothing was said on this call.")


def _show(found: Conversation) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    out = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    for line in heading(found.call):
        out.print(Text(line))
    if summary := (found.call.summary or "").strip():
        out.print(Padding(Text(printable(summary), style="italic"), (1, 0, 0, 0), expand=False))
    if found.lines:
        out.print(Padding(chat(found.lines), (1, 0, 0, 0), expand=False))
