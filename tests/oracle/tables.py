"""All eight tables of a day, from nothing but the answers of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.oracle.calls import call_rows
from tests.oracle.items import Version, read_items
from tests.oracle.legs import list_legs
from tests.oracle.marts import MARTS, call_metrics_rows, hourly_rows, transfer_metrics_rows
from tests.oracle.names import CORE_TABLES, KEYS, Columns
from tests.oracle.rows import (
    Row,
    Shaping,
    attribute_rows,
    issue_row,
    leg_row,
    rejected_row,
    turn_rows,
    with_person,
)
from tests.oracle.source import read_json
from tests.oracle.values import Notes, Place, is_usable_id, member, parse_time, text_value

CONTRACT: Mapping[str, Columns] = {**CORE_TABLES, **MARTS}
"""All tables in their order."""

COLUMNS: Mapping[str, tuple[str, ...]] = {table: tuple(columns) for table, columns in CONTRACT.items()}


def call_date(payload: str) -> date | None:
    """Return the day an item belongs to: the UTC date of createdAt, else of startedAt; None where neither is a time."""
    item = read_json(payload)
    for name in ("createdAt", "startedAt"):
        node = member(item, name)
        moment, _ = parse_time(node.value) if node is not None and node.kind == "string" else (None, True)
        if moment is not None:
            return moment.date()
    return None


def usable_call_id(payload: str) -> str | None:
    """Return the id an item is kept under; None where it has none."""
    node = member(read_json(payload), "id")
    ignored = Notes("", datetime.min.replace(tzinfo=UTC))
    return text_value(node, Place("calls", ("call_id",), "$.id"), ignored) if is_usable_id(node) else None


def expected_lake(
    versions: Mapping[date, list[Version]], rejected: Mapping[date, list[Version]], shaping: Shaping
) -> dict[date, dict[str, list[Row]]]:
    """Return the tables of every day that has a call or a rejected item."""
    return {
        day: expected_tables(
            day, versions.get(day, []), versions.get(day - timedelta(days=1), []), rejected.get(day, []), shaping
        )
        for day in sorted({*versions, *rejected})
    }


def expected_tables(
    day: date, versions: list[Version], previous: list[Version], rejected: list[Version], shaping: Shaping
) -> dict[str, list[Row]]:
    """Return the eight tables of a day.

    Args:
        day: The day, UTC.
        versions: All versions of the calls of that day.
        previous: All versions of the calls of the day before.
        rejected: The rejected items that arrived on the day.
        shaping: The settings that shape tables.

    Returns:
        Per table its rows: the promised columns in their order, sorted by the table's key, nulls first.
    """
    today, before = read_items(versions), read_items(previous)
    legs = list_legs(today, before, shaping.outcomes)
    attributes = [row for item in today.values() for row in attribute_rows(item)]
    calls = call_rows(today, legs, shaping.outcomes, shaping.timezone)
    leg_rows = [leg_row(leg) for leg in legs]
    rows = {
        "calls": [with_person(row, shaping) for row in calls],
        "transcript_turns": list(turn_rows(today, legs, before)),
        "transfer_legs": [with_person(row, shaping) for row in leg_rows],
        "call_attributes": attributes,
        "data_issues": [issue_row(issue, shaping) for item in today.values() for issue in item.issues]
        + [rejected_row(item, shaping) for item in rejected],
        "call_metrics_daily": call_metrics_rows(calls),
        "transfer_metrics_daily": transfer_metrics_rows(leg_rows),
        "call_volume_hourly": hourly_rows(day, calls, shaping.timezone),
    }
    return {table: _in_order(table, rows[table]) for table in COLUMNS}


def _in_order(table: str, rows: list[Row]) -> list[Row]:
    return [{name: row[name] for name in COLUMNS[table]} for row in sorted(rows, key=sort_key(table))]


def sort_key(table: str) -> Callable[[Row], tuple[Any, ...]]:
    """Return the order of a table's rows: by its key, nulls first. Equal problems go by what was sent."""
    names = (*KEYS[table], "raw_value") if table == "data_issues" else KEYS[table]
    return lambda row: tuple((row[name] is not None, row[name] if row[name] is not None else 0) for name in names)
