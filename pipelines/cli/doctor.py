"""`chorus-calls doctor`: report what is wrong with lake, settings, key and API, and what repairs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from pipelines.cli.console import plain, print_json, printable
from pipelines.errors import ChorusCallsError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.doctor.inspection import Area, Report

_SHOWN: Final = 3


@click.command("doctor", epilog="Example: chorus-calls doctor")
@click.option("--repair", "repairs", is_flag=True, help="First rebuild lost state from raw and complete versions.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was found as JSON.")
def doctor_command(*, repairs: bool, as_json: bool) -> None:
    """Check the lake, its settings, the key and the API, and say what to run. Without --repair it changes nothing.

    The exit code is 1 if anything is wrong.
    """
    from pipelines.doctor.examine import examine
    from pipelines.doctor.repair import repair

    settings = load_settings()
    done = repair(settings) if repairs else []
    report = examine(settings)
    if as_json:
        print_json(_as_dict(report, done))
    else:
        for line in [*_repaired(done, asked=repairs), *_lines(report)]:
            click.echo(printable(line))
    if report.findings:
        number = len(report.findings)
        message = f"{number:,} {'thing is' if number == 1 else 'things are'} wrong; what to run is below each."
        raise ChorusCallsError(message)
    if not as_json:
        click.echo("All is well.")


def _as_dict(report: Report, done: list[str]) -> dict[str, Any]:
    areas = [
        {
            "area": area.name,
            "looked_at": area.checked,
            "seen": area.seen,
            "findings": [plain(asdict(finding)) for finding in area.findings],
        }
        for area in report.areas
    ]
    healthy = not report.findings
    return {"lake": report.lake, "healthy": healthy, "repaired": done, "areas": areas, "notes": report.notes}


def _repaired(done: list[str], *, asked: bool) -> Iterator[str]:
    yield from (f"repaired: {line}" for line in done)
    if asked and not done:
        yield "Nothing to repair."


def _lines(report: Report) -> Iterator[str]:
    yield f"lake: {report.lake}"
    for area in report.areas:
        yield from _area_lines(area)
    yield from report.notes


def _area_lines(area: Area) -> Iterator[str]:
    from pipelines.doctor.inspection import grouped

    seen = f"{area.seen} " if area.seen else ""
    if area.checked:
        yield f"{area.name}: {seen}ok" if not area.findings else f"{area.name}: {len(area.findings):,} found"
    else:
        yield f"{area.name}: not checked, since a state file is missing or cannot be read"
    for group in grouped(area.findings):
        yield from (f"  {what}" for what in group.whats[:_SHOWN])
        if len(group.whats) > _SHOWN:
            yield f"  … and {len(group.whats) - _SHOWN:,} more like these"
        yield f"    → {group.remedy}"
