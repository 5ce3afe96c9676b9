"""`chorus-calls transcript`: a conversation in the terminal."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from pipelines.cli.console import plain, print_json, printable, say
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.serve.conversation import Conversation

_WIDTH: Final = 100


@click.command(epilog="Example: chorus-calls transcript 0b3e7a52-6c1f-4f0e-9a77-2d1f0c9be001")
@click.argument("call_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the call, and its lines as the catalog has them.")
def command(call_id: str, *, as_json: bool) -> None:
    """Print the conversation of a call, those of its transfer legs behind it. Times are in UTC.

    The id of a leg, or of a call that is a leg of another, prints the call that it is a part of.
    """
    from pipelines.serve.conversation import conversation

    found = conversation(load_settings().catalog_path, call_id)
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

    from pipelines.cli.chat import chat, heading

    out = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    for line in heading(found.call):
        out.print(Text(line))
    if summary := (found.call.summary or "").strip():
        out.print(Padding(Text(printable(summary), style="italic"), (1, 0, 0, 0), expand=False))
    if found.lines:
        out.print(Padding(chat(found.lines), (1, 0, 0, 0), expand=False))
