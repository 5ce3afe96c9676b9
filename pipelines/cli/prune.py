"""`chorus-calls prune`: removes old days for good, after it has said which."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from pipelines.cli.build import build_sentence, build_with_progress, raise_refused
from pipelines.cli.console import print_json, say, size
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.lake.maintenance.retention import OldDays

_DAYS: Final = {"d": 1, "w": 7}


class Age(click.ParamType[date]):
    """An age in days or weeks, such as 400d or 57w."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the first day that is not older."""
        from pipelines.lake.maintenance.retention import floor_of

        found = re.fullmatch(r"(\d{1,9})([dw])", str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is no age; it must be a number of days or weeks, such as 400d or 57w.", param, ctx)
        days = int(found[1]) * _DAYS[found[2]]
        if days < 1:
            self.fail("Today's calls are always kept; it must be a day or more.", param, ctx)
        try:
            return floor_of(timedelta(days=days))
        except OverflowError:
            self.fail(f"{value!r} is before the calendar begins.", param, ctx)


@click.command(epilog="Example: chorus-calls prune --older-than 400d --yes")
@click.option("--older-than", "floor", type=Age(), required=True, metavar="AGE", help="Such as 400d or 57w.")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what it would do.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(floor: date, *, yes: bool, as_json: bool) -> None:
    """Remove old days for good, from raw and tables, and do not fetch them again. Days are in UTC."""
    from pipelines.lake import layout
    from pipelines.lake.local import LocalStorage
    from pipelines.lake.maintenance.retention import old_days

    storage = LocalStorage(load_settings().lake_path)
    exists = storage.size(layout.LAKE) is not None
    found = _prune(floor) if yes and exists else old_days(storage, floor)
    if as_json:
        print_json(_facts(found, removed=yes))
        return
    click.echo(_what(found, "Removed" if yes else "Would remove"))
    if yes and exists:
        click.echo(f"Days before {found.floor} are not fetched again.")
    elif found.days:
        click.echo(f"It would be for good: days before {found.floor} would not be fetched again.")
        click.echo("Nothing was changed. Add --yes to do it.")


def _prune(floor: date) -> OldDays:
    """Remove the days, and build the first that is left, which the day before it belonged to."""
    from pipelines.lake.identity import require_same_settings
    from pipelines.lake.maintenance.reconcile import reconcile
    from pipelines.lake.maintenance.retention import prune
    from pipelines.materialize.days import days_to_build
    from pipelines.workspace import open_workspace

    workspace = open_workspace(load_settings())
    require_same_settings(workspace.storage, workspace.table_settings)
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    found = prune(workspace, floor, say=say)
    days = [day for day in days_to_build(workspace) if day == found.floor]
    if days:
        report = build_with_progress(workspace, days)
        say(build_sentence(report))
        raise_refused(report)
    return found


def _what(found: OldDays, verb: str) -> str:
    if not found.days:
        return f"Nothing to remove: the lake has no day before {found.floor}."
    rejected = f" and {found.rejected_items:,} rejected items" if found.rejected_items else ""
    days = "1 day" if len(found.days) == 1 else f"{len(found.days):,} days"
    return f"{verb} {days}, {found.days[0]} to {found.days[-1]}: {found.calls:,} calls{rejected}, {size(found.bytes)}."


def _facts(found: OldDays, *, removed: bool) -> dict[str, Any]:
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
