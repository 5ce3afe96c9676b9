"""The example of the API's reference as the only answer: a call that nests a leg with its own id."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.dictionary import TABLES

CALL_ID, PARENT_ID = "497f6eca-6276-4993-bfeb-53cbbbba6f08", "429ac6c7-ec5a-4ab0-83cf-f52248dbb28d"
MOMENT = "2019-08-24T14:15:22Z"
MESSAGES = [{"role": "user", "content": "string"}]
LEG: dict[str, Any] = {
    "id": CALL_ID,
    "transferType": "warm_briefing",
    "transferStatus": "initiated",
    "durationSeconds": 0,
    "customerNumber": "string",
    "recordingUrl": "string",
    "transcript": MESSAGES,
    "startedAt": MOMENT,
    "endedAt": MOMENT,
    "cost": 0,
    "status": "string",
}
CALL: dict[str, Any] = {
    "id": CALL_ID,
    "organizationId": "7bc05553-4b68-44e8-b7bc-37be63c6d9e9",
    "agentId": "bc309ecf-5f66-4057-93c5-6611cc9cb7b2",
    "phoneNumberId": "8e9ce3fb-4d22-4fe3-baa7-b7892dd942d7",
    "callSid": "string",
    "provider": "string",
    "direction": "inbound",
    "status": "string",
    "customerNumber": "string",
    "durationSeconds": 0,
    "cost": 0,
    "recordingUrl": "string",
    "turnCount": 0,
    "transcript": MESSAGES,
    "analysis": {"summary": "string", "extractions": {}},
    "endedReason": "string",
    "contextVariables": {},
    "metadata": {},
    "parentCallId": PARENT_ID,
    "transferType": "warm_briefing",
    "transferStatus": "initiated",
    "transferCalls": [LEG],
    "startedAt": MOMENT,
    "endedAt": MOMENT,
    "createdAt": MOMENT,
}
RATIOS = {
    "call_metrics_daily": (
        *("cost_per_minute", "average_duration_seconds", "completion_rate", "containment_rate"),
        *("agent_word_share",),
    ),
    "transfer_metrics_daily": ("transfer_success_rate", "cost_per_minute"),
}


@pytest.fixture
def tables(program, serve):
    """Sync one call and return the tables of its day."""

    def sync(call: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        serve(items=[json.dumps(call).encode()])
        program.sync()
        program.assert_tables_are_the_oracles()
        (of_day,) = program.rows().values()
        return of_day

    return sync


def counts(of_day, *names):
    return [len(of_day[name]) for name in names]


def test_the_example_is_one_call_one_leg_and_one_turn(tables):
    of_day = tables(CALL)
    assert counts(of_day, "calls", "transfer_legs", "transcript_turns") == [1, 1, 1]
    (call,), (leg,), (turn,) = (of_day[name] for name in ("calls", "transfer_legs", "transcript_turns"))
    assert (call["call_id"], call["parent_call_id"], call["is_root"]) == (CALL_ID, PARENT_ID, False)
    assert (call["outcome"], call["is_transferred"], call["transfer_leg_count"]) == ("unknown", True, 1)
    assert (leg["leg_id"], leg["call_id"], leg["source"]) == (CALL_ID, CALL_ID, "nested")
    assert (leg["transfer_outcome"], leg["seconds_to_transfer"]) == ("pending", 0.0)
    assert (turn["call_id"], turn["leg_id"], turn["speaker"], turn["word_count"]) == (CALL_ID, CALL_ID, "customer", 1)
    # It is a leg of another call, and call metrics count root calls.
    assert counts(of_day, "call_metrics_daily", "call_volume_hourly", "call_attributes") == [0, 0, 0]
    (metrics,) = of_day["transfer_metrics_daily"]
    assert (metrics["legs"], metrics["pending_legs"], metrics["duration_seconds"], metrics["cost"]) == (1, 1, 0.0, 0.0)
    assert {metrics[name] for name in RATIOS["transfer_metrics_daily"]} == {None}


@pytest.mark.slow
def test_as_a_root_call_with_a_leg_of_another_id_it_counts(tables):
    of_day = tables({**CALL, "parentCallId": None, "transferCalls": [{**LEG, "id": "another"}]})
    assert counts(of_day, "calls", "transfer_legs", "transcript_turns") == [1, 1, 2]
    assert [turn["leg_id"] for turn in of_day["transcript_turns"]] == [None, "another"]
    assert counts(of_day, *(name for name in TABLES if name.endswith(("_daily", "_hourly")))) == [1, 1, 1]
    (metrics,) = of_day["call_metrics_daily"]
    assert [metrics[name] for name in ("calls", "transferred_calls", "connected_calls", "terminal_calls")] == [
        1,
        1,
        1,
        0,
    ]
    assert [metrics[name] for name in RATIOS["call_metrics_daily"]] == [None, 0.0, None, None, 0.0]
    assert (metrics["transfer_rate"], metrics["transfer_rate_all"]) == (1.0, 1.0)
    (legs,) = of_day["transfer_metrics_daily"]
    assert {legs[name] for name in RATIOS["transfer_metrics_daily"]} == {None}


@pytest.mark.slow
def test_its_words_that_no_map_has_are_noted(tables):
    noted = [(row["path"], row["kind"]) for row in tables(CALL)["data_issues"]]
    assert noted == [("$.status", "unknown_value")]
