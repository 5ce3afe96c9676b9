"""What the core tables promise: columns in their order with their types, keys, shipped words, personal columns.

It is written independently of the data dictionary, and is the only other place that lists columns: tests compare both.
"""

from __future__ import annotations

from collections.abc import Mapping

TEXT, INT, NUM, FLAG = "text", "int64", "float64", "boolean"
INSTANT, LOCAL, DATE = "timestamp (UTC)", "timestamp (local)", "date"

Columns = Mapping[str, str]
"""The type of each column by its name, in the order of the columns."""


def columns(*groups: tuple[str, str]) -> Columns:
    """Return columns that are written in groups of the same type, each as a type and the names."""
    return {name: kind for kind, names in groups for name in names.split()}


CORE_TABLES: Mapping[str, Columns] = {
    "calls": columns(
        (TEXT, "call_id organization_id agent_id phone_number_id call_sid provider direction status outcome"),
        (FLAG, "is_terminal is_connected"),
        (TEXT, "ended_reason customer_number customer_key"),
        (NUM, "duration_seconds cost cost_per_minute"),
        (INT, "turn_count message_count user_message_count agent_message_count user_word_count agent_word_count"),
        (FLAG, "is_root"),
        (TEXT, "parent_call_id transfer_type transfer_status"),
        (INT, "transfer_leg_count"),
        (FLAG, "is_transferred is_contained"),
        (NUM, "seconds_to_transfer"),
        (FLAG, "has_recording"),
        (TEXT, "recording_url summary extractions context_variables metadata"),
        (INSTANT, "started_at ended_at created_at"),
        (LOCAL, "started_at_local"),
        (INSTANT, "first_landed_at landed_at"),
        (INT, "version_count"),
        (INSTANT, "deleted_at"),
    ),
    "transcript_turns": columns(
        (TEXT, "call_id leg_id"), (INT, "turn_index"), (TEXT, "role speaker content"), (INT, "word_count char_count")
    ),
    "transfer_legs": columns(
        (TEXT, "leg_id call_id"),
        (INT, "leg_index"),
        (TEXT, "source"),
        (FLAG, "parent_found"),
        (TEXT, "organization_id agent_id phone_number_id direction"),
        (TEXT, "transfer_type transfer_status transfer_outcome status"),
        (NUM, "duration_seconds cost cost_per_minute"),
        (TEXT, "customer_number customer_key"),
        (FLAG, "has_recording"),
        (TEXT, "recording_url"),
        (INT, "message_count"),
        (NUM, "seconds_to_transfer"),
        (INSTANT, "started_at ended_at deleted_at"),
    ),
    "call_attributes": columns((TEXT, "call_id source key value value_type"), (NUM, "value_number")),
    "data_issues": columns((TEXT, "call_id table_name path kind message raw_value"), (INSTANT, "landed_at")),
}
"""The tables that are flattened from raw; `marts` has the others."""

_SENT_BY_BOTH = """transfer_type transfer_status status duration_seconds cost customer_number recording_url
    started_at ended_at"""
SENT: Mapping[str, tuple[str, ...]] = {
    "calls": tuple(
        f"""{_SENT_BY_BOTH} organization_id agent_id phone_number_id call_sid provider direction ended_reason
        turn_count created_at context_variables metadata""".split()
    ),
    "transfer_legs": tuple(_SENT_BY_BOTH.split()),
}
"""The columns that are a field of the API by themselves, as it sends it with each call and with each leg."""

ANALYSIS_TEXTS = ("summary",)
"""The columns of calls that are a text of the API's analysis."""

OBJECTS = ("context_variables", "metadata")
"""Those whose text is a JSON object."""


def api_name(column: str) -> str:
    """Return the API's name of the field that a column is."""
    first, *others = column.split("_")
    return first + "".join(word.capitalize() for word in others)


# The columns that name a row. data_issues has no unique key; these give its order.
KEYS: Mapping[str, tuple[str, ...]] = {
    "calls": ("call_id",),
    "transcript_turns": ("call_id", "leg_id", "turn_index"),
    "transfer_legs": ("leg_id",),
    "call_attributes": ("call_id", "source", "key"),
    "data_issues": ("call_id", "table_name", "path", "kind"),
    "call_metrics_daily": ("organization_id", "agent_id", "phone_number_id", "direction", "provider"),
    "transfer_metrics_daily": ("organization_id", "agent_id", "phone_number_id", "direction", "transfer_type"),
    "call_volume_hourly": ("hour_utc", "agent_id", "direction"),
}

# A bad value of these columns is not repeated in data_issues under `mask`: whom a call was with, and what was said.
PERSONAL: Mapping[str, frozenset[str]] = {
    "calls": frozenset({"customer_number", "recording_url", "summary", "extractions", "context_variables", "metadata"}),
    "transcript_turns": frozenset({"content"}),
    "transfer_legs": frozenset({"customer_number", "recording_url"}),
    "call_attributes": frozenset({"value", "value_number"}),
}

# Written as they are matched: lower case, words separated by one space.
SHIPPED_OUTCOMES: Mapping[str, Mapping[str, str]] = {
    "status": {
        "completed": "completed",
        "ended": "completed",
        "queued": "in_progress",
        "scheduled": "in_progress",
        "initiated": "in_progress",
        "ringing": "in_progress",
        "in progress": "in_progress",
        "ongoing": "in_progress",
        "failed": "failed",
        "error": "failed",
        "no answer": "no_answer",
        "busy": "busy",
        "voicemail": "voicemail",
        "canceled": "canceled",
        "cancelled": "canceled",
    },
    "ended_reason": {
        "no answer": "no_answer",
        "busy": "busy",
        "voicemail": "voicemail",
        "canceled": "canceled",
        "customer ended call": "completed",
        "agent hangup": "completed",
    },
    "transfer_status": {
        "completed": "success",
        "connected": "success",
        "bridged": "success",
        "succeeded": "success",
        "success": "success",
        "accepted": "success",
        "failed": "failed",
        "declined": "failed",
        "rejected": "failed",
        "no answer": "failed",
        "busy": "failed",
        "canceled": "failed",
        "initiated": "pending",
        "queued": "pending",
        "dialing": "pending",
        "ringing": "pending",
        "in progress": "pending",
        "briefing": "pending",
    },
}

SPEAKERS: Mapping[str, str] = {
    "user": "customer",
    "customer": "customer",
    "caller": "customer",
    "human": "customer",
    "agent": "agent",
    "assistant": "agent",
    "bot": "agent",
    "ai": "agent",
    "system": "system",
    "tool": "tool",
    "function": "tool",
}
