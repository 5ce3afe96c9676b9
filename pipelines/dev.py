"""`make dev`: Dagster's UI and daemon on this machine, for one person, reachable from this machine alone."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import warnings
from pathlib import Path
from typing import Final

import click
import dagster as dg

from pipelines.dagster_home import VARIABLE, dagster_home

_WORKSPACE: Final = Path(__file__).parents[1] / "workspace.yaml"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-p", "--port", envvar="PORT", default=3000, show_default=True, show_envvar=True, help="The UI's port.")
def main(port: int) -> None:
    """Start Dagster's UI and daemon, until Ctrl-C.

    Runs are kept in DAGSTER_HOME, or in data/dagster_home.
    """
    os.environ[VARIABLE] = str(dagster_home())
    # `dagster dev` recommends another program for the same; that is no news to somebody who starts this one.
    warnings.filterwarnings("ignore", category=dg.SupersessionWarning)
    # A shell that starts a program in the background has it ignore Ctrl-C; Dagster would then ignore TERM as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["dagster", "dev", "-w", str(_WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
    runpy.run_module("dagster", run_name="__main__")


if __name__ == "__main__":
    main()
