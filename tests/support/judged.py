"""Small days for checks to judge, and ways to change one row of them."""

from __future__ import annotations

import polars as pl

from pipelines.metrics import call_metrics_daily, call_volume_hourly, transfer_metrics_daily
from pipelines.quality import Verdict
from tests.support.frames import DAY

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


def failed(verdicts: dict[str, Verdict]) -> dict[str, int]:
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
