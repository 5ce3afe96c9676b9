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

from assets.demo.place import FOLDER, LAKE, WORLD
from assets.demo.serving import served, stands_in
from assets.demo.world import open_world
from assets.instance.home import VARIABLE, dagster_home
from pipelines.errors import ChorusCallsError
from pipelines.settings import Settings, load_settings

_WORKSPACE: Final = Path(__file__).parents[1] / "workspace.yaml"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-p", "--port", envvar="PORT", default=3000, show_default=True, show_envvar=True, help="The UI's port.")
@click.option(
    "--demo/--no-demo",
    default=None,
    envvar="DEMO",
    show_envvar=True,
    help="Show the demo; by default where there is one, but neither a key nor a call of your own.",
)
@click.pass_context
def main(context: click.Context, port: int, *, demo: bool | None) -> None:
    """Start Dagster's UI and daemon, until Ctrl-C.

    Runs are kept in DAGSTER_HOME, or in data/dagster_home; those of the demo are kept in its own folder.
    """
    try:
        if stands_in() if demo is None else demo:
            _tell(context.with_resource(served(open_world(WORLD))))
    except ChorusCallsError as error:
        click.echo(error.message, err=True)
        context.exit(error.exit_code)
    os.environ[VARIABLE] = str(dagster_home())
    if load_settings().dagster_url == Settings.model_fields["dagster_url"].default:
        os.environ["CHORUS_DAGSTER_URL"] = f"http://127.0.0.1:{port}"  # where alerts lead to
    # `dagster dev` recommends another program for the same; that is no news to somebody who starts this one.
    warnings.filterwarnings("ignore", category=dg.SupersessionWarning)
    # A shell that starts a program in the background has it ignore Ctrl-C; Dagster would then ignore TERM as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["dagster", "dev", "-w", str(_WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
    runpy.run_module("dagster", run_name="__main__")


def _tell(api_url: str) -> None:
    click.echo(
        f"This is the demo in {FOLDER}: its lake is {LAKE}, and its calls come from {api_url} while this runs.\n"
        "Your own lake is shown once CHORUS_API_KEY is set, here or in .env, or with DEMO=0.",
        err=True,
    )


if __name__ == "__main__":
    main()
