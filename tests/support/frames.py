"""Small frames of the lake's tables, of rows that say only what a test is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from pipelines.dictionary.schemas import polars_schema
from pipelines.metrics import call_metrics_daily, call_volume_hourly, transfer_metrics_daily
from pipelines.quality import CheckResult

DAY = date(2026, 3, 2)
"""The call date of these rows, a Monday."""

NO_PERSON = ("no_answer", "busy", "canceled", "voicemail")
NOT_OVER = ("in_progress", "unknown")


def at(clock: str, day: date = DAY) -> datetime:
    """Return the instant `HH:MM` or `HH:MM:SS` of a day, in UTC."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)


def call(call_id: str = "call_1", **known: Any) -> dict[str, Any]:
    """Return a row of `calls`: a completed root call of one minute at 10:00, but for what is said otherwise.

    The flags follow from outcome, duration and is_transferred as they do in the lake; ended_at follows from the start.
    """
    row: dict[str, Any] = {
        "call_id": call_id,
        "organization_id": "org_1",
        "agent_id": "agent_1",
        "phone_number_id": "number_1",
        "direction": "inbound",
        "provider": "twilio",
        "outcome": "completed",
        "duration_seconds": 60.0,
        "cost": 0.10,
        "is_root": True,
        "is_transferred": False,
        "transfer_leg_count": 0,
        "has_recording": False,
        "created_at": at("10:00"),
        "first_landed_at": at("12:00"),
        "landed_at": at("12:00"),
        "version_count": 1,
    } | known
    seconds = row["duration_seconds"]
    row.setdefault("started_at", row["created_at"])
    if row["started_at"] is not None and seconds is not None:
        row.setdefault("ended_at", row["started_at"] + timedelta(seconds=seconds))
    row["is_terminal"] = row["outcome"] not in NOT_OVER
    row["is_connected"] = row["is_transferred"] or ((seconds or 0) > 0 and row["outcome"] not in NO_PERSON)
    row["is_contained"] = row["is_connected"] and row["is_terminal"] and not row["is_transferred"]
    return row


def leg(leg_id: str = "leg_1", **known: Any) -> dict[str, Any]:
    """Return a row of `transfer_legs`: a successful leg of half a minute, nested in call_1, but for what is said."""
    return {
        "leg_id": leg_id,
        "call_id": "call_1",
        "leg_index": 0,
        "source": "nested",
        "parent_found": True,
        "organization_id": "org_1",
        "agent_id": "agent_1",
        "phone_number_id": "number_1",
        "direction": "inbound",
        "transfer_type": "warm",
        "transfer_outcome": "success",
        "duration_seconds": 30.0,
        "cost": 0.05,
        "has_recording": False,
        "seconds_to_transfer": 20.0,
    } | known


def frame(table: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Return rows as a frame of a table, in the order given; columns that a row does not have are null."""
    schema = polars_schema(table)
    unknown = {column for row in rows for column in row} - set(schema)
    assert not unknown, f"{table} has no columns {unknown}"
    return pl.DataFrame([{column: row.get(column) for column in schema} for row in rows], schema=schema)


Day = dict[str, pl.DataFrame]


def turn(call_id: str, leg_id: str | None, turn_index: int) -> dict[str, object]:
    return {"call_id": call_id, "leg_id": leg_id, "turn_index": turn_index, "speaker": "agent", "content": "Good day."}


def attribute(call_id: str, key: str) -> dict[str, object]:
    return {"call_id": call_id, "source": "metadata", "key": key, "value": "1", "value_type": "number"}


def with_marts(day: Day) -> Day:
    calls = day["calls"]
    return day | {
        "call_metrics_daily": call_metrics_daily(calls),
        "transfer_metrics_daily": transfer_metrics_daily(day["transfer_legs"]),
        "call_volume_hourly": call_volume_hourly(calls, day=DAY, timezone="Europe/Berlin"),
    }


def failed(verdicts: dict[str, CheckResult]) -> dict[str, int]:
    return {verdict.check: verdict.rows for verdict in verdicts.values() if not verdict.passed}


def put(rows: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    """Return the rows with some values of one row replaced."""
    here = pl.int_range(pl.len()) == row
    changed = (
        pl.when(here).then(pl.lit(value, dtype=rows.schema[name])).otherwise(name).alias(name)
        for name, value in values.items()
    )
    return rows.with_columns(*changed)


def again(rows: pl.DataFrame, row: int) -> pl.DataFrame:
    """Return the rows with one of them twice in a row."""
    return pl.concat([rows[: row + 1], rows[row:]])
