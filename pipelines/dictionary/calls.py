"""The table calls: one row per call, as it was last seen."""

from __future__ import annotations

from pipelines.dictionary.columns import (
    AGENT_ID,
    COST_PER_MINUTE,
    CUSTOMER_KEY,
    DIRECTION,
    MONEY,
    ORGANIZATION_ID,
    PHONE_NUMBER_ID,
    PROVIDER,
    SECONDS,
    Column,
    ColumnType,
    Personal,
    Table,
    count,
    flag,
    instant,
    measure,
    text,
    word,
)

_WHO_AND_WHERE = (
    text("call_id", "Id of the call, as the API names it.", nullable=False, personal=Personal.LINKABLE),
    ORGANIZATION_ID,
    AGENT_ID,
    PHONE_NUMBER_ID,
    text(
        "call_sid",
        "Id of the call at the telephony provider; not unique across providers.",
        personal=Personal.LINKABLE,
    ),
    PROVIDER,
    DIRECTION,
)

_OUTCOME = (
    word("status", "Status of the call, as sent. For reports use outcome, which has a fixed list of values."),
    word(
        "outcome",
        "How the call ended, in one of eight words: completed, failed, no_answer, busy, voicemail, canceled, "
        "in_progress or unknown.",
        nullable=False,
        formula="map of status; where that gives nothing or completed, a mapped ended_reason decides",
    ),
    flag(
        "is_terminal",
        "Whether the call is over: its outcome will not change by itself.",
        formula="outcome not in (in_progress, unknown)",
    ),
    flag(
        "is_connected",
        "Whether a person was reached.",
        formula=("is_transferred or (duration_seconds > 0 and outcome not in (no_answer, busy, canceled, voicemail))"),
    ),
    word("ended_reason", "Why the call ended, as sent."),
)

_CUSTOMER = (
    text(
        "customer_number",
        "The customer's phone number. Under CHORUS_PII=mask only the country code and the last two digits are kept, "
        "and it is null where it cannot be normalised.",
        personal=Personal.DIRECT,
    ),
    CUSTOMER_KEY,
)

_MEASURES = (
    measure("duration_seconds", "Length of the call as the API states it.", unit=SECONDS),
    measure(
        "cost",
        "Cost of the call as the API states it, which names no currency. Whether the cost of transfer legs is inside "
        "is not documented, so never add the two.",
        unit=MONEY,
    ),
    COST_PER_MINUTE,
    count(
        "turn_count",
        "Number of turns as the API states it; it can differ from message_count.",
        unit="turns",
        nullable=True,
    ),
    count(
        "message_count",
        "Number of messages in the call's own transcript: null where there is no transcript, 0 where it is empty.",
        unit="messages",
        nullable=True,
    ),
    count(
        "user_message_count",
        "Messages of the customer in the call's own transcript (speaker is customer).",
        unit="messages",
        nullable=True,
    ),
    count(
        "agent_message_count",
        "Messages of the agent in the call's own transcript (speaker is agent).",
        unit="messages",
        nullable=True,
    ),
    count(
        "user_word_count",
        "Words of the customer in the call's own transcript, split at white space.",
        unit="words",
        nullable=True,
    ),
    count(
        "agent_word_count",
        "Words of the agent in the call's own transcript, split at white space.",
        unit="words",
        nullable=True,
    ),
)

_TRANSFERS = (
    flag(
        "is_root",
        "Whether this is a call of its own rather than a leg of another. The metrics count root calls only.",
        formula="parent_call_id is null",
    ),
    text("parent_call_id", "Call that this one is a transfer leg of.", personal=Personal.LINKABLE),
    word("transfer_type", "Kind of transfer as sent with the call itself: such as warm_briefing."),
    word("transfer_status", "Status of the transfer as sent with the call itself."),
    count("transfer_leg_count", "Number of transfer legs listed under this call on its own day.", unit="legs"),
    flag(
        "is_transferred",
        "Whether a transfer was tried, successful or not.",
        formula="transfer_leg_count > 0 or transfer_type is not null",
    ),
    flag(
        "is_contained",
        "Whether the agent handled the call to its end without a transfer.",
        formula="is_connected and is_terminal and not is_transferred",
    ),
    measure(
        "seconds_to_transfer",
        "Time from the start of the call to the start of its earliest transfer leg. It is the moment of the attempt, "
        "not of somebody answering; null where it would be negative.",
        unit=SECONDS,
        formula="min(leg.started_at) - started_at, over the legs listed on the call's own day",
    ),
)

_CONTENT = (
    flag("has_recording", "Whether the API named a recording of the call."),
    text(
        "recording_url",
        "Where the recording lies; the address itself may give access, and may expire. Always null under "
        "CHORUS_PII=mask.",
        personal=Personal.RECORDING,
    ),
    text("summary", "Summary that the API's analysis made of the call.", personal=Personal.FREE_TEXT),
    text(
        "extractions",
        "Fields that the API's analysis took from the conversation, as JSON text; call_attributes has them as rows.",
        personal=Personal.FREE_TEXT,
    ),
    text(
        "context_variables",
        "Variables that were handed to the agent for this call, as JSON text; call_attributes has them as rows.",
        personal=Personal.FREE_TEXT,
    ),
    text(
        "metadata",
        "Data stored with the call and not used by the agent, such as a campaign, as JSON text; call_attributes has "
        "it as rows.",
        personal=Personal.FREE_TEXT,
    ),
)

_TIMES = (
    instant("started_at", "When the call started."),
    instant("ended_at", "When the call ended."),
    instant("created_at", "When the call was created, which for an outbound call is before it was dialled."),
    Column(
        "started_at_local",
        ColumnType.LOCAL_TIME,
        "When the call started by the clock of CHORUS_TIMEZONE.",
        formula="started_at in CHORUS_TIMEZONE",
    ),
    instant("first_landed_at", "When the call was first landed in this lake.", nullable=False),
    instant("landed_at", "When the newest version of the call was landed in this lake.", nullable=False),
    count("version_count", "Number of landed versions of the call, 1 where it never changed.", unit="versions"),
    instant(
        "deleted_at",
        "When a complete scan found the call gone from the API; null while it is there. No metric counts a deleted "
        "call.",
    ),
)

CALLS = Table(
    name="calls",
    title="Calls",
    description=(
        "Every call the API listed, with its newest values. Calls that are legs of another (is_root is false) and "
        "deleted calls keep their rows; the metrics leave both out."
    ),
    grain="one row per call id",
    key=("call_id",),
    columns=(*_WHO_AND_WHERE, *_OUTCOME, *_CUSTOMER, *_MEASURES, *_TRANSFERS, *_CONTENT, *_TIMES),
)
