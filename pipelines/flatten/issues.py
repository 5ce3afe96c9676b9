"""Build the table data_issues: the problems of a day's calls, collected while they are flattened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from pipelines.api_values import parse_instant
from pipelines.dictionary import TABLES, personal_columns
from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.source import JsonPath, members, path_text, source_at, value_of
from pipelines.json_source import decode, storable

INVALID = "invalid_value"
MISSING = "missing_value"
INCONSISTENT = "inconsistent"
UNKNOWN = "unknown_value"
REJECTED = "rejected_item"
RAW_VALUE_LENGTH = 1_000
Note = Callable[[int, str, str], None]
"""Records a bad value: its position in the column, the kind of the problem, and a message."""
_PERSONAL = {table: personal_columns(table) for table in TABLES}


@dataclass(frozen=True, slots=True)
class Origin:
    """The landed item that a value is from."""

    call_id: str | None
    payload: bytes
    landed_at: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of an item, without its origin.

    Attributes:
        column: The affected column, which decides whether the raw value is personal.
        steps: The path of the value in the item.
        kind: One of the kinds of data_issues.
        message: What is wrong, and what was done about it.
    """

    table: str
    column: str
    steps: JsonPath
    kind: str
    message: str


@dataclass
class Issues:
    """Collects problems.

    Attributes:
        keep_personal: Whether to keep raw values of personal columns.
    """

    keep_personal: bool
    rows: list[tuple[str | None, str, str, str, str, str | None, datetime]] = field(default_factory=list)

    def add(self, origin: Origin, problem: Problem) -> None:
        """Record one problem of an item."""
        raw: str | None = None
        if self.keep_personal or problem.column not in _PERSONAL[problem.table]:
            raw = source_at(origin.payload, problem.steps)
        if raw is not None:
            raw = storable(raw)[:RAW_VALUE_LENGTH]
        path = storable(path_text(problem.steps))
        self.rows.append((origin.call_id, problem.table, path, problem.kind, problem.message, raw, origin.landed_at))

    def add_rejected(self, origin: Origin, message: str) -> None:
        """Record an item that is not a call."""
        raw = storable(origin.payload.decode("utf-8", "replace"))[:RAW_VALUE_LENGTH] if self.keep_personal else None
        self.rows.append((origin.call_id, "calls", "$", REJECTED, message, raw, origin.landed_at))

    def take(self) -> pa.Table:
        """Return the problems collected since the last call as sorted rows of data_issues."""
        schema = arrow_schema("data_issues")
        rows = sorted(self.rows, key=lambda row: (row[0] or "", *row[1:4]))
        columns = list(zip(*rows, strict=True)) or [()] * len(schema)
        self.rows = []
        return pa.table([pa.array(values, part.type) for values, part in zip(columns, schema, strict=True)], schema)


def why_rejected(payload: str) -> str:
    """Return why an item was rejected, without any of its content."""
    try:
        value = decode(payload.encode("utf-8", "replace"))
    except ValueError:
        return "no JSON; kept in raw/rejected"
    if not isinstance(value, dict):
        return "no object; kept in raw/rejected"
    fields = members(payload)
    if not _is_usable_id(fields.get("id")):
        return "no usable id; kept in raw/rejected"
    moments = (value.get(name) for name in ("createdAt", "startedAt"))
    if not any(isinstance(moment, str) and parse_instant(moment)[0] for moment in moments):
        return "no usable createdAt or startedAt; kept in raw/rejected"
    return "a date before CHORUS_START_DATE or after tomorrow; kept in raw/rejected"


def _is_usable_id(source: str | None) -> bool:
    if source is None:
        return False
    if source.startswith('"'):
        return bool(str(value_of(source)).strip())
    return source in {"true", "false"} or source.removeprefix("-")[:1].isdigit()
