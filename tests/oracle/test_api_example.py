"""The example of the API's reference, and what each table makes of it."""

import json
from datetime import UTC, date, datetime

from tests.oracle.compare import assert_same_rows
from tests.oracle.examples import (
    API_CALL,
    API_LEG,
    OWN_ID,
    PARENT_ID,
    issues,
    only,
    tables,
)
from tests.oracle.items import Version
from tests.oracle.names import ANALYSIS_TEXTS, SENT
from tests.oracle.rows import Shaping
from tests.oracle.tables import call_date, expected_lake

EXAMPLE_DAY = date(2019, 8, 24)
MOMENT = datetime(2019, 8, 24, 14, 15, 22, tzinfo=UTC)
EXAMPLE_LANDED = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
OTHER_ID = "5b0c4b4e-19f6-4a3c-8d5e-0d6c7a1f2e3d"
VARIANT = API_CALL | {"parentCallId": None, "transferCalls": [API_LEG | {"id": OTHER_ID}]}


def of(item):
    version = Version(OWN_ID, json.dumps(item, indent=2), EXAMPLE_LANDED)
    assert call_date(version.payload) == EXAMPLE_DAY
    lake = expected_lake({EXAMPLE_DAY: [version]}, {}, Shaping())
    assert list(lake) == [EXAMPLE_DAY]
    return lake[EXAMPLE_DAY]


def test_the_call_is_one_row_with_every_field_and_null_for_fields_it_lacks():
    calls = of(API_CALL)["calls"]
    expected = (
        only(calls)
        | dict.fromkeys((*SENT["calls"], *ANALYSIS_TEXTS))
        | {
            "call_id": OWN_ID,
            "organization_id": "7bc05553-4b68-44e8-b7bc-37be63c6d9e9",
            "agent_id": "bc309ecf-5f66-4057-93c5-6611cc9cb7b2",
            "phone_number_id": "8e9ce3fb-4d22-4fe3-baa7-b7892dd942d7",
            "call_sid": "string",
            "provider": "string",
            "direction": "inbound",
            "status": "string",
            "outcome": "unknown",
            "is_terminal": False,
            "is_connected": True,
            "ended_reason": "string",
            "customer_number": None,
            "customer_key": None,
            "duration_seconds": 0.0,
            "cost": 0.0,
            "cost_per_minute": None,
            "turn_count": 0,
            "message_count": 1,
            "user_message_count": 1,
            "agent_message_count": 0,
            "user_word_count": 1,
            "agent_word_count": 0,
            "is_root": False,
            "parent_call_id": PARENT_ID,
            "transfer_type": "warm_briefing",
            "transfer_status": "initiated",
            "transfer_leg_count": 1,
            "is_transferred": True,
            "is_contained": False,
            "seconds_to_transfer": 0.0,
            "has_recording": True,
            "recording_url": None,
            "summary": "string",
            "extractions": "{}",
            "context_variables": "{}",
            "metadata": "{}",
            "started_at": MOMENT,
            "ended_at": MOMENT,
            "created_at": MOMENT,
            "started_at_local": datetime(2019, 8, 24, 14, 15, 22),  # noqa: DTZ001 - a local time has no zone
            "first_landed_at": EXAMPLE_LANDED,
            "landed_at": EXAMPLE_LANDED,
            "version_count": 1,
            "deleted_at": None,
        }
    )
    assert_same_rows(calls, [expected], "calls")


