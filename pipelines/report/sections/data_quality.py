"""How fresh and complete the data is, and which problems were found in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from pipelines.report import text
from pipelines.report.figures import Figures
from pipelines.report.page_model import Cell, Figure, Section, Table, Text

_SHOWN: Final = 15
_KINDS: Final[Mapping[str, str]] = {
    "invalid_value": "Value that cannot be used",
    "missing_value": "Value that is missing",
    "inconsistent": "Values that contradict each other",
    "unknown_value": "Word without a mapping",
    "rejected_item": "Item that could not be assigned to a day",
}


def data_quality(figures: Figures) -> Section:
    """Return freshness, completeness and problems."""
    fresh = figures.freshness
    lead = f"The newest call is from {text.moment(fresh['newest_call_at'])}."
    return Section("data", "Data quality", lead, [_freshness(figures), _issues(figures)])


def warnings(figures: Figures) -> list[str]:
    """Return why figures are preliminary or incomplete."""
    fresh = figures.freshness
    found = []
    if fresh["stale_days"]:
        days = text.plural(fresh["stale_days"], "day")
        found.append(f"{days} with new or changed calls are not built yet: some figures will change.")
    if fresh["last_scan_complete"] is False:
        found.append(
            f"The last scan of the API ({text.moment(fresh['last_scan_at'])}) was incomplete: calls may be missing."
        )
    if fresh["last_complete_full_scan_at"] is None:
        found.append("The API has never been read from beginning to end: older calls may be missing.")
    return found


def _freshness(figures: Figures) -> Figure:
    fresh, now, days = figures.freshness, figures.calls.now, figures.period.days
    complete = {True: "complete", False: "incomplete", None: "never"}[fresh["last_scan_complete"]]
    facts: list[tuple[Text, Text]] = [
        ("Newest call", text.moment(fresh["newest_call_at"])),
        ("Last scan of the API", text.moment(fresh["last_scan_at"])),
        ("That scan was", complete),
        ("Last complete scan from beginning to end", text.moment(fresh["last_complete_full_scan_at"])),
        ("Days published in this period", f"{figures.published_days:,} of {days:,}"),
        ("Days of the lake that are not built yet", text.count(fresh["stale_days"])),
        ("Items of the lake that could not be assigned to a day", text.count(fresh["rejected_items"])),
        ("Calls of this period that the API no longer lists", text.count(figures.deleted_calls)),
        ("Calls of this period without a cost", text.count(now.get("cost_missing_calls", 0))),
        ("Cost of this period without a duration", text.amount(now.get("cost_zero_duration"), figures.currency)),
    ]
    table = Table(
        "Freshness and completeness", ["What", "As of this report"], [(name, [Cell(value)]) for name, value in facts]
    )
    note = "Calls that the API no longer lists are not counted in any figure."
    return Figure("Freshness and completeness", "Of the whole lake, unless stated otherwise.", table=table, note=note)


def _issues(figures: Figures) -> Figure:
    title, subtitle = "Problems found in the data", "A bad value makes its field unknown; its call still counts."
    problems: Counter[str] = Counter()
    for row in figures.issues:
        kind, place = _KINDS.get(row["kind"], text.word(row["kind"])), text.word(row["path"], absent="")
        problems[f"{kind}: {row['table_name'] or ''} {place}".rstrip(": ")] += row["problems"]
    if not problems:
        return Figure(title, subtitle, empty="No problems were found in this period.")
    shown, rest = problems.most_common(_SHOWN), problems.most_common()[_SHOWN:]
    rows: list[tuple[Text, list[Cell]]] = [(name, [Cell(text.count(n))]) for name, n in shown]
    if rest:
        rows.append((f"{len(rest):,} other kinds and places", [Cell(text.count(sum(n for _, n in rest)))]))
    return Figure(title, subtitle, table=Table(title, ["Problem, table and place", "Count"], rows))
