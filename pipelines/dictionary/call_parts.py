"""The tables of a call's parts: messages, transfer legs, attributes, and data issues."""

from __future__ import annotations

from pipelines.dictionary.columns import (
    AGENT_ID,
    COST_PER_MINUTE,
    CUSTOMER_KEY,
    DIRECTION,
    MONEY,
    ORGANIZATION_ID,
    PHONE_NUMBER_ID,
    SECONDS,
    TRANSFER_TYPE,
    Column,
    ColumnType,
    Personal,
    Table,
    count,
    flag,
    instant,
    measure,
    position,
    text,
    word,
)

TRANSCRIPT_TURNS = Table(
    name="transcript_turns",
    title="Transcript turns",
    description=(
        "Every message of every transcript, that of calls and that of transfer legs. The API gives messages no time: "
        "their order is turn_index. What a nested leg brings lies on the day of its call, what a leg brings as an item "
        "of its own lies on that item's day; no message is listed twice."
    ),
    grain="one row per message",
    key=("call_id", "leg_id", "turn_index"),
    columns=(
        word(
            "call_id",
            "Call the message belongs to; for a leg's message, the call that was transferred.",
            nullable=False,
            personal=Personal.LINKABLE,
        ),
        word(
            "leg_id",
            "Transfer leg the message belongs to; null for the call's own transcript.",
            personal=Personal.LINKABLE,
        ),
        position("turn_index", "Position of the message in its transcript as sent, from 0."),
        word("role", "Who spoke, as sent."),
        word(
            "speaker",
            "Who spoke, in one of five words: customer, agent, system, tool or unknown.",
            nullable=False,
            formula="map of the role in lower case",
        ),
        text("content", "What was said.", personal=Personal.FREE_TEXT),
        count(
            "word_count",
            "Words in content, split at white space; null where there is no content.",
            unit="words",
            nullable=True,
        ),
        count(
            "char_count",
            "Characters in content (Unicode code points); null where there is no content.",
            unit="characters",
            nullable=True,
        ),
    ),
)

TRANSFER_LEGS = Table(
    name="transfer_legs",
    title="Transfer legs",
    description=(
        "Every attempt to hand a call over. A leg can arrive nested in its call and also as an item of its own: it is "
        "one leg here. A nested leg lies on the day of its call, any other on its own day."
    ),
    grain="one row per leg id",
    key=("leg_id",),
    columns=(
        text(
            "leg_id",
            "Id of the leg; where the API gave none, or one that an earlier leg of the day has, the call's id with "
            "# and the position.",
            nullable=False,
            personal=Personal.LINKABLE,
        ),
        text("call_id", "Call that was transferred (the parent).", nullable=False, personal=Personal.LINKABLE),
        position(
            "leg_index",
            "Position among the legs nested in the call as sent, from 0; null for a leg that came as "
            "an item of its own.",
            nullable=True,
        ),
        word(
            "source", "How the leg arrived: nested in its call, or as an item of its own (child_call).", nullable=False
        ),
        flag("parent_found", "Whether the call that was transferred was found on the same day or the day before."),
        ORGANIZATION_ID,
        AGENT_ID,
        PHONE_NUMBER_ID,
        DIRECTION,
        TRANSFER_TYPE,
        word("transfer_status", "Status of the transfer, as sent. For reports use transfer_outcome."),
        word(
            "transfer_outcome",
            "Result of the transfer, in one of four words: success, failed, pending or unknown. A leg with a duration "
            "is not thereby a success.",
            nullable=False,
            formula="map of transfer_status",
        ),
        word("status", "Status of the leg as a call, as sent."),
        measure("duration_seconds", "Length of the leg as the API states it.", unit=SECONDS),
        measure(
            "cost",
            "Cost of the leg as the API states it, which names no currency. Whether the call's cost already contains "
            "it is not documented, so never add the two.",
            unit=MONEY,
        ),
        COST_PER_MINUTE,
        text(
            "customer_number",
            "Phone number on the leg, which can be that of the person called in. Under CHORUS_PII=mask only the "
            "country code and the last two digits are kept, and it is null where it cannot be normalised.",
            personal=Personal.DIRECT,
        ),
        CUSTOMER_KEY,
        flag("has_recording", "Whether the API named a recording of the leg."),
        text(
            "recording_url",
            "Where the recording lies; the address itself may give access, and may expire. Always null under "
            "CHORUS_PII=mask.",
            personal=Personal.RECORDING,
        ),
        count(
            "message_count",
            "Number of messages in the leg's transcript: null where there is no transcript, 0 where it is empty.",
            unit="messages",
            nullable=True,
        ),
        measure(
            "seconds_to_transfer",
            "Time from the start of the call to the start of this leg. It is the moment of the attempt, not of "
            "somebody answering; null where it would be negative.",
            unit=SECONDS,
            formula="started_at - call.started_at",
        ),
        instant("started_at", "When the leg started."),
        instant("ended_at", "When the leg ended."),
        instant(
            "deleted_at",
            "When a complete scan found the call gone from the API or, for a leg that came as an item of its own, "
            "that item; null while they are there. No metric counts a deleted leg.",
        ),
    ),
)


CALL_ATTRIBUTES = Table(
    name="call_attributes",
    title="Call attributes",
    description=(
        "The fields of extractions, context variables and metadata as rows, so that they can be filtered and counted "
        "without JSON functions."
    ),
    grain="one row per call, source and top-level key",
    key=("call_id", "source", "key"),
    columns=(
        word("call_id", "Call the attribute belongs to.", nullable=False, personal=Personal.LINKABLE),
        word(
            "source",
            "Where the attribute comes from: extraction (the API's analysis), context (variables handed to the agent) "
            "or metadata.",
            nullable=False,
        ),
        word("key", "Name of the attribute.", nullable=False),
        text(
            "value",
            "Value as text; JSON text for objects and lists, null for a null.",
            personal=Personal.FREE_TEXT,
        ),
        word(
            "value_type",
            "Type of the value in the API's JSON: string, number, boolean, null, array or object.",
            nullable=False,
        ),
        Column(
            "value_number",
            ColumnType.NUMBER,
            "The value where it is a number, else null. Whether it may be summed depends on the attribute.",
            personal=Personal.FREE_TEXT,
        ),
    ),
)

DATA_ISSUES = Table(
    name="data_issues",
    title="Data issues",
    description=(
        "What was wrong with the data as sent. A bad value costs its field, never its call: the field is null, and a "
        "row here says what and where. Items that could not be placed at all lie on the day they arrived."
    ),
    grain="one row per problem",
    key=(),
    order=("call_id", "table_name", "path", "kind"),
    columns=(
        word(
            "call_id",
            "Item that carries the value; null where a rejected item has no usable id.",
            personal=Personal.LINKABLE,
        ),
        word("table_name", "Table whose column suffers; calls for a rejected item.", nullable=False),
        word("path", "Where the value stands in the item's JSON, such as $.transferCalls[0].cost.", nullable=False),
        word(
            "kind",
            "Kind of problem: invalid_value, missing_value, inconsistent (kept, but odd), unknown_value (a word that "
            "is in no map) or rejected_item.",
            nullable=False,
        ),
        word("message", "What was wrong, in words.", nullable=False),
        text(
            "raw_value",
            "The value as sent, at most 1,000 characters. Under CHORUS_PII=mask it is null for personal columns and "
            "rejected items.",
            personal=Personal.FREE_TEXT,
        ),
        instant("landed_at", "When the version that carries the value was landed in this lake.", nullable=False),
    ),
)
