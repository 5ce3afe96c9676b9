"""The flattening alone, from payloads in memory to the rows of the five core tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from pipelines.dictionary import CORE_TABLES
from pipelines.flatten.day import DayFlattener, index_calls
from pipelines.flatten.settings import Customers, FlattenSettings, load_outcomes
from tests.oracle.items import Version
from tests.oracle.rows import Shaping
from tests.support.generated_calls import History
from tests.support.json_text import to_json

DAY = date(2026, 3, 10)
LANDED = datetime(2026, 3, 20, tzinfo=UTC)

_INSTANT = pa.timestamp("us", "UTC")
_CALLS = pa.schema(
    [
        ("call_id", pa.string()),
        ("payload", pa.string()),
        ("first_landed_at", _INSTANT),
        ("landed_at", _INSTANT),
        ("version_count", pa.int64()),
        ("deleted_at", _INSTANT),
    ]
)
_REJECTED = pa.schema([("call_id", pa.string()), ("payload", pa.string()), ("landed_at", _INSTANT)])

Rows = dict[str, list[dict[str, Any]]]


def flatten(history: History, day: date, shaping: Shaping, *, chunk: int = 100) -> Rows:
    """Return the rows of a day's core tables, as the flattening makes them from a history."""
    shape = FlattenSettings(shaping.timezone, shaping.pii == "mask", load_outcomes(None), Customers(shaping.pii_key))
    before = day - timedelta(days=1)
    rejected = [
        {"call_id": version.call_id, "payload": version.payload, "landed_at": version.landed_at}
        for version in history.rejected.get(day, [])
    ]
    flattener = DayFlattener(
        lambda _: _read(history.versions.get(day, []), chunk),
        lambda: index_calls(lambda _: _read(history.versions.get(before, []), chunk)),
        pa.Table.from_pylist(rejected, schema=_REJECTED),
        shape,
    )
    rows: Rows = {table: [] for table in CORE_TABLES}
    for part in flattener.parts():
        for table, of_part in part.items():
            rows[table] += of_part.to_pylist()
    return rows


def flatten_calls(*calls: Mapping[str, Any], shaping: Shaping | None = None) -> Rows:
    """Return the rows that calls of one day come to; each is written as plain JSON."""
    history = History()
    for call in calls:
        history.receive(to_json(dict(call)), LANDED)
    (day,) = history.versions
    return flatten(history, day, shaping or Shaping(pii="raw"))


def call(call_id: str = "c1", **fields: Any) -> dict[str, Any]:
    """Return a call of the day at noon with little in it; every field can be given otherwise."""
    return {"id": call_id, "createdAt": "2026-03-10T12:00:00Z", **fields}


def issues(rows: Rows) -> list[tuple[Any, ...]]:
    """Return what was wrong, without the wording: call, table, path, kind, raw value."""
    names = ("call_id", "table_name", "path", "kind", "raw_value")
    return [tuple(row[name] for name in names) for row in rows["data_issues"]]


def _read(versions: Sequence[Version], chunk: int) -> Iterator[pa.Table]:
    newest = sorted(_newest(versions), key=lambda row: row["call_id"])
    for start in range(0, len(newest), chunk):
        yield pa.Table.from_pylist(newest[start : start + chunk], schema=_CALLS)


def _newest(versions: Iterable[Version]) -> Iterator[dict[str, Any]]:
    by_call: dict[str | None, list[Version]] = defaultdict(list)
    for version in sorted(versions, key=lambda version: version.landed_at):
        by_call[version.call_id].append(version)
    for call_id, of_call in by_call.items():
        if of_call[-1].moved:
            continue
        payloads = [version for version in of_call if version.payload is not None]
        yield {
            "call_id": call_id,
            "payload": payloads[-1].payload,
            "first_landed_at": payloads[0].landed_at,
            "landed_at": payloads[-1].landed_at,
            "version_count": len(payloads),
            "deleted_at": of_call[-1].landed_at if of_call[-1].payload is None else None,
        }
