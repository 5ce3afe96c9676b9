"""The free-form parts of a call, oddities included: the messages as sent, the analysis, the context, the metadata."""

from __future__ import annotations

import json
import random
from typing import Any

from pipelines.simulator.chance import stream, weighted
from pipelines.simulator.conversation import AGENT, Conversation
from pipelines.simulator.story import Story

_MESSAGES, _ANALYSIS, _CONTEXT, _METADATA = range(4)
_CAMPAIGNS = ("spring-delivery", "win-back", "reminders", "showroom-2", "newsletter")
_SOURCES = ("crm", "website", "app", "import")
_TIERS = ("gold", "silver", "basic")
_ODDITIES = (("none", 0.84), ("system", 0.06), ("tool", 0.06), ("role", 0.02), ("empty", 0.02))
_VIP, _CONFIRMED, _AMOUNT_AS_SAID = 0.1, 0.7, 0.3


def messages(roles: tuple[str, str], spoken: Conversation, details: int | None) -> list[dict[str, Any]]:
    """The transcript as sent.

    Args:
        roles: The words for the customer and for the agent.
        spoken: What was said.
        details: Seeds what else turns up in it: system and tool messages, odd roles, empty content. None: nothing.
    """
    customer, agent = roles
    said: list[dict[str, Any]] = [
        {"role": agent if speaker == AGENT else customer, "content": text} for speaker, text in spoken.turns
    ]
    if details is None:
        return said
    rng = stream(details, _MESSAGES)
    oddity = weighted(rng, _ODDITIES)
    place = rng.randrange(len(said))
    if oddity == "system":
        said.insert(0, {"role": "system", "content": "This call may be recorded for training purposes."})
    elif oddity == "tool":
        found = {"lookup": spoken.facts.get("order"), "found": True}
        said.insert(place, {"role": "tool", "content": json.dumps(found)})
    elif oddity == "role":
        said[place]["role"] = rng.choice(("supervisor", "narrator", "Customer", None))
    elif oddity == "empty":
        said[place]["content"] = rng.choice(("", None))
    return said


def analysis(story: Story, spoken: Conversation, *, again: bool) -> dict[str, Any]:
    """What the agent's analysis found; run again, it may come to think otherwise."""
    rng = stream(story.details, _ANALYSIS, int(again))
    found = {key: _extracted(key, rng, spoken) for key in story.agent.extracts}
    summary = spoken.summary if story.agent.summarises else None
    return {"summary": summary, "extractions": {**found, **spoken.slots}}


def _extracted(key: str, rng: random.Random, spoken: Conversation) -> Any:
    facts = spoken.facts
    values: dict[str, Any] = {
        "intent": spoken.topics[0],
        "order_id": facts.get("order"),
        "amount_due": _amount(rng, facts["amount"]) if "amount" in facts else None,
        "resolved": rng.choice((True, True, True, False, None)),
        "sentiment": rng.choice(("positive", "neutral", "neutral", "negative", round(rng.random(), 2))),
        "nps": rng.choice((None, *range(3, 11))),
        "callback_time": f"{facts.get('day', 'tomorrow')} {facts.get('time', '10:00')}",
        "confirmed": rng.random() < _CONFIRMED,
        "preferred_slot": {"day": facts.get("day"), "time": facts.get("time")},
        "interest": rng.choice(("high", "medium", "low")),
        "budget": rng.choice((None, rng.randrange(200, 5_000, 50))),
        "topics": list(spoken.topics),
    }
    return values[key]


def _amount(rng: random.Random, text: str) -> float | str:
    return text if rng.random() < _AMOUNT_AS_SAID else float(text.lstrip("$"))


def context_variables(story: Story, spoken: Conversation | None) -> dict[str, Any] | None:
    """What the caller of the API passed in: for dialled calls who is called, for others rarely anything."""
    rng = stream(story.details, _CONTEXT)
    if story.direction == "inbound":
        return rng.choice(({}, {}, {}, None, {"locale": story.agent.language}))
    name = None if spoken is None else spoken.facts.get("name")
    return {
        "customer_name": name,
        "tier": rng.choice(_TIERS),
        "account_id": rng.randrange(10_000, 99_999),
        "vip": rng.random() < _VIP,
    }


def metadata(story: Story) -> dict[str, Any] | None:
    """What was stored with the call: campaigns of dialled calls, sources, technical notes."""
    rng = stream(story.details, _METADATA)
    if story.direction == "outbound":
        return {"campaign": rng.choice(_CAMPAIGNS), "source": rng.choice(_SOURCES), "attempt": rng.randrange(1, 4)}
    return rng.choice(({}, None, {"sip": {"codec": "opus", "latency_ms": rng.randrange(20, 400)}, "tags": ["web"]}))