def test_its_own_leg_is_one_leg_of_it_with_one_turn():
    of_day = of(API_CALL)
    expected_leg = (
        only(of_day["transfer_legs"])
        | dict.fromkeys(SENT["transfer_legs"])
        | {
            "leg_id": OWN_ID,
            "call_id": OWN_ID,
            "leg_index": 0,
            "source": "nested",
            "parent_found": True,
            "organization_id": "7bc05553-4b68-44e8-b7bc-37be63c6d9e9",
            "agent_id": "bc309ecf-5f66-4057-93c5-6611cc9cb7b2",
            "phone_number_id": "8e9ce3fb-4d22-4fe3-baa7-b7892dd942d7",
            "direction": "inbound",
            "transfer_type": "warm_briefing",
            "transfer_status": "initiated",
            "transfer_outcome": "pending",
            "status": "string",
            "duration_seconds": 0.0,
            "cost": 0.0,
            "cost_per_minute": None,
            "customer_number": None,
            "customer_key": None,
            "has_recording": True,
            "recording_url": None,
            "message_count": 1,
            "seconds_to_transfer": 0.0,
            "started_at": MOMENT,
            "ended_at": MOMENT,
            "deleted_at": None,
        }
    )
    assert_same_rows(of_day["transfer_legs"], [expected_leg], "transfer_legs")
    turn = only(of_day["transcript_turns"])
    assert tuple(turn.values()) == (OWN_ID, OWN_ID, 0, "user", "customer", "string", 1, 6)
    assert of_day["call_attributes"] == []
    assert issues(of_day) == [(OWN_ID, "calls", "$.status", "unknown_value", '"string"')]


def test_a_child_is_in_no_call_metrics_and_its_leg_divides_nothing_by_zero():
    of_day = of(API_CALL)
    assert of_day["call_metrics_daily"] == []
    assert of_day["call_volume_hourly"] == []
    metrics = only(of_day["transfer_metrics_daily"])
    assert (metrics["legs"], metrics["pending_legs"], metrics["duration_legs"]) == (1, 1, 1)
    assert (metrics["cost"], metrics["cost_rated"], metrics["seconds_rated"]) == (0.0, None, None)
    assert (metrics["transfer_success_rate"], metrics["cost_per_minute"]) == (None, None)
    assert metrics["average_leg_seconds"] == 0.0  # one leg is known to have lasted 0 seconds


def test_as_a_root_call_with_another_leg_it_has_two_turns_and_a_row_in_each_mart():
    of_day = of(VARIANT)
    assert {table: len(rows) for table, rows in of_day.items()} == {
        "calls": 1,
        "transcript_turns": 2,
        "transfer_legs": 1,
        "call_attributes": 0,
        "data_issues": 1,
        "call_metrics_daily": 1,
        "transfer_metrics_daily": 1,
        "call_volume_hourly": 1,
    }
    assert [(turn["call_id"], turn["leg_id"]) for turn in of_day["transcript_turns"]] == [
        (OWN_ID, None),
        (OWN_ID, OTHER_ID),
    ]
    assert only(of_day["transfer_legs"])["leg_id"] == OTHER_ID
    metrics = only(of_day["call_metrics_daily"])
    assert metrics["calls"] == metrics["connected_calls"] == metrics["short_calls"] == metrics["duration_le_10"] == 1
    assert metrics["terminal_calls"] == metrics["connected_terminal_calls"] == metrics["contained_calls"] == 0
    assert (metrics["cost"], metrics["cost_rated"], metrics["cost_zero_duration"]) == (0.0, None, 0.0)
    assert (metrics["cost_per_minute"], metrics["completion_rate"], metrics["containment_rate"]) == (None,) * 3
    assert (metrics["connect_rate"], metrics["transfer_rate"], metrics["average_duration_seconds"]) == (1.0, 1.0, 0.0)
    hour = only(of_day["call_volume_hourly"])
    assert (hour["hour_utc"], hour["local_hour"], hour["local_weekday"], hour["peak_concurrency"]) == (14, 14, 6, 0)


def test_a_leg_of_the_parent_that_is_seen_too_is_the_same_leg():
    parent = API_CALL | {"id": PARENT_ID, "parentCallId": None, "transferCalls": [API_LEG], "transcript": None}
    child = API_CALL | {"transferCalls": []}
    of_day = tables(parent, child, day=EXAMPLE_DAY)
    leg = only(of_day["transfer_legs"])
    assert (leg["leg_id"], leg["call_id"], leg["source"]) == (OWN_ID, PARENT_ID, "nested")
    assert [(turn["call_id"], turn["leg_id"]) for turn in of_day["transcript_turns"]] == [(PARENT_ID, OWN_ID)]
    assert only(of_day["call_metrics_daily"])["calls"] == 1
