"""`chorus-calls simulate`: serve a simulated Chorus API, to try the pipeline without an account."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

import click

from pipelines.errors import ChorusCallsError
from pipelines.simulator import DEFAULT_KEY, Order, SimulatedApi, World
from pipelines.simulator.conversation import DialogueError, RecordedConversations, read_dialogues
from pipelines.simulator.faults import FAULTS, Fault, FaultError, line, options, parse_faults

_EPILOG = """\b
Example:
  chorus-calls simulate --calls 2000 --days 60 --port 8750
  chorus-calls simulate --order shuffled --faults rate_limit,server_error:every=20

\b
Faults: NAME:OPTION=VALUE. Options of every fault: every=N affects each N-th request,
after=N skips the first N requests, times=N affects at most N, place=N affects
only pages that show the item at place N of the list, counted from 0.
"""


def _epilog() -> str:
    """Return the examples, then each fault in a line with its own options."""
    lines = [f"  {name}: {line(kind)} {' '.join(options(kind))}".rstrip() for name, kind in FAULTS.items()]
    return "\n".join([_EPILOG.rstrip(), *lines])


def _read_faults(context: click.Context, parameter: click.Parameter, value: str) -> list[Fault]:
    try:
        return parse_faults(value)
    except FaultError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def _read_dialogues(
    context: click.Context, parameter: click.Parameter, value: Path | None
) -> RecordedConversations | None:
    try:
        return None if value is None else read_dialogues(value)
    except (DialogueError, OSError) as error:
        raise click.BadParameter(str(error), context, parameter) from error


@click.command("simulate", epilog=_epilog())
@click.option(
    "--calls", type=click.IntRange(0), default=2_000, show_default=True, help="Calls that exist at the start."
)
@click.option("--days", type=click.IntRange(1, 3_650), default=30, show_default=True, help="Days they are spread over.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same calls.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_750, show_default=True, help="Port; 0 for a free one."
)
@click.option("--key", default=DEFAULT_KEY, show_default=True, help="The API key that is accepted.")
@click.option(
    "--order",
    type=click.Choice([order.value for order in Order]),
    default=Order.NEWEST.value,
    show_default=True,
    help="How calls are listed.",
)
@click.option(
    "--faults",
    default="",
    callback=_read_faults,
    metavar="LIST",
    help="Faults to inject, as in rate_limit,slow:every=5; see below.",
)
@click.option(
    "--dialogues",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_read_dialogues,
    help="English conversations to use: JSON lines of the Schema-Guided Dialogue data set.",
)
def simulate_command(
    *,
    calls: int,
    days: int,
    seed: int,
    port: int,
    key: str,
    order: str,
    faults: list[Fault],
    dialogues: RecordedConversations | None,
) -> None:
    """Serve a simulated Chorus API on 127.0.0.1, with calls that come, ring, end and change as time passes."""
    _log_requests()
    api = SimulatedApi(World(seed, calls, days, dialogues=dialogues), key=key, port=port, order=order, faults=faults)
    try:
        api.start()
    except OSError as error:
        msg = f"Port {port} cannot be used ({error.strerror}). Choose another with --port, or --port 0 for a free one."
        raise ChorusCallsError(msg) from error
    try:
        click.echo(
            f"Simulated Chorus API at {api.url}/calls, with {calls} calls. Ctrl-C stops it. In another terminal:"
        )
        click.echo(f"  export CHORUS_API_URL={api.url}")
        click.echo(f"  export CHORUS_API_KEY={key}")
        threading.Event().wait()
    finally:
        api.stop()


def _log_requests() -> None:
    """Log each request on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("pipelines.simulator")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
