"""The `chorus-calls` program: find the command, run it, and turn failures into messages and exit codes.

Commands are imported when they are called: Dagster, polars and DuckDB take seconds to import, and `--help` or a
mistyped option should not.
"""

from __future__ import annotations

import errno
import importlib
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType, MappingProxyType
from typing import Final, NamedTuple

import click

from pipelines import __version__
from pipelines.errors import ChorusCallsError, disk_trouble


class _Command(NamedTuple):
    """A command: the module that has its function `<name>_command`, and its line in the help."""

    module: str
    purpose: str


COMMANDS: Final[Mapping[str, _Command]] = MappingProxyType(
    {
        "sync": _Command("pipelines.cli.lake", "Fetch new and changed calls, then build the days that changed."),
        "build": _Command("pipelines.cli.lake", "Build, check and publish the days that are stale."),
        "catalog": _Command("pipelines.cli.serve", "Make the DuckDB catalog again, or a copy to hand out."),
        "status": _Command("pipelines.cli.serve", "Show what is landed, built, stale and rejected."),
        "forget": _Command("pipelines.cli.forget", "Erase a customer or a call for good, and prove it."),
        "prune": _Command("pipelines.cli.lake", "Remove old days for good, after saying which."),
        "doctor": _Command("pipelines.cli.doctor", "Check lake, settings, key and API, and say what to run."),
        "query": _Command("pipelines.cli.serve", "Run SQL on the catalog."),
        "transcript": _Command("pipelines.cli.serve", "Print the conversation of a call."),
        "report": _Command("pipelines.cli.serve", "Write a report of a period as one HTML file."),
        "simulate": _Command("pipelines.cli.simulate", "Serve a simulated Chorus API on this machine."),
        # Needs Dagster, which only `assets` may import.
        "demo": _Command("assets.demo.command", "Run everything once on simulated calls; needs no account."),
    }
)
_INTERRUPTED: Final = 130
_TERMINATED: Final = 143
_MACHINE_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO})
"""File errors that a person must repair outside this program: no space, no permission, a broken disk."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came, as from a service manager or `docker stop`; it is handled like Ctrl-C."""


class LazyGroup(click.Group):
    """A group that lists its commands by name and imports the module of a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which a newcomer needs them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name].module), f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.purpose) for name, command in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from CHORUS_* variables and from .env in the working folder. "
    "'chorus-calls COMMAND --help' shows a command's options and an example.",
)
@click.version_option(__version__, prog_name="chorus-calls")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of a failure.")
def program() -> None:
    """Call analytics for Chorus AI voice agents.

    Fetches calls from the API into a lake of Parquet files, one folder per day, and serves them as tables to DuckDB
    and BI tools.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after the program's name; None takes those of this process.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage or settings, 3 the API refused the key, 130 after Ctrl-C,
        143 after SIGTERM.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # People add --debug after a failure, at the end of the line, where the command would refuse it.
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with _sigterm_as_interrupt():
            result = program.main(args=words, prog_name="chorus-calls", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo("Interrupted.", err=True)
        return _TERMINATED if isinstance(error.__cause__ or error, TerminatedError) else _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place that can turn a failure into a message
        return _report(error, debug=debug)
    return result if isinstance(result, int) else 0


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Make SIGTERM interrupt a block like Ctrl-C, if this is the main thread, which receives signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, ChorusCallsError):
        click.echo(error.message, err=True)
        return error.exit_code
    if isinstance(error, OSError) and error.errno in _MACHINE_ERRORS:
        click.echo(f"Failed: {disk_trouble(error)}", err=True)
        click.echo("Fix that, then run it again: what was landed and published is unchanged.", err=True)
        return 1
    click.echo(f"Failed: {type(error).__name__}: {error}", err=True)
    if not debug:
        click.echo("This was not expected. Add --debug to see where it happened.", err=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
