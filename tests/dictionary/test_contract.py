"""The names, order and types that dashboards and scripts hang on, written out once more by hand."""

from __future__ import annotations

import pytest

from pipelines.dictionary import CORE_TABLES, MARTS, RAW, TABLES, ColumnType

TEXT, INT, NUM, FLAG = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.FLAG
INSTANT, LOCAL, DATE = ColumnType.INSTANT, ColumnType.LOCAL_TIME, ColumnType.DATE

CONTRACT = {
    "calls": [
        ("call_id organization_id agent_id phone_number_id call_sid provider direction status outcome", TEXT),
        ("is_terminal is_connected", FLAG),
        ("ended_reason customer_number customer_key", TEXT),
        ("duration_seconds cost cost_per_minute", NUM),
        ("turn_count message_count user_message_count agent_message_count user_word_count agent_word_count", INT),
        ("is_root", FLAG),
        ("parent_call_id transfer_type transfer_status", TEXT),
        ("transfer_leg_count", INT),
        ("is_transferred is_contained", FLAG),
        ("seconds_to_transfer", NUM),
        ("has_recording", FLAG),
        ("recording_url summary extractions context_variables metadata", TEXT),
        ("started_at ended_at created_at", INSTANT),
        ("started_at_local", LOCAL),
        ("first_landed_at landed_at", INSTANT),
        ("version_count", INT),
        ("deleted_at", INSTANT),
    ],
    "transcript_turns": [
        ("call_id leg_id", TEXT),
        ("turn_index", INT),
        ("role speaker content", TEXT),
        ("word_count char_count", INT),
    ],
    "transfer_legs": [
        ("leg_id call_id", TEXT),
        ("leg_index", INT),
        ("source", TEXT),
        ("parent_found", FLAG),
        ("organization_id agent_id phone_number_id direction", TEXT),
        ("transfer_type transfer_status transfer_outcome status", TEXT),
        ("duration_seconds cost cost_per_minute", NUM),
        ("customer_number customer_key", TEXT),
        ("has_recording", FLAG),
        ("recording_url", TEXT),
        ("message_count", INT),
        ("seconds_to_transfer", NUM),
        ("started_at ended_at deleted_at", INSTANT),
    ],
    "call_attributes": [("call_id source key value value_type", TEXT), ("value_number", NUM)],
    "data_issues": [("call_id table_name path kind message raw_value", TEXT), ("landed_at", INSTANT)],
    "call_metrics_daily": [
        ("organization_id agent_id phone_number_id direction provider", TEXT),
        ("calls terminal_calls connected_calls connected_terminal_calls completed_calls failed_calls", INT),
        ("no_answer_calls busy_calls voicemail_calls canceled_calls unknown_outcome_calls", INT),
        ("transferred_calls contained_calls short_calls cost_missing_calls summary_calls extraction_calls", INT),
        ("duration_seconds", NUM),
        ("duration_calls", INT),
        ("cost cost_rated seconds_rated cost_zero_duration", NUM),
        ("messages user_words agent_words turns turn_calls", INT),
        ("seconds_to_transfer", NUM),
        ("seconds_to_transfer_calls", INT),
        ("duration_le_10 duration_le_30 duration_le_60 duration_le_120 duration_le_300 duration_le_600", INT),
        ("duration_le_1800 duration_gt_1800", INT),
        ("cost_per_minute average_duration_seconds connect_rate completion_rate transfer_rate", NUM),
        ("transfer_rate_all containment_rate short_call_rate agent_word_share", NUM),
    ],
    "transfer_metrics_daily": [
        ("organization_id agent_id phone_number_id direction transfer_type", TEXT),
        ("legs successful_legs failed_legs pending_legs unknown_legs", INT),
        ("duration_seconds", NUM),
        ("duration_legs", INT),
        ("cost cost_rated seconds_rated seconds_to_transfer", NUM),
        ("seconds_to_transfer_legs", INT),
        ("transfer_success_rate average_leg_seconds cost_per_minute", NUM),
    ],
    "call_volume_hourly": [
        ("hour_utc", INT),
        ("agent_id direction", TEXT),
        ("local_date", DATE),
        ("local_hour local_weekday", INT),
        ("calls connected_calls connected_terminal_calls completed_calls transferred_calls contained_calls", INT),
        ("duration_seconds cost cost_rated seconds_rated", NUM),
        ("peak_concurrency", INT),
    ],
}

KEYS = {
    "calls": ("call_id",),
    "transcript_turns": ("call_id", "leg_id", "turn_index"),
    "transfer_legs": ("leg_id",),
    "call_attributes": ("call_id", "source", "key"),
    "data_issues": (),
    "call_metrics_daily": ("organization_id", "agent_id", "phone_number_id", "direction", "provider"),
    "transfer_metrics_daily": ("organization_id", "agent_id", "phone_number_id", "direction", "transfer_type"),
    "call_volume_hourly": ("hour_utc", "agent_id", "direction"),
}


def test_the_tables_are_the_contracts_in_its_order():
    assert list(TABLES) == list(CONTRACT)
    assert tuple(CONTRACT) == CORE_TABLES + MARTS
    assert len(CORE_TABLES) == 5


@pytest.mark.parametrize("table", CONTRACT)
def test_columns_have_the_contracts_names_order_and_types(table):
    expected = [(name, kind) for names, kind in CONTRACT[table] for name in names.split()]
    assert [(column.name, column.type) for column in TABLES[table].columns] == expected


@pytest.mark.parametrize("table", KEYS)
def test_keys_are_the_contracts(table):
    assert TABLES[table].key == KEYS[table]


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
