"""Lakes to report on, of a few calls that a test writes, and pages taken apart again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pipelines.lake import state
from pipelines.lake.names import KnownNames, Names, load_names
from pipelines.materialize.days import build_days
from pipelines.workspace import Workspace
from tests.support.lakes import land, place, workspace

NUMBER = "+15550100123"


def call(name: str, at: str, *, seconds: float | None = 60, **fields: Any) -> dict[str, Any]:
    """Return a completed inbound call of a minute that cost a quarter, but for what the test says.

    Args:
        name: Its id.
        at: When it was created and began, in UTC, such as `2026-03-05 10:00`.
        seconds: How long it lasted.
        fields: Members as the API names them.
    """
    began = datetime.fromisoformat(at).replace(tzinfo=UTC)
    ended = {"endedAt": (began + timedelta(seconds=seconds)).isoformat()} if seconds is not None else {}
    return {
        "id": name,
        "organizationId": "org-1",
        "agentId": "agent-1",
        "direction": "inbound",
        "status": "completed",
        "durationSeconds": seconds,
        "cost": 0.25,
        "customerNumber": NUMBER,
        "createdAt": began.isoformat(),
        "startedAt": began.isoformat(),
        **ended,
        **fields,
    }


def leg(name: str, status: str, *, kind: str = "warm_briefing", after: str | None = None) -> dict[str, Any]:
    """Return a transfer leg; `after` is when it began."""
    began = datetime.fromisoformat(after).replace(tzinfo=UTC).isoformat() if after else None
    return {"id": name, "transferType": kind, "transferStatus": status, "startedAt": began, "durationSeconds": 30}


def reported_lake(
    folder: Path, calls: Iterable[Mapping[str, Any]], names: Mapping[str, str] | None = None, **settings: Any
) -> Workspace:
    """Land calls and names of agents, build and publish the days, each in this process."""
    opened = workspace(folder, **settings)
    if names:
        kept = load_names(opened.storage)
        kept.value = Names(agents=KnownNames(dict(names)))
        state.commit(opened.storage, kept)
    days = place(json.dumps(one) for one in calls)
    land(opened, days)
    for day in sorted(days):
        build_days(opened, [day])
    return opened


class Page(HTMLParser):
    """A report, taken apart.

    Attributes:
        text: All words outside the style sheet and the pictures.
        tiles: Key figures and their changes, by their names.
        tables: Rows by the table's caption, the headings first.
        attributes: Every attribute of every tag: tag, name, value.
        tags: Every tag.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tiles: dict[str, list[str]] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self._tile: list[str] = []
        self._rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in {"meta", "link", "rect", "path", "line"}:
            self._open.append(tag)
        if tag == "dt":
            self._tile = self.tiles.setdefault("", [])
        if tag == "caption":
            self._rows = []
        if tag == "tr":
            self._rows.append([])
        if tag in {"td", "th"}:
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self._open or not data.strip():
            return
        said = " ".join(data.split())
        if "svg" not in self._open:
            self.text += f"{said}\n"
        if "caption" in self._open:
            self.tables[said] = self._rows
        elif "dt" in self._open:
            self._tile = self.tiles.setdefault(said, [])
        elif "dd" in self._open:
            self._tile.append(said)
        elif self._open[-1:] and {"td", "th"} & set(self._open) and "svg" not in self._open:
            self._rows[-1][-1] += said

    def rows(self, caption: str) -> dict[str, list[str]]:
        """Return the rows of a table by their names, without the headings."""
        return {row[0]: row[1:] for row in self.tables[caption][1:]}
