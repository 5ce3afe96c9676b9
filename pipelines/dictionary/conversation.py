"""The tables of a call's parts: its messages and its transfer legs."""

from __future__ import annotations

from pipelines.dictionary.kinds import MONEY, SECONDS, count, flag, instant, measure, position, text, word
from pipelines.dictionary.model import Personal, Table
from pipelines.dictionary.shared import (
    AGENT_ID,
    COST_PER_MINUTE,
    CUSTOMER_KEY,
    DIRECTION,
    ORGANIZATION_ID,
    PHONE_NUMBER_ID,
    TRANSFER_TYPE,
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
