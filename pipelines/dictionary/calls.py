"""Calls as they landed (raw, one row per version) and as they are now (the table calls, one row per call)."""

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

_IDENTITY = (
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
        "How the call ended, one of eight values: completed, failed, no_answer, busy, voicemail, canceled, "
        "in_progress or unknown.",
        nullable=False,
        formula="map of status; if that gives nothing or completed, a mapped ended_reason decides",
    ),
    flag(
        "is_terminal",
        "Whether the call is over, so that its outcome will not change by itself.",
        formula="outcome not in (in_progress, unknown)",
    ),
    flag(
        "is_connected",
        "Whether a person was reached.",
        formula="is_transferred or (duration_seconds > 0 and outcome not in (no_answer, busy, canceled, voicemail))",
    ),
    word("ended_reason", "Why the call ended, as sent."),
)

_CUSTOMER = (
    text(
        "customer_number",
        "The customer's phone number. Under CHORUS_PII=mask only the country code and the last two digits are kept, "
        "and it is null if it cannot be normalised.",
        personal=Personal.DIRECT,
    ),
    CUSTOMER_KEY,
)

_MEASURES = (
    measure("duration_seconds", "Duration of the call, as the API states it.", unit=SECONDS),
    measure(
        "cost",
        "Cost of the call, as the API states it; the API names no currency. Whether it includes the cost of the "
        "transfer legs is not documented, so never add the two.",
        unit=MONEY,
    ),
    COST_PER_MINUTE,
    count(
        "turn_count",
        "Number of turns, as the API states it. It can differ from message_count.",
        unit="turns",
        nullable=True,
        signed=True,
    ),
    count(
        "message_count",
        "Number of messages in the call's own transcript: null if there is no transcript, 0 if it is empty.",
        unit="messages",
        nullable=True,
    ),
    count(
        "user_message_count",
        "Number of the customer's messages in the call's own transcript (speaker is customer).",
        unit="messages",
        nullable=True,
    ),
    count(
        "agent_message_count",
        "Number of the agent's messages in the call's own transcript (speaker is agent).",
        unit="messages",
        nullable=True,
    ),
    count(
        "user_word_count",
        "Number of words of the customer in the call's own transcript, split at white space.",
        unit="words",
        nullable=True,
    ),
    count(
        "agent_word_count",
        "Number of words of the agent in the call's own transcript, split at white space.",
        unit="words",
        nullable=True,
    ),
)

_TRANSFERS = (
    flag(
        "is_root",
        "Whether this is a call of its own, not a leg of another call. The metrics count root calls only.",
        formula="parent_call_id is null",
    ),
    text(
        "parent_call_id",
        "Id of the call that this one is a transfer leg of; null for a root call.",
        personal=Personal.LINKABLE,
    ),
    word("transfer_type", "Kind of transfer, as sent with the call itself, such as warm_briefing."),
    word("transfer_status", "Status of the transfer, as sent with the call itself."),
    count("transfer_leg_count", "Number of transfer legs listed for this call on its own day.", unit="legs"),
    flag(
        "is_transferred",
        "Whether a transfer was attempted, successful or not.",
        formula="transfer_leg_count > 0 or transfer_type is not null",
    ),
    flag(
        "is_contained",
        "Whether the agent handled the whole call without a transfer.",
        formula="is_connected and is_terminal and not is_transferred",
    ),
    measure(
        "seconds_to_transfer",
        "Time from the start of the call to the start of its earliest transfer leg. That is when the transfer was "
        "attempted, not when somebody answered. Null if it would be negative.",
        unit=SECONDS,
        formula="min(leg.started_at) - started_at, over the legs listed on the call's own day",
    ),
)

_CONTENT = (
    flag("has_recording", "Whether the API sent the address of a recording."),
    text(
        "recording_url",
        "Address of the recording. The address alone may give access to it, and may expire. Always null under "
        "CHORUS_PII=mask.",
        personal=Personal.RECORDING,
    ),
    text("summary", "Summary of the call, written by the API's analysis.", personal=Personal.FREE_TEXT),
    text(
        "extractions",
        "Fields that the API's analysis extracted from the conversation, as JSON text; call_attributes has them as "
        "rows.",
        personal=Personal.FREE_TEXT,
    ),
    text(
        "context_variables",
        "Variables that the agent was given for this call, as JSON text; call_attributes has them as rows.",
        personal=Personal.FREE_TEXT,
    ),
    text(
        "metadata",
        "Data stored with the call that the agent does not use, such as a campaign, as JSON text; call_attributes has "
        "it as rows.",
        personal=Personal.FREE_TEXT,
    ),
)

_TIMES = (
    instant("started_at", "When the call started."),
    instant("ended_at", "When the call ended."),
    instant("created_at", "When the call was created; for an outbound call, before it was dialled."),
    Column(
        "started_at_local",
        ColumnType.LOCAL_TIME,
        "When the call started, in the time zone CHORUS_TIMEZONE.",
        formula="started_at in CHORUS_TIMEZONE",
    ),
    instant("first_landed_at", "When the first version of the call landed in this lake.", nullable=False),
    instant("landed_at", "When the newest version of the call landed in this lake.", nullable=False),
    count("version_count", "Number of versions of the call that landed; 1 if it never changed.", unit="versions"),
    instant(
        "deleted_at",
        "When a complete scan found that the API no longer lists the call; null while it does. No metric counts a "
        "deleted call.",
    ),
)

CALLS = Table(
    name="calls",
    title="Calls",
    description=(
        "Every call that the API listed, with its newest values. Calls that are legs of another call (is_root is "
        "false) and deleted calls keep their rows; the metrics leave both out."
    ),
    grain="one row per call id",
    key=("call_id",),
    columns=(*_IDENTITY, *_OUTCOME, *_CUSTOMER, *_MEASURES, *_TRANSFERS, *_CONTENT, *_TIMES),
)

RAW = Table(
    name="raw",
    title="Raw versions",
    description=(
        "What the API sent, as received. raw/calls holds every version of every call, by the date of the call; "
        "raw/rejected holds items that could not be assigned to a day, by the date on which they landed. A version is "
        "added only if the call differs from its newest landed version. CHORUS_PII changes the tables only: raw keeps "
        "everything as received."
    ),
    grain="one row per landed version of a call, or per rejected item",
    key=(),
    order=("call_id", "landed_at"),
    columns=(
        text(
            "call_id",
            "Id of the call. Null only in raw/rejected, if the item has no usable id.",
            personal=Personal.LINKABLE,
        ),
        instant(
            "landed_at",
            "When the version landed; always later than every version that landed before it.",
            nullable=False,
        ),
        word("sync_id", "Sync that landed the version.", nullable=False),
        text(
            "payload_hash",
            "Hash of the payload without the addresses of recordings. In a version without a payload: `deleted`, or "
            "`moved` if the API lists the call on another day.",
        ),
        Column(
            "deleted",
            ColumnType.FLAG,
            "Whether this version is a tombstone: the API no longer lists the call, or lists it on another day.",
            nullable=False,
            low_cardinality=True,
        ),
        text(
            "payload",
            "The item's JSON exactly as received, with all personal data in it, except transfer legs that an erasure "
            "removed. Null in a tombstone.",
            personal=Personal.FREE_TEXT,
        ),
    ),
)
"""Schema of raw/calls and raw/rejected. It is not a table of the catalog, so TABLES does not contain it."""
