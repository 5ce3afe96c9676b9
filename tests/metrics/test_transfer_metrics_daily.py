from __future__ import annotations

import polars as pl
import pytest

from pipelines.dictionary.schemas import polars_schema
from pipelines.metrics import LEG_COLUMNS, transfer_metrics_daily
from tests.support.frames import at, frame, leg


def metrics(*rows: dict[str, object]) -> pl.DataFrame:
    return transfer_metrics_daily(frame("transfer_legs", *rows).select(LEG_COLUMNS))


def test_a_day_worked_out_by_hand():
    day = metrics(
        leg("a", duration_seconds=30.0, cost=0.05, seconds_to_transfer=20.0),
        leg("b", duration_seconds=90.0, cost=None, seconds_to_transfer=None),
        leg("c", transfer_outcome="failed", duration_seconds=0.0, cost=0.01, seconds_to_transfer=40.0),
        leg("d", transfer_outcome="pending", duration_seconds=None, cost=0.02, seconds_to_transfer=None),
        leg("e", transfer_outcome="unknown", duration_seconds=60.0, cost=0.10, seconds_to_transfer=None),
        leg("f", deleted_at=at("13:00")),
    )
    assert day.height == 1
    row = day.row(0, named=True)
    expected = {
        "organization_id": "org_1",
        "agent_id": "agent_1",
        "phone_number_id": "number_1",
        "direction": "inbound",
        "transfer_type": "warm",
        "legs": 5,
        "successful_legs": 2,
        "failed_legs": 1,
        "pending_legs": 1,
        "unknown_legs": 1,
        "duration_seconds": 180.0,
        "duration_legs": 4,
        "cost": 0.18,
        "cost_rated": 0.15,
        "seconds_rated": 90.0,
        "seconds_to_transfer": 60.0,
        "seconds_to_transfer_legs": 2,
        "transfer_success_rate": 2 / 3,
        "average_leg_seconds": 45.0,
        "cost_per_minute": 0.10,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_columns_types_and_order_are_the_dictionarys():
    assert metrics(leg()).schema == polars_schema("transfer_metrics_daily")
    assert metrics().schema == polars_schema("transfer_metrics_daily")
    assert metrics().height == 0


def test_pending_and_unknown_legs_alone_give_no_success_rate():
    row = metrics(leg(transfer_outcome="pending", duration_seconds=None, cost=None, seconds_to_transfer=None))
    null = ["duration_seconds", "cost", "cost_rated", "seconds_rated", "seconds_to_transfer"]
    null += ["transfer_success_rate", "average_leg_seconds", "cost_per_minute"]
    assert row.select(null).row(0) == (None,) * len(null)


def test_legs_are_grouped_by_kind_of_transfer_with_none_first():
    day = metrics(leg("a", transfer_type="warm"), leg("b", transfer_type=None), leg("c", transfer_type="cold"))
    assert day["transfer_type"].to_list() == [None, "cold", "warm"]
