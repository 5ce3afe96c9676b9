"""An account with one customer to erase, who appears in every possible way, among others who must stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

NUMBER = "+15550100123"
SPELLINGS = (NUMBER, "+1 (555) 010-0123", "tel:+1-555-010-0123", "001 555 010 0123", "+1 555 010 0123 ext. 7")
"""Ways in which one number is sent."""
COLLEAGUE = "+15550100888"
OTHERS = "+15550100999"
ANYWHERE = re.compile(
    r"(?<!\d)1?[\W_]{0,3}5[\W_]{0,3}5[\W_]{0,3}5[\W_]{0,3}0[\W_]{0,3}1[\W_]{0,3}0[\W_]{0,3}0123(?!\d)"
)
"""The number, however it is written."""

_DOUBLE = "call-of-person-"
GONE = {f"{_DOUBLE}{name}" for name in ("first", "second", "third", "alone", "as-child")} | {
    "child-of-first",
    "child-of-child",
    "late-child-of-second",
    "leg-to-person",
}
"""The calls and child items that go."""
MENTIONING = {"mentions"}


def item(name: str, created: str, **fields: Any) -> dict[str, Any]:
    """Return a call as the API sends it."""
    return {
        "id": name,
        "organizationId": "org",
        "agentId": "agent",
        "phoneNumberId": "pn",
        "provider": "twilio",
        "direction": "inbound",
        "status": "completed",
        "customerNumber": OTHERS,
        "durationSeconds": 62,
        "cost": 0.2,
        "transcript": [{"role": "agent", "content": "Hello."}, {"role": "user", "content": "Good morning, all."}],
        "transferCalls": [],
        "startedAt": created,
        "createdAt": created,
        **fields,
    }


def leg(name: str | None, number: str | None = COLLEAGUE, **fields: Any) -> dict[str, Any]:
    """Return a nested leg."""
    known = {"transferType": "warm_briefing", "transferStatus": "completed", "durationSeconds": 7, "cost": 0.01}
    return {"id": name, "customerNumber": number, **known, **fields}


def everything() -> list[dict[str, Any]]:
    """Return every item, oldest first, as it is at last."""
    person = _DOUBLE
    return [
        item("alone-before", "2026-03-01T09:00:00Z"),
        item(
            f"{person}first",
            "2026-03-02T23:50:00Z",
            customerNumber=SPELLINGS[0],
            transferCalls=[leg("nested-in-first")],
        ),
        item(
            "stays", "2026-03-02T10:00:00Z", transferCalls=[leg("leg-that-stays"), leg("leg-to-person", SPELLINGS[1])]
        ),
        item("child-of-first", "2026-03-03T00:10:00Z", parentCallId=f"{person}first", customerNumber=COLLEAGUE),
        item("child-of-child", "2026-03-03T00:15:00Z", parentCallId="child-of-first", customerNumber=None),
        item("leg-to-person", "2026-03-03T00:20:00Z", parentCallId="stays", customerNumber=None),
        item("leg-that-stays", "2026-03-03T00:30:00Z", parentCallId="stays", customerNumber=COLLEAGUE),
        item(f"{person}as-child", "2026-03-03T11:00:00Z", parentCallId="stays", customerNumber=SPELLINGS[4]),
        item("own-leg", "2026-03-03T12:00:00Z", transferCalls=[leg("own-leg", SPELLINGS[2]), leg(None, SPELLINGS[3])]),
        item(
            "mentions",
            "2026-03-04T10:00:00Z",
            transcript=[{"role": "user", "content": "Call my wife at (555) 010-0123, please."}],
            analysis={"summary": f"Wants {person}second to be looked at.", "extractions": {"wife": NUMBER}},
            metadata={"ticket": "T-1"},
        ),
        item(f"{person}second", "2026-03-04T12:00:00Z", customerNumber=SPELLINGS[2]),
        item("copies", "2026-03-04T13:00:00Z", transferCalls=[leg(f"{person}second", None), leg("leg-of-copies")]),
        item(f"{person}third", "2026-03-04T14:00:00Z", customerNumber=SPELLINGS[3], transcript=[]),
        item("late-child-of-second", "2026-03-05T02:00:00Z", parentCallId=f"{person}second", customerNumber=OTHERS),
        item(f"{person}alone", "2026-03-06T12:00:00Z", customerNumber=NUMBER),
        item("after", "2026-03-07T12:00:00Z"),
        item(None, "2026-03-07T12:00:00Z", customerNumber=SPELLINGS[1]),  # type: ignore[arg-type]
        item("without-a-time", "soon", customerNumber=OTHERS, startedAt=None, metadata={"of": f"{person}first"}),
        item("without-a-time-either", "soon", startedAt=None),
        {"note": f"please call {NUMBER} back"},
    ]


def encoded(items: list[dict[str, Any]]) -> list[bytes]:
    """Items, given oldest first, as they are sent: newest first."""
    return [json.dumps(one, ensure_ascii=False).encode() for one in reversed(items)]


def without_the_person(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the account as it would be if the person had never called."""
    kept = []
    for one in items:
        if one.get("id") in GONE or one.get("customerNumber") in SPELLINGS or "note" in one:
            continue
        if one["id"] == "without-a-time":
            continue
        legs = [
            part
            for part in one.get("transferCalls", [])
            if part["customerNumber"] not in SPELLINGS and part["id"] not in GONE
        ]
        kept.append({**one, "transferCalls": legs})
    return kept


def texts_of(lake: Path) -> Iterator[tuple[str, str, str]]:
    """Yield every text in every file of a lake and of its catalog: the file, the column and the text."""
    for path in sorted(path for path in lake.rglob("*") if path.is_file()):
        place = path.relative_to(lake).as_posix()
        yield place, "name", place
        if path.suffix != ".parquet":
            yield place, "bytes", path.read_bytes().decode("latin-1")
            continue
        with pq.ParquetFile(path) as file:
            yield place, "footer", str(file.metadata.metadata)
            for group in range(file.metadata.num_row_groups):
                for number in range(file.metadata.num_columns):
                    known = file.metadata.row_group(group).column(number)
                    if known.statistics is not None and known.statistics.has_min_max:
                        yield place, known.path_in_schema, str(known.statistics.min)
                        yield place, known.path_in_schema, str(known.statistics.max)
            for name, column in zip(file.schema_arrow.names, file.read().columns, strict=True):
                for value in column.to_pylist():
                    yield place, name, str(value)
    with duckdb.connect(str(lake / "chorus.duckdb"), read_only=True) as catalog:
        for (table,) in catalog.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall():
            for row in catalog.execute(f'SELECT * FROM "{table}"').fetchall():
                yield f"catalog {table}", "", repr(row)


def traces(lake: Path) -> set[tuple[str, str, str]]:
    """Return where the person still is: the file, the column, and the text if it is none of many."""
    return {
        (place, column, text[:300])
        for place, column, text in texts_of(lake)
        if ANYWHERE.search(text) or any(name in text for name in GONE)
    }
