"""The names, order and types that dashboards and scripts depend on are those that the tests list independently."""

from __future__ import annotations

import pytest

from pipelines.dictionary import CORE_TABLES, MARTS, RAW, TABLES
from tests.oracle.names import FLAG, INSTANT, KEYS, TEXT
from tests.oracle.tables import CONTRACT


def test_the_tables_are_the_contracts_in_its_order():
    assert list(TABLES) == list(CONTRACT)
    assert tuple(CONTRACT) == CORE_TABLES + MARTS
    assert len(CORE_TABLES) == 5


@pytest.mark.parametrize("table", CONTRACT)
def test_columns_have_the_contracts_names_order_and_types(table):
    assert [(column.name, str(column.type)) for column in TABLES[table].columns] == list(CONTRACT[table].items())


@pytest.mark.parametrize("table", KEYS)
def test_keys_are_the_contracts(table):
    assert TABLES[table].key == (() if table == "data_issues" else KEYS[table])
    assert TABLES[table].sort_by == KEYS[table]


@pytest.mark.parametrize(
    ("table", "never_null"),
    [
        ("calls", "call_id outcome is_terminal is_root has_recording landed_at version_count"),
        ("transcript_turns", "call_id turn_index speaker"),
        ("transfer_legs", "leg_id call_id source parent_found transfer_outcome"),
        ("call_attributes", "call_id source key value_type"),
        ("call_metrics_daily", "calls cost_missing_calls duration_calls duration_gt_1800"),
        ("call_volume_hourly", "hour_utc local_date calls peak_concurrency"),
    ],
)
def test_what_is_always_known_is_not_nullable(table, never_null):
    assert [name for name in never_null.split() if TABLES[table].column(name).nullable] == []


@pytest.mark.parametrize(
    ("table", "can_be_null"),
    [
        ("calls", "direction duration_seconds cost message_count turn_count summary created_at deleted_at"),
        ("transcript_turns", "leg_id role content word_count"),
        ("transfer_legs", "leg_index agent_id seconds_to_transfer message_count"),
        ("call_attributes", "value value_number"),
        ("data_issues", "call_id raw_value"),
        ("call_metrics_daily", "agent_id duration_seconds cost messages turns connect_rate"),
        ("transfer_metrics_daily", "transfer_type cost_rated transfer_success_rate"),
    ],
)
def test_what_can_be_unknown_is_nullable(table, can_be_null):
    assert [name for name in can_be_null.split() if not TABLES[table].column(name).nullable] == []


def test_raw_versions_have_the_contracts_columns():
    assert [(column.name, column.type) for column in RAW.columns] == [
        ("call_id", TEXT),
        ("landed_at", INSTANT),
        ("sync_id", TEXT),
        ("payload_hash", TEXT),
        ("deleted", FLAG),
        ("payload", TEXT),
    ]
