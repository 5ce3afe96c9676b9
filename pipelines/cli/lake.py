"""`chorus-calls sync`, `build` and `prune`: the commands that change which days a lake holds."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from pipelines.cli.console import Day, print_json, progress, say, size
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.lake.maintenance.retention import OldDays
    from pipelines.workflows.sync import SyncResult

_AGE_UNITS: Final = {"d": 1, "w": 7}


class Age(click.ParamType[date]):
    """An age in days or weeks, such as 400d or 57w."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the first day that is not older."""
        from pipelines.lake.maintenance.retention import floor_of

        found = re.fullmatch(r"(\d{1,9})([dw])", str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is no age; it must be a number of days or weeks, such as 400d or 57w.", param, ctx)
        days = int(found[1]) * _AGE_UNITS[found[2]]
        if days < 1:
            self.fail("Today's calls are always kept; it must be a day or more.", param, ctx)
        try:
            return floor_of(timedelta(days=days))
        except OverflowError:
            self.fail(f"{value!r} is before the calendar begins.", param, ctx)


@click.command("sync", epilog="Example: chorus-calls sync --full")
@click.option("--full", is_flag=True, help="Read the whole list, which finds changes of older calls too.")
@click.option("--max-pages", type=click.IntRange(min=1), metavar="N", help="Stop after N pages.")
@click.option(
    "--accept-deletions",
    is_flag=True,
    help="Read the whole list, as --full does, and mark all calls deleted that it lacks, however many.",
)
@click.option("--no-build", is_flag=True, help="Only land calls; their days stay stale.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def sync_command(*, full: bool, max_pages: int | None, accept_deletions: bool, no_build: bool, as_json: bool) -> None:
    """Fetch new and changed calls, then build the days that changed."""
    from pipelines.workflows import build, sync
    from pipelines.workspace import calls_client, open_workspace

    def show(result: SyncResult) -> None:
        for line in [*(f"Warning: {warning}" for warning in result.warnings), *result.names.notes]:
            say(line)
        if not as_json:
            click.echo(result.scan.sentence())

    workspace = open_workspace(load_settings())
    options = sync.SyncOptions(full, max_pages, accept_deletions, build=not no_build)
    with calls_client(workspace.settings) as client:
        done = sync.run(workspace, client, options, notify=say, progress=progress, on_landed=show)
    if as_json:
        built = build.as_dict(done.build) if done.build else None
        print_json({"scan": done.scan.as_dict(), "names": done.names.known, "build": built})
    elif done.build:
        click.echo(build.sentence(done.build))
    if done.build:
        build.raise_refused(done.build, say)


@click.command("build", epilog="Example: chorus-calls build --from 2026-01-01 --to 2026-01-31")
@click.option("--from", "first", type=Day(), metavar="DAY", help="First day to build.")
@click.option("--to", "last", type=Day(), metavar="DAY", help="Last day to build.")
@click.option(
    "--all", "all_days", is_flag=True, help="Every landed day, not only stale ones; complete ones are reused."
)
@click.option("--recheck", is_flag=True, help="Check complete versions again if the checks are newer.")
@click.option("--accept-settings", is_flag=True, help="Make these settings the lake's, and rebuild its days with them.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def build_command(
    first: date | None, last: date | None, *, all_days: bool, recheck: bool, accept_settings: bool, as_json: bool
) -> None:
    """Build, check and publish the days that are stale."""
    from pipelines.workflows import build
    from pipelines.workspace import open_workspace

    options = build.BuildOptions(first, last, all_days, recheck, accept_settings)
    workspace = open_workspace(load_settings(), renew_key=accept_settings)
    report = build.run(workspace, options, notify=say, progress=progress)
    if as_json:
        print_json(build.as_dict(report))
    elif report.built or report.reused:
        click.echo(build.sentence(report))
    else:
        click.echo(f"Nothing to build: no day {'has landed' if all_days else 'is stale'}.")
    build.raise_refused(report, say)


@click.command("prune", epilog="Example: chorus-calls prune --older-than 400d --yes")
@click.option("--older-than", "floor", type=Age(), required=True, metavar="AGE", help="Such as 400d or 57w.")
@click.option("--yes", is_flag=True, help="Remove them; without this, only say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def prune_command(floor: date, *, yes: bool, as_json: bool) -> None:
    """Remove old days for good, from raw and tables, and do not fetch them again. Days are in UTC."""
    from pipelines.lake import layout
    from pipelines.lake.local import LocalStorage
    from pipelines.lake.maintenance.retention import old_days
    from pipelines.workflows import prune
    from pipelines.workspace import open_workspace

    settings = load_settings()
    storage = LocalStorage(settings.lake_path)
    removes = yes and storage.size(layout.LAKE) is not None
    if removes:
        found = prune.run(open_workspace(settings), floor, notify=say, progress=progress)
    else:
        found = old_days(storage, floor)
    if as_json:
        print_json(_prune_dict(found, removed=yes))
        return
    click.echo(_prune_sentence(found, "Removed" if yes else "Would remove"))
    if removes:
        click.echo(f"Days before {found.floor} are not fetched again.")
    elif found.days:
        click.echo(f"They would be removed for good: days before {found.floor} would not be fetched again.")
        click.echo("Nothing was changed. Add --yes to remove them.")


def _prune_sentence(found: OldDays, verb: str) -> str:
    if not found.days:
        return f"Nothing to remove: the lake has no day before {found.floor}."
    rejected = f" and {found.rejected_items:,} rejected items" if found.rejected_items else ""
    days = "1 day" if len(found.days) == 1 else f"{len(found.days):,} days"
    return f"{verb} {days}, {found.days[0]} to {found.days[-1]}: {found.calls:,} calls{rejected}, {size(found.bytes)}."


def _prune_dict(found: OldDays, *, removed: bool) -> dict[str, Any]:
    return {
        "removed": removed,
        "floor": str(found.floor),
        "days": len(found.days),
        "first_day": str(found.days[0]) if found.days else None,
        "last_day": str(found.days[-1]) if found.days else None,
        "calls": found.calls,
        "rejected_items": found.rejected_items,
        "bytes": found.bytes,
    }
