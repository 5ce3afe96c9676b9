"""`make dev`: run Dagster's UI and daemon for one person, reachable from this machine only."""

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

from assets.demo.company import FOLDER, LAKE, WORLD, Company, is_shown_by_default, serve
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
    help="Show the demo; the default if there is one, but neither a key nor a call of your own.",
)
@click.pass_context
def main(context: click.Context, port: int, *, demo: bool | None) -> None:
    """Run Dagster's UI and daemon until Ctrl-C.

    Runs are kept in DAGSTER_HOME, or in data/dagster_home; runs of the demo are kept in its own folder.
    """
    try:
        if is_shown_by_default() if demo is None else demo:
            url = context.with_resource(serve(Company(WORLD)))
            click.echo(
                f"This is the demo in {FOLDER}: its lake is {LAKE}, and its calls come from {url} while this runs.\n"
                "Set CHORUS_API_KEY, here or in .env, or DEMO=0, to see your own lake.",
                err=True,
            )
    except ChorusCallsError as error:
        click.echo(error.message, err=True)
        context.exit(error.exit_code)
    os.environ[VARIABLE] = str(dagster_home())
    if load_settings().dagster_url == Settings.model_fields["dagster_url"].default:
        os.environ["CHORUS_DAGSTER_URL"] = f"http://127.0.0.1:{port}"  # where alerts lead to
    # `dagster dev` recommends its successor, which does not help a person who runs `make dev`.
    warnings.filterwarnings("ignore", category=dg.SupersessionWarning)
    # A program that a shell starts in the background ignores Ctrl-C; Dagster would then ignore SIGTERM as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["dagster", "dev", "-w", str(_WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
    runpy.run_module("dagster", run_name="__main__")


if __name__ == "__main__":
    main()
