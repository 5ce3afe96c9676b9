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
        "Every message of every transcript, of calls and of transfer legs. The API sends no time for a message: the "
        "order is turn_index. Messages of a nested leg are on the day of its call; messages of a leg that is an item "
        "of its own are on the day of that item. No message is listed twice."
    ),
    grain="one row per message",
    key=("call_id", "leg_id", "turn_index"),
    columns=(
        word(
            "call_id",
            "Call that the message belongs to; for a message of a leg, the call that was transferred.",
            nullable=False,
            personal=Personal.LINKABLE,
        ),
        word(
            "leg_id",
            "Transfer leg that the message belongs to; null for the call's own transcript.",
            personal=Personal.LINKABLE,
        ),
        position("turn_index", "Position of the message in its transcript as sent, from 0."),
        word("role", "Who spoke, as sent."),
        word(
            "speaker",
            "Who spoke, one of five values: customer, agent, system, tool or unknown.",
            nullable=False,
            formula="map of the role in lower case",
        ),
        text("content", "Text of the message.", personal=Personal.FREE_TEXT),
        count(
            "word_count",
            "Number of words in content, split at white space; null if there is no content.",
            unit="words",
            nullable=True,
        ),
        count(
            "char_count",
            "Number of characters in content (Unicode code points); null if there is no content.",
            unit="characters",
            nullable=True,
        ),
    ),
)

TRANSFER_LEGS = Table(
    name="transfer_legs",
    title="Transfer legs",
    description=(
        "Every attempt to transfer a call. The API can send a leg nested in its call, as an item of its own, or both: "
        "it is one row here. A nested leg is on the day of its call, any other leg on its own day."
    ),
    grain="one row per leg id",
    key=("leg_id",),
    columns=(
        text(
            "leg_id",
            "Id of the leg. If the API sent none, or one that an earlier leg of the day already has, it is the id of "
            "the call, a # and the position.",
            nullable=False,
            personal=Personal.LINKABLE,
        ),
        text("call_id", "Call that was transferred (the parent).", nullable=False, personal=Personal.LINKABLE),
        position(
            "leg_index",
            "Position among the legs nested in the call, as sent, from 0; null for a leg that is only "
            "an item of its own.",
            nullable=True,
        ),
        word(
            "source",
            "How the API sent the leg: nested in its call (nested), or only as an item of its own (child_call).",
            nullable=False,
        ),
        flag("parent_found", "Whether the transferred call was found, on the same day or the day before."),
        ORGANIZATION_ID,
        AGENT_ID,
        PHONE_NUMBER_ID,
        DIRECTION,
        TRANSFER_TYPE,
        word("transfer_status", "Status of the transfer, as sent. For reports use transfer_outcome."),
        word(
            "transfer_outcome",
            "Result of the transfer, one of four values: success, failed, pending or unknown. A duration alone does "
            "not make a leg a success.",
            nullable=False,
            formula="map of transfer_status",
        ),
        word("status", "Status of the leg itself as a call, as sent."),
        measure("duration_seconds", "Duration of the leg, as the API states it.", unit=SECONDS),
        measure(
            "cost",
            "Cost of the leg, as the API states it; the API names no currency. Whether the call's cost already "
            "includes it is not documented, so never add the two.",
            unit=MONEY,
        ),
        COST_PER_MINUTE,
        text(
            "customer_number",
            "Phone number of the leg, which can be that of the person who was called in. Under CHORUS_PII=mask only "
            "the country code and the last two digits are kept, and it is null if it cannot be normalised.",
            personal=Personal.DIRECT,
        ),
        CUSTOMER_KEY,
        flag("has_recording", "Whether the API sent the address of a recording."),
        text(
            "recording_url",
            "Address of the recording. The address alone may give access to it, and may expire. Always null under "
            "CHORUS_PII=mask.",
            personal=Personal.RECORDING,
        ),
        count(
            "message_count",
            "Number of messages in the leg's transcript: null if there is no transcript, 0 if it is empty.",
            unit="messages",
            nullable=True,
        ),
        measure(
            "seconds_to_transfer",
            "Time from the start of the call to the start of this leg. That is when the transfer was attempted, not "
            "when somebody answered. Null if it would be negative.",
            unit=SECONDS,
            formula="started_at - call.started_at",
        ),
        instant("started_at", "When the leg started."),
        instant("ended_at", "When the leg ended."),
        instant(
            "deleted_at",
            "When a complete scan found that the API no longer lists the call or, for a leg that is an item of its "
            "own, that item; null while it lists them. No metric counts a deleted leg.",
        ),
    ),
)

CALL_ATTRIBUTES = Table(
    name="call_attributes",
    title="Call attributes",
    description=(
        "The top-level fields of extractions, context variables and metadata as rows, so that they can be filtered and "
        "counted without JSON functions."
    ),
    grain="one row per call, source and top-level key",
    key=("call_id", "source", "key"),
    columns=(
        word("call_id", "Call that the attribute belongs to.", nullable=False, personal=Personal.LINKABLE),
        word(
            "source",
            "Where the attribute comes from: extraction (the API's analysis), context (variables the agent was given) "
            "or metadata.",
            nullable=False,
        ),
        word("key", "Name of the attribute.", nullable=False),
        text(
            "value",
            "Value as text; JSON text for an object or a list, null for a JSON null.",
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
            "Value as a number, null if it is not one. Whether it may be summed depends on the attribute.",
            personal=Personal.FREE_TEXT,
        ),
    ),
)

DATA_ISSUES = Table(
    name="data_issues",
    title="Data issues",
    description=(
        "What was wrong with the data that the API sent. A bad value never removes its call: only its field is null, "
        "and a row here says what and where. Items that could not be assigned to a day are on the day on which they "
        "landed."
    ),
    grain="one row per problem",
    key=(),
    order=("call_id", "table_name", "path", "kind"),
    columns=(
        word(
            "call_id",
            "Item that contains the value; null if a rejected item has no usable id.",
            personal=Personal.LINKABLE,
        ),
        word("table_name", "Table whose column is affected; calls for a rejected item.", nullable=False),
        word("path", "Path of the value in the item's JSON, such as $.transferCalls[0].cost.", nullable=False),
        word(
            "kind",
            "Kind of problem: invalid_value, missing_value, inconsistent (kept, but suspicious), unknown_value (a word "
            "that no map contains) or rejected_item.",
            nullable=False,
        ),
        word("message", "What was wrong, in words.", nullable=False),
        text(
            "raw_value",
            "The value as sent, at most 1,000 characters. Under CHORUS_PII=mask it is null for personal columns and "
            "rejected items.",
            personal=Personal.FREE_TEXT,
        ),
        instant("landed_at", "When the version that contains the value landed in this lake.", nullable=False),
    ),
)
