"""The report as one HTML file without scripts, fonts or requests."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from pipelines import __version__
from pipelines.errors import ChorusCallsError, disk_trouble
from pipelines.report import overview, text
from pipelines.report.figures import Figures, read_figures
from pipelines.report.page_model import Page
from pipelines.report.sections import SECTIONS
from pipelines.report.sections.data_quality import warnings
from pipelines.serve.files import replace_file
from pipelines.serve.query import reading_catalog

_HEAD: Final = 2_000
MARK: Final = '<meta name="generator" content="chorus-calls report">'
"""Marks a file as a report, since no other file may be overwritten."""


def render(figures: Figures, made_at: datetime) -> str:
    """Return the page as HTML."""
    style = _resource("style.css")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_resource("page.html"))
    # The policy allows only this style sheet, so nothing injected by a text of the API has an effect.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return template.render(page=_page(figures, made_at), style=Markup(style), policy=policy, mark=Markup(MARK))  # noqa: S704


def _page(figures: Figures, made_at: datetime) -> Page:
    period = figures.period
    days = text.day(period.first)
    if period.days > 1:
        days = f"{days} to {text.day(period.last)}"
    who = f"agent {figures.agents.label(figures.agent)}" if figures.agent is not None else ""
    return Page(
        title=f"Calls{f' of {who}' if who else ''}, {period.first} to {period.last}",
        heading=f"Calls of {who}" if who else "Calls",
        period=f"{days} ({text.plural(period.days, 'day')}, UTC)",
        compared=overview.compared(figures),
        lead=overview.lead(figures),
        warnings=warnings(figures),
        tiles=overview.tiles(figures),
        sections=[section(figures) for section in SECTIONS],
        made=f"Made {text.moment(made_at)} by chorus-calls {__version__} from generation {figures.generation:,} "
        "of the lake.",
    )


def _resource(name: str) -> str:
    return resources.files("pipelines.report").joinpath(name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Report:
    """A report that was made."""

    path: Path
    figures: Figures
    bytes: int


def make_report(
    catalog: Path,
    target: Path,
    *,
    first: date | None = None,
    last: date | None = None,
    agent: str | None = None,
    timezone: str = "UTC",
) -> Report:
    """Write the report of a period as one HTML file, replacing an earlier one.

    Args:
        catalog: The catalog's file.
        target: The file to write.
        first: First day; None for 28 days.
        last: Last day; None for the day of the newest call.
        agent: Id of the only agent; None for all.
        timezone: Zone of the local hours, as the tables were built with.

    Raises:
        ChorusCallsError: There is nothing to report on, or the file cannot be written.
    """
    with reading_catalog(catalog) as connection:
        figures = read_figures(connection, first, last, agent, timezone)
    page = render(figures, datetime.now(UTC)).encode()
    try:
        _refuse_others(target)
        replace_file(target.absolute(), page)
    except OSError as error:
        message = f"The report cannot be written to {target}: {disk_trouble(error)}"
        raise ChorusCallsError(message) from error
    return Report(target, figures, len(page))


def _refuse_others(target: Path) -> None:
    """Raise ChorusCallsError if the target is a file that is not a report."""
    if not target.exists():
        return
    with target.open("rb") as present:
        if MARK.encode() in present.read(_HEAD):
            return
    message = f"{target} is not a report, so it stays as it is. Name another file with --out."
    raise ChorusCallsError(message)
