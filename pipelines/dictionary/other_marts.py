"""The marts beside the daily call metrics: transfers by day, and call volume by hour."""

from __future__ import annotations

from pipelines.dictionary.kinds import MONEY, SECONDS, count, measure, position
from pipelines.dictionary.model import Additivity, Column, ColumnType, Table
from pipelines.dictionary.ratios import ratio_columns
from pipelines.dictionary.shared import (
    AGENT_ID,
    CALL_COST,
    DIRECTION,
    ORGANIZATION_ID,
    PHONE_NUMBER_ID,
    TRANSFER_TYPE,
    rated,
)

_TRANSFERS = "transfer_metrics_daily"


def _legs(name: str, description: str, formula: str) -> Column:
    return count(name, description, unit="legs", formula=formula)


def _calls(name: str, description: str, formula: str) -> Column:
    return count(name, description, unit="calls", formula=formula)


TRANSFER_METRICS_DAILY = Table(
    name=_TRANSFERS,
    title="Transfer metrics by day",
    description=(
        "Counts, sums and ratios of the transfer legs that are not deleted. Leg cost is never added to call cost: "
        "whether the API's call cost already contains it is not documented."
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
        measure("duration_seconds", "Total length of the legs.", unit=SECONDS, formula="sum(duration_seconds)"),
        _legs("duration_legs", "Legs behind duration_seconds.", "count where duration_seconds is not null"),
        measure("cost", "Total cost of the legs whose cost is known.", unit=MONEY, formula="sum(cost)"),
        *rated("legs"),
        measure(
            "seconds_to_transfer",
            "Total time from the start of a call to the start of the leg.",
            unit=SECONDS,
            formula="sum(seconds_to_transfer)",
        ),
        _legs(
            "seconds_to_transfer_legs",
            "Legs behind seconds_to_transfer.",
            "count where seconds_to_transfer is not null",
        ),
        *ratio_columns(_TRANSFERS, "transfer_success_rate", "average_leg_seconds", "cost_per_minute"),
    ),
)

CALL_VOLUME_HOURLY = Table(
    name="call_volume_hourly",
    title="Call volume by hour",
    description=(
        "Counts and sums of the root calls that are not deleted, by the hour in which they were created: for load over "
        "the day, and for rates and cost by local day. There is a row for each hour in which a call was created."
    ),
    grain="one row per hour_utc, agent_id and direction of a day",
    key=("hour_utc", "agent_id", "direction"),
    columns=(
        position(
            "hour_utc",
            "Hour of the day in UTC, 0 to 23, in which the calls were created, or started where createdAt is unusable.",
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
        _calls("calls", "Root calls that are not deleted.", "count(*)"),
        _calls("connected_calls", "Calls that reached a person.", "count where is_connected"),
        _calls(
            "connected_terminal_calls",
            "Calls that reached a person and are over.",
            "count where is_connected and is_terminal",
        ),
        _calls("completed_calls", "Calls with the outcome completed.", "count where outcome = 'completed'"),
        _calls("transferred_calls", "Calls in which a transfer was tried.", "count where is_transferred"),
        _calls(
            "contained_calls", "Calls the agent handled to their end without a transfer.", "count where is_contained"
        ),
        measure(
            "duration_seconds",
            "Total length of the connected calls that have a duration.",
            unit=SECONDS,
            formula="sum(duration_seconds) where is_connected",
        ),
        CALL_COST,
        *rated("calls"),
        Column(
            "peak_concurrency",
            ColumnType.INTEGER,
            "The most calls of this day, agent and direction alive at one instant of the hour; calls without a start "
            "or an end are left out. It is a maximum: take the largest over hours, never sum it.",
            unit="calls",
            formula="max over the hour of count where started_at <= instant < ended_at",
            nullable=False,
            additivity=Additivity.SEMI_ADDITIVE,
            low_cardinality=True,
        ),
    ),
)
