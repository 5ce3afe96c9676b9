"""Rows that change need a new TABLE_VERSION: without it, lakes keep days that another code has built.

Where this test fails and the change is meant, raise TABLE_VERSION in pipelines/workspace.py; `make docs` then records
the digests of the new rows, and refuses to do so for a version that has other ones.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

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
KNOWN = Path(__file__).with_name("table_version.json")
"""The digest of each table's rows in this version."""


def test_rows_change_only_with_the_table_version():
    assert (TABLE_VERSION, digests()) == known()


def known() -> tuple[int, dict[str, str]]:
    stored = json.loads(KNOWN.read_text())
    return stored["table_version"], stored["digests"]


def digests() -> dict[str, str]:
    history = History()
    for payload in PAYLOADS:
        history.receive(payload, LANDED)
    expected = expected_lake(history.versions, history.rejected, SHAPING)
    found: dict[str, list[object]] = {}
    for day, tables in sorted(tables_of(history).items()):
        assert_same_tables(tables, expected[day])
        for table, rows in tables.items():
            found.setdefault(table, []).extend([str(day), *_plain(rows)])
    return {
        table: hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()[:16] for table, rows in found.items()
    }


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


def record() -> None:
    """Record the digests of a new table version; refuse others for the same version."""
    now = digests()
    version, before = known()
    if now != before and version == TABLE_VERSION:
        changed = ", ".join(table for table in now if now[table] != before.get(table))
        sys.exit(f"The rows of {changed} have changed: raise TABLE_VERSION in pipelines/workspace.py.")
    KNOWN.write_text(json.dumps({"table_version": TABLE_VERSION, "digests": now}, indent=2) + "\n")


if __name__ == "__main__":
    record()
