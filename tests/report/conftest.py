"""The page of a lake, as the command line writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pytest

from pipelines.report.html_page import make_report
from tests.support.report_pages import Page, reported_lake

Report = Callable[..., Page]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Make a lake of calls and its report; returns the page."""

    def made(
        calls: Iterable[dict[str, Any]],
        first: str | None = None,
        last: str | None = None,
        *,
        agent: str | None = None,
        **settings: Any,
    ) -> Page:
        folder = tmp_path_factory.mktemp("report")
        opened = reported_lake(folder / "lake", calls, **settings)
        given = {"first": first and date.fromisoformat(first), "last": last and date.fromisoformat(last)}
        target = folder / "report.html"
        make_report(opened.catalog.path, target, agent=agent, timezone=opened.settings.timezone, **given)
        return Page(target.read_text())

    return made
