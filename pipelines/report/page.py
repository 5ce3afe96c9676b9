"""From figures to one HTML file that needs nothing else: no script, no font, no request."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from importlib import resources
from typing import Final

import jinja2
from markupsafe import Markup

from pipelines import __version__
from pipelines.report import overview, text
from pipelines.report.figures import Figures
from pipelines.report.model import Page
from pipelines.report.sections import SECTIONS
from pipelines.report.sections.data import warnings

MARK: Final = '<meta name="generator" content="chorus-calls report">'
"""Tells a report from other files, which are not to be written over."""


def render(figures: Figures, made_at: datetime) -> str:
    """Return the page as HTML.

    Args:
        figures: What it says.
        made_at: When it is made.
    """
    style = _resource("style.css")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_resource("page.html"))
    # Only this style sheet is let in: whatever a text of the API might smuggle in has no effect.
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
