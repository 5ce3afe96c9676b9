"""Render a call, or a leg as an item of its own, as the API lists it at one moment."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.simulator.calls import Call, Leg
from pipelines.simulator.conversation import AGENT, Conversation, Conversations
from pipelines.simulator.random_streams import stream, weighted

_MESSAGES, _ANALYSIS, _CONTEXT, _METADATA = range(4)
_CAMPAIGNS = ("spring-delivery", "win-back", "reminders", "showroom-2", "newsletter")
_SOURCES = ("crm", "website", "app", "import")
_TIERS = ("gold", "silver", "basic")
_UNUSUAL = (("none", 0.84), ("system", 0.06), ("tool", 0.06), ("role", 0.02), ("empty", 0.02))
_VIP, _CONFIRMED, _AMOUNT_AS_TEXT = 0.1, 0.7, 0.3


def _messages(roles: tuple[str, str], spoken: Conversation, details: int | None) -> list[dict[str, Any]]:
    """Return the transcript as sent.

    Args:
        roles: The roles of the customer and of the agent.
        spoken: The conversation.
        details: Seed of unusual messages: system and tool messages, unknown roles, empty content. None: no such.
    """
    customer, agent = roles
    sent: list[dict[str, Any]] = [
        {"role": agent if speaker == AGENT else customer, "content": text} for speaker, text in spoken.turns
    ]
    if details is None:
        return sent
    rng = stream(details, _MESSAGES)
    unusual = weighted(rng, _UNUSUAL)
    place = rng.randrange(len(sent))
    if unusual == "system":
        sent.insert(0, {"role": "system", "content": "This call may be recorded for training purposes."})
    elif unusual == "tool":
        found = {"lookup": spoken.facts.get("order"), "found": True}
        sent.insert(place, {"role": "tool", "content": json.dumps(found)})
    elif unusual == "role":
        sent[place]["role"] = rng.choice(("supervisor", "narrator", "Customer", None))
    elif unusual == "empty":
        sent[place]["content"] = rng.choice(("", None))
    return sent


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
    return text if rng.random() < _AMOUNT_AS_TEXT else float(text.lstrip("$"))


def _context_variables(call: Call, spoken: Conversation | None) -> dict[str, Any] | None:
    """Return the variables passed in with the call: of outbound calls who is called, of others rarely any."""
    rng = stream(call.details, _CONTEXT)
    if call.direction == "inbound":
        return rng.choice(({}, {}, {}, None, {"locale": call.agent.language}))
    name = None if spoken is None else spoken.facts.get("name")
    return {
        "customer_name": name,
        "tier": rng.choice(_TIERS),
        "account_id": rng.randrange(10_000, 99_999),
        "vip": rng.random() < _VIP,
    }


def _metadata(call: Call) -> dict[str, Any] | None:
    """Return the metadata of the call: campaign and source of outbound calls, technical notes of others."""
    rng = stream(call.details, _METADATA)
    if call.direction == "outbound":
        return {"campaign": rng.choice(_CAMPAIGNS), "source": rng.choice(_SOURCES), "attempt": rng.randrange(1, 4)}
    return rng.choice(({}, None, {"sip": {"codec": "opus", "latency_ms": rng.randrange(20, 400)}, "tags": ["web"]}))


@dataclass(frozen=True, slots=True)
class View:
    """The moment at which a call is rendered.

    Attributes:
        now: In milliseconds since 1970.
        day: The day on which recordings' addresses are signed, in days since 1970.
    """

    now: int
    day: int
    conversations: Conversations


def call_item(call: Call, view: View) -> dict[str, Any]:
    """Return the call as it is listed, at its creation or later."""
    over = view.now >= call.ended
    spoken = None if call.plan is None else view.conversations.written(call.plan)
    sent = _transcript(call, view, spoken)
    first = call.legs[0] if call.legs and view.now >= call.legs[0].created else None
    return {
        "id": call.id,
        "organizationId": call.organization_id,
        "agentId": call.agent.id,
        "phoneNumberId": call.phone_number_id,
        "callSid": call.call_sid if view.now >= call.ringing else None,
        "provider": call.agent.provider,
        "direction": call.direction,
        "status": _status(call, view),
        "customerNumber": call.number,
        "durationSeconds": _measure(call, call.seconds) if over else None,
        "cost": _measure(call, _cost(call, view)),
        "recordingUrl": _recording(call.id, call.recorded, view),
        "turnCount": None if sent is None or not over else len(sent),
        "transcript": sent,
        "analysis": _analysis(call, view, spoken),
        "endedReason": call.ended_reason if over else None,
        "contextVariables": _context_variables(call, spoken),
        "metadata": _metadata(call),
        "parentCallId": None,
        "transferType": first.kind if first else None,
        "transferStatus": _transfer_status(first, view) if first else None,
        "transferCalls": [_nested(call, leg, view) for leg in call.legs if leg.nested and view.now >= leg.created],
        "startedAt": _time(call, call.answered, view),
        "endedAt": _time(call, call.ended, view),
        "createdAt": _time(call, call.created, view),
    }


def leg_item(call: Call, leg: Leg, view: View) -> dict[str, Any]:
    """Return the leg as an item of its own, which names its call as its parent."""
    return {
        "id": leg.id,
        "organizationId": call.organization_id,
        "agentId": call.agent.id,
        "phoneNumberId": call.phone_number_id,
        "callSid": None,
        "provider": call.agent.provider,
        "direction": "outbound",
        **_leg_fields(call, leg, view),
        "turnCount": None,
        "analysis": None,
        "endedReason": None,
        "contextVariables": {},
        "metadata": None,
        "parentCallId": call.id,
        "transferCalls": [],
        "createdAt": _time(call, leg.created, view),
    }


def _nested(call: Call, leg: Leg, view: View) -> dict[str, Any]:
    fields = _leg_fields(call, leg, view)
    left_to_item = ("cost", "transcript", "recordingUrl") if leg.sparse else ()
    return {"id": leg.id, **{name: None if name in left_to_item else value for name, value in fields.items()}}


def _leg_fields(call: Call, leg: Leg, view: View) -> dict[str, Any]:
    """Return the fields that a leg has both nested and as an item."""
    over = view.now >= leg.ended
    status = ("completed" if leg.accepted else leg.outcome) if over else "in-progress"
    spoken = view.conversations.written(leg.plan) if over and leg.plan is not None else None
    return {
        "transferType": leg.kind,
        "transferStatus": _transfer_status(leg, view),
        "durationSeconds": _measure(call, leg.seconds) if over else None,
        "customerNumber": leg.number,
        "recordingUrl": _recording(leg.id, leg.ended, view) if leg.accepted else None,
        "transcript": _messages(call.agent.roles, spoken, None) if spoken else [],
        "startedAt": _time(call, leg.created, view),
        "endedAt": _time(call, leg.ended, view),
        "cost": _measure(call, leg.cost) if view.now >= leg.costed else None,
        "status": status,
    }


def _transfer_status(leg: Leg, view: View) -> str:
    return leg.outcome if view.now >= leg.settled else "initiated"


def _status(call: Call, view: View) -> str:
    if view.now >= call.ended:
        return call.status
    if call.answered is not None and view.now >= call.answered:
        return "in_progress" if call.agent.snake else "in-progress"
    return "ringing" if view.now >= call.ringing else "queued"


def _cost(call: Call, view: View) -> float | None:
    if call.corrected is not None and view.now >= call.corrected:
        return call.corrected_cost
    return call.cost if view.now >= call.costed else None


def _measure(call: Call, value: float | None) -> float | str | None:
    return str(value) if call.numbers_as_text and value is not None else value


def _time(call: Call, moment: int | None, view: View) -> str | None:
    """Return a time that has passed as the API writes it: ISO 8601 with Z."""
    if moment is None or view.now < moment:
        return None
    text = datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment % 1000:03d}Z" if call.agent.milliseconds else f"{text}Z"


def _recording(call_id: str, recorded: int | None, view: View) -> str | None:
    """Return a signed address, valid until the end of the next day; each day has another signature."""
    if recorded is None or view.now < recorded:
        return None
    signature = stream(recorded, view.day).getrandbits(64)
    expires = (view.day + 2) * 86_400
    return f"https://recordings.example.com/{call_id}.mp3?expires={expires}&signature={signature:016x}"


def _transcript(call: Call, view: View, spoken: Conversation | None) -> list[dict[str, Any]] | None:
    if spoken is None:
        return [] if view.now >= call.ended and not call.agent.snake else None
    sent = _messages(call.agent.roles, spoken, call.details)
    if view.now >= call.ended:
        return sent
    halfway = call.halfway()
    return sent[: len(sent) // 2] if halfway is not None and view.now >= halfway else []


def _analysis(call: Call, view: View, spoken: Conversation | None) -> dict[str, Any] | None:
    """Return the agent's analysis once it is available; a second run may differ from the first."""
    if spoken is None or call.analysed is None or view.now < call.analysed:
        return None
    is_second = call.reanalysed is not None and view.now >= call.reanalysed
    rng = stream(call.details, _ANALYSIS, int(is_second))
    found = {key: _extracted(key, rng, spoken) for key in call.agent.extracts}
    summary = spoken.summary if call.agent.summarises else None
    return {"summary": summary, "extractions": {**found, **spoken.slots}}
