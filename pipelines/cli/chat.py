"""How a conversation is shown to a person: like a chat, speakers right-aligned, legs set off by a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from pipelines.cli.console import printable

if TYPE_CHECKING:
    from pipelines.serve.conversation import Call, Line

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
