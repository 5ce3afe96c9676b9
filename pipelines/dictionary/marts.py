"""The three marts, daily call metrics, daily transfer metrics and hourly call volume, and their ratios."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipelines.dictionary.columns import (
    AGENT_ID,
    DIRECTION,
    MONEY,
    MONEY_PER_MINUTE,
    ORGANIZATION_ID,
    PHONE_NUMBER_ID,
    PROVIDER,
    SECONDS,
    TRANSFER_TYPE,
    Additivity,
    Column,
    ColumnType,
    Table,
    count,
    measure,
    position,
)
from pipelines.dictionary.ratios import Ratio, ratio_columns

DURATION_BOUNDS = (10, 30, 60, 120, 300, 600, 1800)
"""Upper bounds in seconds of the duration buckets; the last bucket is above them all."""

FINAL_OUTCOMES = ("completed", "failed", "no_answer", "busy", "voicemail", "canceled")
"""The outcomes of calls that are over. Each has a count in call_metrics_daily."""

_CALLS = "call_metrics_daily"
_TRANSFERS = "transfer_metrics_daily"


def _calls(name: str, description: str, formula: str) -> Column:
    return count(name, description, unit="calls", formula=formula)


def _legs(name: str, description: str, formula: str) -> Column:
    return count(name, description, unit="legs", formula=formula)


def _rated(rows: str) -> tuple[Column, Column]:
    """Define the two columns that cost per minute is calculated from, over `calls` or `legs`."""
    return (
        measure(
            "cost_rated",
            f"Total cost of the {rows} that have a duration above zero: the numerator of cost_per_minute.",
            unit=MONEY,
            formula="sum(cost) where duration_seconds > 0",
        ),
        measure(
            "seconds_rated",
            f"Total duration of the {rows} counted in cost_rated: the denominator of cost_per_minute.",
            unit=SECONDS,
            formula="sum(duration_seconds) where cost is not null and duration_seconds > 0",
        ),
    )


_COUNTS = (
    _calls("calls", "Root calls that are not deleted.", "count(*)"),
    _calls("terminal_calls", "Calls that are over.", "count where is_terminal"),
    _calls("connected_calls", "Calls that reached a person.", "count where is_connected"),
    _calls(
        "connected_terminal_calls",
        "Calls that reached a person and are over.",
        "count where is_connected and is_terminal",
    ),
    *(
        _calls(f"{outcome}_calls", f"Calls with the outcome {outcome}.", f"count where outcome = '{outcome}'")
        for outcome in FINAL_OUTCOMES
    ),
    _calls(
        "unknown_outcome_calls",
        "Calls with the outcome unknown: no map contains their status or their ended reason.",
        "count where outcome = 'unknown'",
    ),
    _calls("transferred_calls", "Calls in which a transfer was attempted.", "count where is_transferred"),
    _calls(
        "contained_calls",
        "Calls that the agent handled completely, without a transfer.",
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
        "Total duration of the connected calls whose duration is known.",
        unit=SECONDS,
        formula="sum(duration_seconds) where is_connected",
    ),
    _calls(
        "duration_calls",
        "Calls counted in duration_seconds.",
        "count where is_connected and duration_seconds is not null",
    ),
    measure(
        "cost",
        "Total cost of the calls whose cost is known. The cost of transfer legs is not added.",
        unit=MONEY,
        formula="sum(cost)",
    ),
    *_rated("calls"),
    measure(
        "cost_zero_duration",
        "Total cost of the calls whose duration is zero or not known. With cost_rated it adds up to cost.",
        unit=MONEY,
        formula="sum(cost) where duration_seconds = 0 or duration_seconds is null",
    ),
    count(
        "messages",
        "Messages in the calls' own transcripts; null if no call has a transcript.",
        unit="messages",
        formula="sum(message_count)",
        nullable=True,
    ),
    count(
        "user_words",
        "Words of the customers; null if no call has a transcript.",
        unit="words",
        formula="sum(user_word_count)",
        nullable=True,
    ),
    count(
        "agent_words",
        "Words of the agents; null if no call has a transcript.",
        unit="words",
        formula="sum(agent_word_count)",
        nullable=True,
    ),
    count(
        "turns",
        "Turns, as the API states them; null if no call has a turn count.",
        unit="turns",
        formula="sum(turn_count)",
        nullable=True,
        signed=True,
    ),
    _calls("turn_calls", "Calls counted in turns.", "count where turn_count is not null"),
    measure(
        "seconds_to_transfer",
        "Total time from the start of a call to its first transfer attempt.",
        unit=SECONDS,
        formula="sum(seconds_to_transfer)",
    ),
    _calls(
        "seconds_to_transfer_calls",
        "Calls counted in seconds_to_transfer.",
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
DURATION_BUCKETS = tuple(column.name for column in _HISTOGRAM)

_COST_PER_MINUTE = Ratio(
    "cost_per_minute",
    "cost_rated",
    ("seconds_rated",),
    (_CALLS, _TRANSFERS),
    "Cost of one minute, over the rows that have both a cost and a duration above zero.",
    unit=MONEY_PER_MINUTE,
    factor=60.0,
)

_CALL_RATIOS = (
    _COST_PER_MINUTE,
    Ratio(
        "average_duration_seconds",
        "duration_seconds",
        ("duration_calls",),
        (_CALLS,),
        "Average duration of the connected calls whose duration is known.",
        unit=SECONDS,
    ),
    Ratio("connect_rate", "connected_calls", ("calls",), (_CALLS,), "Share of calls that reached a person."),
    Ratio(
        "completion_rate",
        "completed_calls",
        ("terminal_calls",),
        (_CALLS,),
        "Share of the calls that are over whose outcome is completed.",
    ),
    Ratio(
        "transfer_rate",
        "transferred_calls",
        ("connected_calls",),
        (_CALLS,),
        "Share of connected calls in which a transfer was attempted.",
    ),
    Ratio(
        "transfer_rate_all",
        "transferred_calls",
        ("calls",),
        (_CALLS,),
        "Share of all calls, connected or not, in which a transfer was attempted.",
    ),
    Ratio(
        "containment_rate",
        "contained_calls",
        ("connected_terminal_calls",),
        (_CALLS,),
        "Share of the connected calls that are over which the agent handled without a transfer.",
    ),
    Ratio(
        "short_call_rate",
        "short_calls",
        ("connected_calls",),
        (_CALLS,),
        "Share of connected calls that lasted less than 10 seconds.",
    ),
    Ratio(
        "agent_word_share",
        "agent_words",
        ("agent_words", "user_words"),
        (_CALLS,),
        "Share of the words of agent and customer that the agent spoke. It is not a share of talk time.",
    ),
)

_TRANSFER_RATIOS = (
    Ratio(
        "transfer_success_rate",
        "successful_legs",
        ("successful_legs", "failed_legs"),
        (_TRANSFERS,),
        "Share of the legs with the result success or failed that succeeded. Pending and unknown legs are left out.",
    ),
    Ratio(
        "average_leg_seconds",
        "duration_seconds",
        ("duration_legs",),
        (_TRANSFERS,),
        "Average duration of the transfer legs whose duration is known.",
        unit=SECONDS,
    ),
    _COST_PER_MINUTE,
)

RATIOS: Mapping[str, Ratio] = MappingProxyType({ratio.name: ratio for ratio in (*_CALL_RATIOS, *_TRANSFER_RATIOS)})
"""Every ratio of the marts by its name."""


def ratios_of(table: Table) -> tuple[Ratio, ...]:
    """Return the ratios of a mart, in the order of its columns; none for other tables."""
    return tuple(RATIOS[name] for name in table.names if name in RATIOS and table.name in RATIOS[name].tables)


CALL_METRICS_DAILY = Table(
    name=_CALLS,
    title="Call metrics by day",
    description=(
        "Counts, sums and ratios of the root calls that are not deleted. Counts and sums may be added up to any "
        "coarser grain. There, divide sums again; never average ratios. The eight duration buckets do not overlap and "
        "add up to duration_calls."
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
        *ratio_columns(_CALLS, _CALL_RATIOS),
    ),
)

TRANSFER_METRICS_DAILY = Table(
    name=_TRANSFERS,
    title="Transfer metrics by day",
    description=(
        "Counts, sums and ratios of the transfer legs that are not deleted. Never add the cost of legs to the cost of "
        "calls: whether the API's call cost already includes it is not documented."
    ),
    grain="one row per organization_id, agent_id, phone_number_id, direction and transfer_type of a day",
    key=("organization_id", "agent_id", "phone_number_id", "direction", "transfer_type"),
    columns=(
        ORGANIZATION_ID,
        AGENT_ID,
        PHONE_NUMBER_ID,
        DIRECTION,
        TRANSFER_TYPE,
        _legs("legs", "Transfer legs that are not deleted.", "count(*)"),
        _legs("successful_legs", "Legs that succeeded.", "count where transfer_outcome = 'success'"),
        _legs("failed_legs", "Legs that failed.", "count where transfer_outcome = 'failed'"),
        _legs("pending_legs", "Legs that have no result yet.", "count where transfer_outcome = 'pending'"),
        _legs(
            "unknown_legs",
            "Legs whose transfer status is missing or in no map.",
            "count where transfer_outcome = 'unknown'",
        ),
        measure(
            "duration_seconds",
            "Total duration of the legs whose duration is known.",
            unit=SECONDS,
            formula="sum(duration_seconds)",
        ),
        _legs("duration_legs", "Legs counted in duration_seconds.", "count where duration_seconds is not null"),
        measure("cost", "Total cost of the legs whose cost is known.", unit=MONEY, formula="sum(cost)"),
        *_rated("legs"),
        measure(
            "seconds_to_transfer",
            "Total time from the start of a call to the start of the leg.",
            unit=SECONDS,
            formula="sum(seconds_to_transfer)",
        ),
        _legs(
            "seconds_to_transfer_legs",
            "Legs counted in seconds_to_transfer.",
            "count where seconds_to_transfer is not null",
        ),
        *ratio_columns(_TRANSFERS, _TRANSFER_RATIOS),
    ),
)

_HOURLY = (
    "calls",
    "connected_calls",
    "connected_terminal_calls",
    "completed_calls",
    "transferred_calls",
    "contained_calls",
    "duration_seconds",
    "cost",
    "cost_rated",
    "seconds_rated",
)
"""The measures of the daily mart that the hourly one has too."""

CALL_VOLUME_HOURLY = Table(
    name="call_volume_hourly",
    title="Call volume by hour",
    description=(
        "Counts and sums of the root calls that are not deleted, by the hour in which they were created: for the load "
        "over the day, and for rates and cost by local day. An hour in which no call was created has no row."
    ),
    grain="one row per hour_utc, agent_id and direction of a day",
    key=("hour_utc", "agent_id", "direction"),
    columns=(
        position(
            "hour_utc",
            "Hour of the day in UTC, 0 to 23, in which the calls were created, or started if createdAt is unusable.",
        ),
        AGENT_ID,
        DIRECTION,
        Column(
            "local_date",
            ColumnType.DATE,
            "Date in CHORUS_TIMEZONE at the start of the hour.",
            nullable=False,
            low_cardinality=True,
        ),
        position("local_hour", "Hour of the day in CHORUS_TIMEZONE, 0 to 23, at the start of the hour."),
        position("local_weekday", "Weekday in CHORUS_TIMEZONE at the start of the hour: 1 is Monday, 7 Sunday."),
        *(column for column in CALL_METRICS_DAILY.columns if column.name in _HOURLY),
        count(
            "peak_concurrency",
            "The most calls of this day, agent and direction that were active at the same instant of the hour. Calls "
            "without a start or an end are left out. It is a maximum: take the largest over hours, never sum it.",
            unit="calls",
            formula="max over the hour of count where started_at <= instant < ended_at",
            additivity=Additivity.SEMI_ADDITIVE,
        ),
    ),
)
