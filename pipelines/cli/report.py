"""`chorus-calls report`: one HTML file that says what happened in a period."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from pipelines.settings import load_settings

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(epilog="Example: chorus-calls report --from 2026-01-01 --to 2026-01-31 --out january.html")
@click.option("--from", "first", type=_DAY, metavar="DAY", help="First day, in UTC.  [default: 28 days in all]")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="Last day.  [default: the day of the newest call]")
@click.option("--agent", metavar="ID", help="Only the calls of this agent.")
@click.option(
    "--out",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("chorus-report.html"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
def command(first: datetime | None, last: datetime | None, agent: str | None, target: Path) -> None:
    """Write a report of a period, against the one before, as one HTML file that opens without a network.

    It holds sums and shares, and nothing of any customer: no number, no key, no id of a call, no text.
    """
    from pipelines.report.html_page import make_report

    settings = load_settings()
    report = make_report(
        settings.catalog_path, target, first=_day(first), last=_day(last), agent=agent, timezone=settings.timezone
    )
    period = report.figures.period
    click.echo(f"{target}: {period.first} to {period.last} ({period.days:,} days, UTC), {report.bytes / 1000:,.0f} KB")


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None
