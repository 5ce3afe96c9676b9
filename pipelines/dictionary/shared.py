"""Columns that several tables share with the same meaning, so that they are explained in the same words."""

from __future__ import annotations

from pipelines.dictionary.kinds import MONEY, MONEY_PER_MINUTE, SECONDS, measure, word
from pipelines.dictionary.model import Additivity, Column, Personal

ORGANIZATION_ID = word("organization_id", "Organisation the call belongs to, as the API names it.")
AGENT_ID = word("agent_id", "Voice agent that handled the call, as the API names it.")
PHONE_NUMBER_ID = word(
    "phone_number_id",
    "Phone number of the organisation that was used, as the API names it.",
)
DIRECTION = word("direction", "Who called whom, as sent: such as inbound (the customer called) or outbound.")
PROVIDER = word("provider", "Telephony provider that carried the call, as sent: such as twilio or sip.")
TRANSFER_TYPE = word("transfer_type", "Kind of transfer, as sent: such as warm_briefing.")

CUSTOMER_KEY = word(
    "customer_key",
    "Stable pseudonym of the customer's number: the same number always has the same key, and the key does not reveal "
    "the number. Null where the number cannot be normalised.",
    personal=Personal.LINKABLE,
    formula="first 32 hex digits of HMAC-SHA256(CHORUS_PII_KEY, number in E.164)",
)

COST_PER_MINUTE = measure(
    "cost_per_minute",
    "Cost of a minute, null where the cost is not known or the duration is not above zero. Never average it over rows: "
    "divide sums, as the marts do.",
    unit=MONEY_PER_MINUTE,
    formula="60 * cost / duration_seconds",
    additivity=Additivity.NON_ADDITIVE,
)

CALL_COST = measure(
    "cost",
    "Total cost of the calls whose cost is known, transfer legs not added.",
    unit=MONEY,
    formula="sum(cost)",
)


def rated(rows: str) -> tuple[Column, Column]:
    """The two columns that cost per minute is worked out from, over `calls` or `legs`."""
    return (
        measure(
            "cost_rated",
            "The part of the cost that has a duration above zero to be divided by.",
            unit=MONEY,
            formula="sum(cost) where duration_seconds > 0",
        ),
        measure(
            "seconds_rated",
            f"Total length of the {rows} behind cost_rated.",
            unit=SECONDS,
            formula="sum(duration_seconds) where cost is not null and duration_seconds > 0",
        ),
    )
