"""Render a call, or a leg as an item of its own, as the API shows it at one moment of its story."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.simulator.call_story import Leg, Story
from pipelines.simulator.chance import stream, weighted
from pipelines.simulator.conversation import AGENT, Conversation, Conversations, Plan

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


@dataclass(frozen=True, slots=True)
class View:
    """From where a call is looked at.

    Attributes:
        now: The moment, in milliseconds since 1970.
        day: The day on which recordings' addresses are signed, in days since 1970.
        conversations: What is said.
    """

    now: int
    day: int
    conversations: Conversations


def instant(moment: int, *, milliseconds: bool) -> str:
    """A timestamp as the API writes it: ISO 8601 with Z."""
    text = datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment % 1000:03d}Z" if milliseconds else f"{text}Z"


def call_item(story: Story, view: View) -> dict[str, Any]:
    """The call as it is listed; the view is not from before its creation."""
    over = view.now >= story.ended
    spoken = None if story.plan is None else view.conversations.written(story.plan)
    said = _said(story, view, spoken)
    first = story.legs[0] if story.legs and view.now >= story.legs[0].created else None
    return {
        "id": story.id,
        "organizationId": story.organization_id,
        "agentId": story.agent.id,
        "phoneNumberId": story.phone_number_id,
        "callSid": story.call_sid if view.now >= story.ringing else None,
        "provider": story.agent.provider,
        "direction": story.direction,
        "status": _status(story, view),
        "customerNumber": story.number,
        "durationSeconds": _measure(story, story.seconds) if over else None,
        "cost": _measure(story, _cost(story, view)),
        "recordingUrl": _recording(story.id, story.recorded, view),
        "turnCount": None if said is None or not over else len(said),
        "transcript": said,
        "analysis": _analysis(story, view, spoken),
        "endedReason": story.ended_reason if over else None,
        "contextVariables": context_variables(story, spoken),
        "metadata": metadata(story),
        "parentCallId": None,
        "transferType": first.kind if first else None,
        "transferStatus": _transfer_status(first, view) if first else None,
        "transferCalls": [_nested(story, leg, view) for leg in story.legs if _is_nested(leg, view)],
        "startedAt": _time(story, story.answered, view),
        "endedAt": _time(story, story.ended, view),
        "createdAt": _time(story, story.created, view),
    }


def leg_item(story: Story, leg: Leg, view: View) -> dict[str, Any]:
    """The leg as an item of its own, which names its call as its parent."""
    return {
        "id": leg.id,
        "organizationId": story.organization_id,
        "agentId": story.agent.id,
        "phoneNumberId": story.phone_number_id,
        "callSid": None,
        "provider": story.agent.provider,
        "direction": "outbound",
        **_leg_fields(story, leg, view),
        "turnCount": None,
        "analysis": None,
        "endedReason": None,
        "contextVariables": {},
        "metadata": None,
        "parentCallId": story.id,
        "transferCalls": [],
        "createdAt": _time(story, leg.created, view),
    }


def _nested(story: Story, leg: Leg, view: View) -> dict[str, Any]:
    fields = _leg_fields(story, leg, view)
    left_to_item = ("cost", "transcript", "recordingUrl") if leg.sparse else ()
    return {"id": leg.id, **{name: None if name in left_to_item else value for name, value in fields.items()}}


def _leg_fields(story: Story, leg: Leg, view: View) -> dict[str, Any]:
    """What a leg says of itself in either place."""
    over = view.now >= leg.ended
    status = ("completed" if leg.accepted else leg.outcome) if over else "in-progress"
    spoken = over and leg.plan is not None
    return {
        "transferType": leg.kind,
        "transferStatus": _transfer_status(leg, view),
        "durationSeconds": _measure(story, leg.seconds) if over else None,
        "customerNumber": leg.number,
        "recordingUrl": _recording(leg.id, leg.ended, view) if leg.accepted else None,
        "transcript": _transcript(story, leg.plan, view) if spoken and leg.plan else [],
        "startedAt": _time(story, leg.created, view),
        "endedAt": _time(story, leg.ended, view),
        "cost": _measure(story, leg.cost) if view.now >= leg.costed else None,
        "status": status,
    }


def _is_nested(leg: Leg, view: View) -> bool:
    return leg.nested and view.now >= leg.created


def _transfer_status(leg: Leg, view: View) -> str:
    if view.now >= leg.settled:
        return leg.outcome
    return "initiated"


def _status(story: Story, view: View) -> str:
    if view.now >= story.ended:
        return story.status
    if story.answered is not None and view.now >= story.answered:
        return "in_progress" if story.agent.snake else "in-progress"
    return "ringing" if view.now >= story.ringing else "queued"


def _cost(story: Story, view: View) -> float | None:
    if story.corrected is not None and view.now >= story.corrected:
        return story.corrected_cost
    return story.cost if view.now >= story.costed else None


def _measure(story: Story, value: float | None) -> float | str | None:
    return str(value) if story.numbers_as_text and value is not None else value


def _time(story: Story, moment: int | None, view: View) -> str | None:
    if moment is None or view.now < moment:
        return None
    return instant(moment, milliseconds=story.agent.milliseconds)


def _recording(call_id: str, recorded: int | None, view: View) -> str | None:
    """A signed address, valid until the next day is over and signed anew each day."""
    if recorded is None or view.now < recorded:
        return None
    signature = stream(recorded, view.day).getrandbits(64)
    expires = (view.day + 2) * 86_400
    return f"https://recordings.example.com/{call_id}.mp3?expires={expires}&signature={signature:016x}"


def _said(story: Story, view: View, spoken: Conversation | None) -> list[dict[str, Any]] | None:
    if spoken is None:
        return [] if view.now >= story.ended and not story.agent.snake else None
    said = messages(story.agent.roles, spoken, story.details)
    if view.now >= story.ended:
        return said
    halfway = story.halfway()
    return said[: len(said) // 2] if halfway is not None and view.now >= halfway else []


def _transcript(story: Story, plan: Plan, view: View) -> list[dict[str, Any]]:
    return messages(story.agent.roles, view.conversations.written(plan), None)


def _analysis(story: Story, view: View, spoken: Conversation | None) -> dict[str, Any] | None:
    if spoken is None or story.analysed is None or view.now < story.analysed:
        return None
    again = story.reanalysed is not None and view.now >= story.reanalysed
    return analysis(story, spoken, again=again)
