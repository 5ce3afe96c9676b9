"""Rows that change need a new TABLE_VERSION: without it, lakes keep days that another code has built.

Where this test fails and the change is meant, raise TABLE_VERSION in pipelines/workspace.py and put the new
digests in the place of the old ones; the failure shows them.
"""

from __future__ import annotations

import hashlib
import json

from pipelines.workspace import TABLE_VERSION
from tests.oracle.compare import assert_same_tables
from tests.oracle.tables import expected_lake
from tests.support.flattened import LANDED
from tests.support.generated_calls import History
from tests.support.lakes import SHAPING, tables_of

PAYLOADS = (
    (
        '{"id":"a1","createdAt":"2026-03-10T12:00:00Z","startedAt":"2026-03-10T12:00:02Z","endedAt":"2026-03-10T12:03:02Z",'
        '"organizationId":"o1","agentId":"g1","phoneNumberId":"p1","provider":"twilio","direction":"inbound",'
        '"status":"ended","endedReason":"customer-ended-call","customerNumber":"+1 555 010 0167","durationSeconds":180,'
        '"cost":"0.45","recordingUrl":"https://recordings.test/a1","turnCount":3,"transcript":[{"role":"user","content":'
        '"Hello there"},{"role":"assistant","content":"Good\\u00a0day, how can I help?"},{"role":"robot","content":'
        'null}],"analysis":{"summary":"A greeting","extractions":{"intent":"hello","score":1.50,"tags":["a", "b"]}},'
        '"contextVariables":{"tier":null,"vip":true},"metadata":{},"transferCalls":[{"id":"l1","transferType":'
        '"warm_briefing","transferStatus":"bridged","startedAt":"2026-03-10T12:01:02Z","transcript":[{"role":"agent",'
        '"content":"One moment"}]},{"durationSeconds":30,"cost":0.05,"transferStatus":"odd"}]}'
    ),
    (
        '{"id":"l1","parentCallId":"a1","createdAt":"2026-03-10T12:01:00Z","startedAt":"2026-03-10T12:01:02Z",'
        '"durationSeconds":60,"cost":0.20,"status":"completed","transcript":[{"role":"user","content":"Thanks"}]}'
    ),
    (
        '{"id":"a2","createdAt":"2026-03-10T13:30:00","status":"no-answer","agentId":"g1","direction":"outbound",'
        '"durationSeconds":-5,"cost":NaN,"customerNumber":"anonymous","metadata":"none"}'
    ),
    (
        '{"id":"a3","startedAt":"2026-03-10T23:59:00+00:00","endedAt":"2026-03-11T00:09:00Z","status":"Completed",'
        '"agentId":7,"direction":"inbound","durationSeconds":600,"cost":0,"transcript":[]}'
    ),
    '{"id":"a4","createdAt":"2026-03-10T23:59:30Z","status":"in_progress","agentId":"g1","direction":"inbound"}',
    '{"createdAt":"2026-03-10T23:59:30Z"}',
)
DIGESTS = {
    "calls": "007519ec89a341fc",
    "transcript_turns": "00343d3554e22278",
    "transfer_legs": "523c05a1b026aedd",
    "call_attributes": "0acc8d5b728b0f40",
    "data_issues": "e236dd60e72ff7ec",
    "call_metrics_daily": "aa2a09d0117e86b8",
    "transfer_metrics_daily": "e463dcab4e665aa6",
    "call_volume_hourly": "ec292caafb55abdf",
}
DIGESTS_OF_VERSION = 1


def test_rows_change_only_with_the_table_version():
    history = History()
    for payload in PAYLOADS:
        history.receive(payload, LANDED)
    expected = expected_lake(history.versions, history.rejected, SHAPING)
    found: dict[str, list[object]] = {}
    for day, tables in sorted(tables_of(history).items()):
        assert_same_tables(tables, expected[day])
        for table, rows in tables.items():
            found.setdefault(table, []).extend([str(day), *_plain(rows)])
    digests = {
        table: hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()[:16] for table, rows in found.items()
    }
    assert (TABLE_VERSION, digests) == (DIGESTS_OF_VERSION, DIGESTS)


def _plain(rows):
    """Rows without what may differ from machine to machine, or is free to be put in other words."""
    return [
        [
            (name, f"{value:.9g}" if isinstance(value, float) else value)
            for name, value in row.items()
            if name != "message"
        ]
        for row in rows
    ]
