"""The mart call_metrics_daily: what the calls of a day were like, by agent, number, direction and provider."""

from __future__ import annotations

from pipelines.dictionary.kinds import MONEY, SECONDS, count, measure
from pipelines.dictionary.model import Column, Table
from pipelines.dictionary.ratios import ratio_columns
from pipelines.dictionary.shared import (
    AGENT_ID,
    CALL_COST,
    DIRECTION,
    ORGANIZATION_ID,
    PHONE_NUMBER_ID,
    PROVIDER,
    rated,
)

_NAME = "call_metrics_daily"


def _calls(name: str, description: str, formula: str) -> Column:
    return count(name, description, unit="calls", formula=formula)


_COUNTS = (
    _calls("calls", "Root calls that are not deleted.", "count(*)"),
    _calls("terminal_calls", "Calls that are over.", "count where is_terminal"),
    _calls("connected_calls", "Calls that reached a person.", "count where is_connected"),
    _calls(
        "connected_terminal_calls",
        "Calls that reached a person and are over.",
        "count where is_connected and is_terminal",
    ),
    _calls("completed_calls", "Calls with the outcome completed.", "count where outcome = 'completed'"),
    _calls("failed_calls", "Calls with the outcome failed.", "count where outcome = 'failed'"),
    _calls("no_answer_calls", "Calls that nobody answered.", "count where outcome = 'no_answer'"),
    _calls("busy_calls", "Calls that met a busy line.", "count where outcome = 'busy'"),
    _calls("voicemail_calls", "Calls that met a voicemail box.", "count where outcome = 'voicemail'"),
    _calls("canceled_calls", "Calls that were canceled.", "count where outcome = 'canceled'"),
    _calls(
        "unknown_outcome_calls",
        "Calls whose status and ended reason are in no map.",
        "count where outcome = 'unknown'",
    ),
    _calls("transferred_calls", "Calls in which a transfer was tried.", "count where is_transferred"),
    _calls(
        "contained_calls",
        "Calls the agent handled to their end without a transfer.",
        "count where is_contained",
    ),
    _calls(
        "short_calls",
        "Connected calls that lasted less than 10 seconds.",
        "count where is_connected and duration_seconds < 10",
    ),
    _calls("cost_missing_calls", "Calls whose cost is not known.", "count where cost is null"),
    _calls("summary_calls", "Calls with a summary that is not blank.", "count where summary is not blank"),
    _calls(
        "extraction_calls",
        "Calls from which the analysis extracted at least one field.",
        "count where extractions has a key",
    ),
)

_SUMS = (
    measure(
        "duration_seconds",
        "Total length of the connected calls that have a duration.",
        unit=SECONDS,
        formula="sum(duration_seconds) where is_connected",
    ),
    _calls(
        "duration_calls",
        "Calls behind duration_seconds.",
        "count where is_connected and duration_seconds is not null",
    ),
    CALL_COST,
    *rated("calls"),
    measure(
        "cost_zero_duration",
        "The part of the cost whose duration is zero or not known; with cost_rated it makes up cost.",
        unit=MONEY,
        formula="sum(cost) where duration_seconds = 0 or duration_seconds is null",
    ),
    count(
        "messages",
        "Messages in the calls' own transcripts; null where no call has a transcript.",
        unit="messages",
        formula="sum(message_count)",
        nullable=True,
    ),
    count(
        "user_words",
        "Words of the customers; null where no call has a transcript.",
        unit="words",
        formula="sum(user_word_count)",
        nullable=True,
    ),
    count(
        "agent_words",
        "Words of the agents; null where no call has a transcript.",
        unit="words",
        formula="sum(agent_word_count)",
        nullable=True,
    ),
    count(
        "turns",
        "Turns as the API states them; null where no call has a turn count.",
        unit="turns",
        formula="sum(turn_count)",
        nullable=True,
    ),
    _calls("turn_calls", "Calls behind turns.", "count where turn_count is not null"),
    measure(
        "seconds_to_transfer",
        "Total time from the start of a call to its first transfer attempt.",
        unit=SECONDS,
        formula="sum(seconds_to_transfer)",
    ),
    _calls(
        "seconds_to_transfer_calls",
        "Calls behind seconds_to_transfer.",
        "count where seconds_to_transfer is not null",
    ),
)


def _bucket(name: str, words: str, condition: str) -> Column:
    return _calls(name, f"Connected calls that lasted {words}.", f"count where is_connected and {condition}")


_HISTOGRAM = (
    _bucket("duration_le_10", "at most 10 seconds", "duration_seconds <= 10"),
    _bucket("duration_le_30", "more than 10 and at most 30 seconds", "10 < duration_seconds <= 30"),
    _bucket("duration_le_60", "more than 30 and at most 60 seconds", "30 < duration_seconds <= 60"),
    _bucket("duration_le_120", "more than 1 and at most 2 minutes", "60 < duration_seconds <= 120"),
    _bucket("duration_le_300", "more than 2 and at most 5 minutes", "120 < duration_seconds <= 300"),
    _bucket("duration_le_600", "more than 5 and at most 10 minutes", "300 < duration_seconds <= 600"),
    _bucket("duration_le_1800", "more than 10 and at most 30 minutes", "600 < duration_seconds <= 1800"),
    _bucket("duration_gt_1800", "more than 30 minutes", "duration_seconds > 1800"),
)

CALL_METRICS_DAILY = Table(
    name=_NAME,
    title="Call metrics by day",
    description=(
        "Counts, sums and ratios of the root calls that are not deleted. Sum the counts and sums to any coarser grain; "
        "at that grain divide sums, never average ratios. The eight duration buckets do not overlap and add up to "
        "duration_calls."
    ),
    grain="one row per organization_id, agent_id, phone_number_id, direction and provider of a day",
    key=("organization_id", "agent_id", "phone_number_id", "direction", "provider"),
    columns=(
        ORGANIZATION_ID,
        AGENT_ID,
        PHONE_NUMBER_ID,
        DIRECTION,
        PROVIDER,
        *_COUNTS,
        *_SUMS,
        *_HISTOGRAM,
        *ratio_columns(
            _NAME,
            "cost_per_minute",
            "average_duration_seconds",
            "connect_rate",
            "completion_rate",
            "transfer_rate",
            "transfer_rate_all",
            "containment_rate",
            "short_call_rate",
            "agent_word_share",
        ),
    ),
)
