"""One call and its transcript, read from the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from pipelines.errors import ChorusCallsError
from pipelines.serve.query import run_query

_LINES: Final = "FROM transcript($1) ORDER BY position"
_CALLS: Final = """
SELECT calls.call_id, calls.call_date, calls.agent_id, agents.name, calls.direction, calls.customer_number,
    calls.started_at, calls.outcome, calls.duration_seconds, calls.cost, calls.message_count, calls.summary,
    calls.deleted_at
FROM calls
LEFT JOIN agents ON agents.id = calls.agent_id
"""
_CALL: Final = f"{_CALLS} WHERE calls.call_id = $1 ORDER BY calls.call_date DESC LIMIT 1"
_CALL_NEAR: Final = _CALL.replace("ORDER", "AND calls.call_date BETWEEN $2 - 1 AND $2 ORDER")


@dataclass(frozen=True)
class Call:
    """A row of the table calls."""

    call_id: str
    call_date: date | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    direction: str | None = None
    customer_number: str | None = None
    started_at: datetime | None = None
    outcome: str | None = None
    duration_seconds: float | None = None
    cost: float | None = None
    message_count: int | None = None
    summary: str | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True)
class Line:
    """A row of the macro `transcript`: a message, or the beginning of a transfer leg."""

    position: int
    call_id: str
    call_date: date
    leg_id: str | None
    speaker: str
    content: str | None
    transfer_type: str | None
    transfer_outcome: str | None
    seconds_to_transfer: float | None
    duration_seconds: float | None


@dataclass(frozen=True)
class Conversation:
    """A call and its lines; a call that is known only from its legs has nothing but its id."""

    call: Call
    lines: Sequence[Line]


def read_conversation(catalog: Path, call_id: str) -> Conversation:
    """Return a call with the transcript of it and of its transfer legs.

    Args:
        catalog: The catalog's file.
        call_id: The id of a call; that of a leg, or of a call that is a leg, gives the call that it belongs to.

    Raises:
        ChorusCallsError: There is no catalog or no such call, or the lake lacks a file that the catalog names.
    """
    lines = [Line(*row) for row in _rows(catalog, _LINES, call_id)]
    root_id = lines[0].call_id if lines else call_id
    calls = _rows(catalog, _CALL_NEAR, root_id, lines[0].call_date) if lines else _rows(catalog, _CALL, root_id)
    if not calls and not lines:
        message = (
            f"There is no call {call_id!r} in {catalog}. Its id may be incomplete, or the call not synced yet: "
            "`chorus-calls status` shows what is there."
        )
        raise ChorusCallsError(message)
    return Conversation(Call(*calls[0]) if calls else Call(root_id), lines)


def _rows(catalog: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with run_query(catalog, sql, values) as found:
        return list(found.rows)
