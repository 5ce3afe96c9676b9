"""`chorus-calls build`: builds, checks and publishes days from what has landed."""

from __future__ import annotations

from datetime import date, datetime

import click

from pipelines.cli.building import build_facts, build_sentence, build_with_progress, raise_refused
from pipelines.cli.console import print_json, say
from pipelines.settings import load_settings

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(epilog="Example: chorus-calls build --from 2026-01-01 --to 2026-01-31")
@click.option("--from", "first", type=_DAY, metavar="DAY", help="First day to build.")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="Last day to build.")
@click.option("--all", "every", is_flag=True, help="Every landed day, not only stale ones; complete ones are reused.")
@click.option("--recheck", is_flag=True, help="Check complete versions again where the checks are newer.")
@click.option("--accept-settings", is_flag=True, help="Make these settings the lake's; its days are built anew.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    first: datetime | None, last: datetime | None, *, every: bool, recheck: bool, accept_settings: bool, as_json: bool
) -> None:
    """Build, check and publish the days that are stale."""
    from pipelines.build.days import days_to_build
    from pipelines.build.workspace import open_workspace
    from pipelines.lake import state
    from pipelines.lake.identity import admit
    from pipelines.lake.settle import settle
    from pipelines.removal.pending import finish_erasures

    workspace = open_workspace(load_settings(), renew_key=accept_settings)
    admit(workspace.storage, workspace.shaping, accept=accept_settings)
    settle(workspace.storage, workspace.catalog, workspace.keep_versions)
    finish_erasures(workspace, say)
    days = sorted(state.load_landed(workspace.storage).value.days) if every else days_to_build(workspace)
    report = build_with_progress(workspace, [day for day in days if _is_between(day, first, last)], recheck=recheck)
    if as_json:
        print_json(build_facts(report))
    else:
        click.echo(build_sentence(report) if days else "Nothing to build: no day is stale.")
    raise_refused(report)


def _is_between(day: date, first: datetime | None, last: datetime | None) -> bool:
    return (first is None or first.date() <= day) and (last is None or day <= last.date())
