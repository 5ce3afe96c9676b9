"""The names the tables promise: columns in their order, keys, shipped words, personal columns."""

from __future__ import annotations

from collections.abc import Mapping


def _names(words: str) -> tuple[str, ...]:
    return tuple(words.split())


COLUMNS: Mapping[str, tuple[str, ...]] = {
    "calls": _names(
        """call_id organization_id agent_id phone_number_id call_sid provider direction status outcome is_terminal
        is_connected ended_reason customer_number customer_key duration_seconds cost cost_per_minute turn_count
        message_count user_message_count agent_message_count user_word_count agent_word_count is_root parent_call_id
        transfer_type transfer_status transfer_leg_count is_transferred is_contained seconds_to_transfer
        has_recording recording_url summary extractions context_variables metadata started_at ended_at created_at
        started_at_local first_landed_at landed_at version_count deleted_at"""
    ),
    "transcript_turns": _names("""call_id leg_id turn_index role speaker content word_count char_count"""),
    "transfer_legs": _names(
        """leg_id call_id leg_index source parent_found organization_id agent_id phone_number_id direction
        transfer_type transfer_status transfer_outcome status duration_seconds cost cost_per_minute customer_number
        customer_key has_recording recording_url message_count seconds_to_transfer started_at ended_at deleted_at"""
    ),
    "call_attributes": _names("""call_id source key value value_type value_number"""),
    "data_issues": _names("""call_id table_name path kind message raw_value landed_at"""),
    "call_metrics_daily": _names(
        """organization_id agent_id phone_number_id direction provider
        calls terminal_calls connected_calls connected_terminal_calls completed_calls failed_calls no_answer_calls
        busy_calls voicemail_calls canceled_calls unknown_outcome_calls transferred_calls contained_calls
        short_calls cost_missing_calls summary_calls extraction_calls
        duration_seconds duration_calls cost cost_rated seconds_rated cost_zero_duration messages user_words
        agent_words turns turn_calls seconds_to_transfer seconds_to_transfer_calls
        duration_le_10 duration_le_30 duration_le_60 duration_le_120 duration_le_300 duration_le_600
        duration_le_1800 duration_gt_1800
        cost_per_minute average_duration_seconds connect_rate completion_rate transfer_rate transfer_rate_all
        containment_rate short_call_rate agent_word_share"""
    ),
    "transfer_metrics_daily": _names(
        """organization_id agent_id phone_number_id direction transfer_type
        legs successful_legs failed_legs pending_legs unknown_legs duration_seconds duration_legs cost cost_rated
        seconds_rated seconds_to_transfer seconds_to_transfer_legs
        transfer_success_rate average_leg_seconds cost_per_minute"""
    ),
    "call_volume_hourly": _names(
        """hour_utc agent_id direction local_date local_hour local_weekday calls connected_calls
        connected_terminal_calls completed_calls transferred_calls contained_calls duration_seconds cost cost_rated
        seconds_rated peak_concurrency"""
    ),
}

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
