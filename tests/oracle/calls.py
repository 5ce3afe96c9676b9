"""One row per call id: the call as sent, and what follows from it and its legs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.items import Item, Message
from tests.oracle.legs import Leg
from tests.oracle.outcomes import Outcomes, call_outcome, status_class
from tests.oracle.ratios import per_minute
from tests.oracle.values import Place

NOBODY_REACHED = ("no_answer", "busy", "canceled", "voicemail")
NOT_TERMINAL = ("in_progress", "unknown")


def call_rows(today: Mapping[str, Item], legs: list[Leg], outcomes: Outcomes, timezone: str) -> list[dict[str, Any]]:
    """Return the calls of the day; notes statuses that are in no map."""
    return [
        _call_row(item, [leg for leg in legs if leg.call_id == item.call_id], outcomes, timezone)
        for item in today.values()
    ]


def _call_row(item: Item, legs: list[Leg], outcomes: Outcomes, timezone: str) -> dict[str, Any]:
    fields = item.fields
    status = fields["status"]
    if status is not None and status_class(status, outcomes) is None:
        place = Place("calls", ("outcome",), "$.status")
        item.notes.note(place, "unknown_value", "a status of no known class", item.nodes["status"])
    json_columns = ("extractions", "context_variables", "metadata")
    return {
        **fields,
        **{name: None if fields[name] is None else fields[name].source for name in json_columns},
        "call_id": item.call_id,
        "is_root": fields["parent_call_id"] is None,
        "cost_per_minute": per_minute(fields["cost"], fields["duration_seconds"]),
        "has_extractions": fields["extractions"] is not None and len(fields["extractions"].value) > 0,
        "started_at_local": _local(fields["started_at"], timezone),
        "first_landed_at": item.first_landed_at,
        "landed_at": item.landed_at,
        "version_count": item.version_count,
        "deleted_at": item.deleted_at,
        **_state(fields, legs, call_outcome(status, fields["ended_reason"], outcomes)),
        **_text_counts(item.transcript),
    }


def _state(fields: Mapping[str, Any], legs: list[Leg], outcome: str) -> dict[str, Any]:
    seconds = fields["duration_seconds"]
    is_transferred = len(legs) > 0 or fields["transfer_type"] is not None
    is_connected = is_transferred or (seconds is not None and seconds > 0 and outcome not in NOBODY_REACHED)
    is_terminal = outcome not in NOT_TERMINAL
    started = [leg for leg in legs if leg.fields["started_at"] is not None]
    earliest = min(started, key=lambda leg: leg.fields["started_at"], default=None)
    return {
        "outcome": outcome,
        "is_terminal": is_terminal,
        "is_connected": is_connected,
        "is_transferred": is_transferred,
        "is_contained": is_connected and is_terminal and not is_transferred,
        "transfer_leg_count": len(legs),
        "seconds_to_transfer": None if earliest is None else earliest.seconds_to_transfer,
    }


def _text_counts(transcript: list[Message] | None) -> dict[str, int | None]:
    def count(speaker: str) -> int | None:
        return None if transcript is None else sum(message.speaker == speaker for message in transcript)

    def words(speaker: str) -> int | None:
        if transcript is None:
            return None
        return sum(message.words or 0 for message in transcript if message.speaker == speaker)

    return {
        "message_count": None if transcript is None else len(transcript),
        "user_message_count": count("customer"),
        "agent_message_count": count("agent"),
        "user_word_count": words("customer"),
        "agent_word_count": words("agent"),
    }


def _local(moment: datetime | None, timezone: str) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    except OverflowError:  # the first and the last day of the calendar
        return None
