"""Columns that several tables share with the same meaning, so that they are explained in the same words."""

from __future__ import annotations

from pipelines.dictionary.kinds import MONEY_PER_MINUTE, measure, word
from pipelines.dictionary.model import Additivity, Personal

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
