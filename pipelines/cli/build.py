"""`chorus-calls build`: build, check and publish the days that have landed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.cli.console import progress, say
from pipelines.errors import ChorusCallsError

if TYPE_CHECKING:
    from pipelines.materialize.days import BuildReport
    from pipelines.workspace import Workspace


from datetime import datetime

import click

from pipelines.cli.console import print_json
from pipelines.settings import load_settings


def build_with_progress(workspace: Workspace, days: Sequence[date], *, recheck: bool = False) -> BuildReport:
    """Build days, showing how far it is."""
    from pipelines.materialize.days import build_days

    if not days:
        return build_days(workspace, [])
    with progress("Building days", len(days)) as step:
        return build_days(workspace, days, recheck=recheck, on_day=lambda _: step())


def build_facts(report: BuildReport) -> dict[str, Any]:
    """Return what a build did, for machines."""
    return {
        "days_built": len(report.built),
        "days_reused": len(report.reused),
        "days_published": len(report.published.published),
        "days_superseded": len(report.published.superseded),
        "days_refused": {
            str(day): [{"check": verdict.check, "table": verdict.table, "detail": verdict.detail} for verdict in failed]
            for day, failed in report.published.refused.items()
        },
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
    }


def build_sentence(report: BuildReport) -> str:
    """Return what a build did, in one line."""
    published = len(report.published.published)
    sentence = f"{len(report.built):,} days built, {published:,} published"
    if report.reused:
        sentence += f", {len(report.reused):,} used again"
    return f"{sentence} ({report.seconds:.1f} s)"


def raise_refused(report: BuildReport) -> None:
    """Fail where a day was refused, after saying what its checks found.

    Raises:
        ChorusCallsError: A day was refused.
    """
    refused = report.published.refused
    if not refused:
        return
    for day, failed in sorted(refused.items()):
        for verdict in failed:
            say(f"{day}: {verdict.check} on {verdict.table}: {verdict.detail}")
    message = (
        f"{len(refused):,} of the days did not pass their checks and stay as they were for readers: "
        f"{', '.join(map(str, sorted(refused)))}. They wait for new calls or a newer chorus-calls."
    )
    raise ChorusCallsError(message)


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
    from pipelines.lake import state
    from pipelines.lake.identity import require_same_settings
    from pipelines.lake.maintenance.reconcile import reconcile
    from pipelines.materialize.days import days_to_build
    from pipelines.privacy.forget import finish_erasures
    from pipelines.workspace import open_workspace

    workspace = open_workspace(load_settings(), renew_key=accept_settings)
    require_same_settings(workspace.storage, workspace.table_settings, accept=accept_settings)
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
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
