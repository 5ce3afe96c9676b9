"""The `chorus-calls` program: finds the command, runs it, and turns failures into words and exit codes.

Commands are imported when they are called. Dagster, polars and DuckDB take seconds to import, and `--help` or a
mistyped option should not cost seconds.
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
from typing import Final

import click

from pipelines import __version__
from pipelines.errors import ChorusCallsError, disk_trouble

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sync": "Fetch new and changed calls, then build the days that changed.",
        "build": "Build, check and publish the days that are stale.",
        "catalog": "Make the DuckDB catalog again, or one to hand out.",
        "status": "Show what is landed, built, stale and rejected.",
        "forget": "Erase a customer or a call for good, and prove it.",
        "prune": "Remove old days for good, after saying which.",
        "doctor": "Check lake, settings, key and API, and say what to run.",
        "query": "Run SQL on the catalog.",
        "transcript": "Print the conversation of a call.",
        "report": "Write a report of a period as one HTML file.",
        "simulate": "Serve a simulated Chorus API on this machine.",
        "demo": "Run everything once on simulated calls; needs no account.",
    }
)
_INTERRUPTED: Final = 130
_TERMINATED: Final = 143
_OF_THE_MACHINE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO})
"""Errors of files that a person must mend outside this program: no space, no permission, a broken disk."""

_OUTSIDE: Final[Mapping[str, str]] = MappingProxyType({"demo": "assets.demo.command"})
"""Commands that need Dagster, which only `assets` may import."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came, as from a service manager or `docker stop`: whatever Ctrl-C ends cleanly, this ends too."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports `pipelines.cli.<name>` only to run one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which a newcomer meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(_OUTSIDE.get(cmd_name, f"pipelines.cli.{cmd_name}"))
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


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
    # Asked for after a failure, so it is usually added at the end of the line that failed, behind the command.
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with _stopped_by_sigterm():
            result = program.main(args=words, prog_name="chorus-calls", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo("Interrupted.", err=True)
        return _TERMINATED if isinstance(error.__cause__ or error, TerminatedError) else _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place that can turn a failure into words
        return _report(error, debug=debug)
    return result if isinstance(result, int) else 0


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a block as Ctrl-C does, where this is the thread that signals come to."""
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
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        click.echo(f"Failed: {disk_trouble(error)}", err=True)
        click.echo("Once that is mended, run it again: what was landed and published is as it was.", err=True)
        return 1
    click.echo(f"Failed: {type(error).__name__}: {error}", err=True)
    if not debug:
        click.echo("This was not expected. Add --debug to see where it happened.", err=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
