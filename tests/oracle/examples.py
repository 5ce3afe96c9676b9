"""Short ways to say "on this day the API had these calls" and to check what comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.oracle.items import Version
from tests.oracle.rows import Row, Shaping
from tests.oracle.tables import expected_tables

DAY = date(2026, 3, 10)
LANDED = datetime(2026, 3, 20, tzinfo=UTC)
SHOWN = Shaping(pii="raw")


def call(call_id: str = "c1", **fields: Any) -> dict[str, Any]:
    """Return a call of the day at noon with little in it; every field can be given otherwise."""
    return {"id": call_id, "createdAt": "2026-03-10T12:00:00Z", **fields}


def day_before(call_id: str, **fields: Any) -> dict[str, Any]:
    """Return a call of the day before, late in the evening."""
    return {"id": call_id, "createdAt": "2026-03-09T23:50:00Z", **fields}


def landed(item: dict[str, Any] | str, call_id: str | None = None, minutes: int = 0) -> Version:
    """Return a version of a call, from its fields or its JSON text."""
    text = item if isinstance(item, str) else json.dumps(item)
    return Version(call_id or json.loads(text)["id"], text, LANDED + timedelta(minutes=minutes))


def tables(
    *calls: dict[str, Any] | str | Version,
    before: Iterable[dict[str, Any] | Version] = (),
    rejected: Iterable[Version] = (),
    shaping: Shaping = SHOWN,
    day: date = DAY,
) -> dict[str, list[Row]]:
    """Return the tables of a day with these calls."""
    return expected_tables(day, _versions(calls), _versions(before), list(rejected), shaping)


def _versions(calls: Iterable[dict[str, Any] | str | Version]) -> list[Version]:
    return [item if isinstance(item, Version) else landed(item) for item in calls]


def only(rows: list[Row]) -> Row:
    """Return the one row there is."""
    assert len(rows) == 1, rows
    return rows[0]


def pick(rows: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    """These columns of every row."""
    return [tuple(row[column] for column in columns) for row in rows]


def issues(of_day: dict[str, list[Row]]) -> list[tuple[Any, ...]]:
    """Return what was wrong that day, without the wording."""
    return pick(of_day["data_issues"], "call_id", "table_name", "path", "kind", "raw_value")


OWN_ID = "497f6eca-6276-4993-bfeb-53cbbbba6f08"
PARENT_ID = "429ac6c7-ec5a-4ab0-83cf-f52248dbb28d"

API_LEG: dict[str, Any] = {
    "id": OWN_ID,
    "transferType": "warm_briefing",
    "transferStatus": "initiated",
    "durationSeconds": 0,
    "customerNumber": "string",
    "recordingUrl": "string",
    "transcript": [{"role": "user", "content": "string"}],
    "startedAt": "2019-08-24T14:15:22Z",
    "endedAt": "2019-08-24T14:15:22Z",
    "cost": 0,
    "status": "string",
}
"""The example of the API's reference: a child call that nests a leg with its own id."""
API_CALL: dict[str, Any] = {
    "id": OWN_ID,
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
    "transcript": [{"role": "user", "content": "string"}],
    "analysis": {"summary": "string", "extractions": {}},
    "endedReason": "string",
    "contextVariables": {},
    "metadata": {},
    "parentCallId": PARENT_ID,
    "transferType": "warm_briefing",
    "transferStatus": "initiated",
    "transferCalls": [API_LEG],
    "startedAt": "2019-08-24T14:15:22Z",
    "endedAt": "2019-08-24T14:15:22Z",
    "createdAt": "2019-08-24T14:15:22Z",
}
