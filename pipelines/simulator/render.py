"""Shows a call, or a transfer leg as an item of its own, as the API does at one moment of its story."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipelines.simulator.chance import stream
from pipelines.simulator.conversation import Conversation, Conversations, Plan
from pipelines.simulator.details import analysis, context_variables, messages, metadata
from pipelines.simulator.story import Leg, Story


def instant(moment: int, *, milliseconds: bool) -> str:
    """A timestamp as the API writes it: ISO 8601 with Z."""
    text = datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment % 1000:03d}Z" if milliseconds else f"{text}Z"


def call_item(story: Story, now: int, conversations: Conversations) -> dict[str, Any]:
    """The call as listed at `now` (milliseconds since 1970), which is not before its creation."""
    over = now >= story.ended
    spoken = None if story.plan is None else conversations.written(story.plan)
    said = _said(story, now, spoken)
    first = story.legs[0] if story.legs and now >= story.legs[0].created else None
    return {
        "id": story.id,
        "organizationId": story.organization_id,
        "agentId": story.agent.id,
        "phoneNumberId": story.phone_number_id,
        "callSid": story.call_sid if now >= story.ringing else None,
        "provider": story.agent.provider,
        "direction": story.direction,
        "status": _status(story, now),
        "customerNumber": story.number,
        "durationSeconds": _measure(story, story.seconds) if over else None,
        "cost": _measure(story, _cost(story, now)),
        "recordingUrl": _recording(story.id, story.recorded, now),
        "turnCount": None if said is None or not over else len(said),
        "transcript": said,
        "analysis": _analysis(story, now, spoken),
        "endedReason": story.ended_reason if over else None,
        "contextVariables": context_variables(story, spoken),
        "metadata": metadata(story),
        "parentCallId": None,
        "transferType": first.kind if first else None,
        "transferStatus": _transfer_status(first, now) if first else None,
        "transferCalls": [_nested(story, leg, now, conversations) for leg in story.legs if _is_nested(leg, now)],
        "startedAt": _time(story, story.answered, now),
        "endedAt": _time(story, story.ended, now),
        "createdAt": _time(story, story.created, now),
    }


def leg_item(story: Story, leg: Leg, now: int, conversations: Conversations) -> dict[str, Any]:
    """The leg as an item of its own, which names its call as its parent."""
    return {
        "id": leg.id,
        "organizationId": story.organization_id,
        "agentId": story.agent.id,
        "phoneNumberId": story.phone_number_id,
        "callSid": None,
        "provider": story.agent.provider,
        "direction": "outbound",
        **_leg_fields(story, leg, now, conversations),
        "turnCount": None,
        "analysis": None,
        "endedReason": None,
        "contextVariables": {},
        "metadata": None,
        "parentCallId": story.id,
        "transferCalls": [],
        "createdAt": _time(story, leg.created, now),
    }


def _nested(story: Story, leg: Leg, now: int, conversations: Conversations) -> dict[str, Any]:
    fields = _leg_fields(story, leg, now, conversations)
    left_to_item = ("cost", "transcript", "recordingUrl") if leg.sparse else ()
    return {"id": leg.id, **{name: None if name in left_to_item else value for name, value in fields.items()}}


def _leg_fields(story: Story, leg: Leg, now: int, conversations: Conversations) -> dict[str, Any]:
    """What a leg says of itself in either place."""
    over = now >= leg.ended
    status = ("completed" if leg.accepted else leg.outcome) if over else "in-progress"
    spoken = over and leg.plan is not None
    return {
        "transferType": leg.kind,
        "transferStatus": _transfer_status(leg, now),
        "durationSeconds": _measure(story, leg.seconds) if over else None,
        "customerNumber": leg.number,
        "recordingUrl": _recording(leg.id, leg.ended, now) if leg.accepted else None,
        "transcript": _transcript(story, leg.plan, conversations) if spoken and leg.plan else [],
        "startedAt": _time(story, leg.created, now),
        "endedAt": _time(story, leg.ended, now),
        "cost": _measure(story, leg.cost) if now >= leg.costed else None,
        "status": status,
    }


def _is_nested(leg: Leg, now: int) -> bool:
    return leg.nested and now >= leg.created


def _transfer_status(leg: Leg, now: int) -> str:
    if now >= leg.settled:
        return leg.outcome
    return "initiated"


def _status(story: Story, now: int) -> str:
    if now >= story.ended:
        return story.status
    if story.answered is not None and now >= story.answered:
        return "in_progress" if story.agent.snake else "in-progress"
    return "ringing" if now >= story.ringing else "queued"


def _cost(story: Story, now: int) -> float | None:
    if story.corrected is not None and now >= story.corrected:
        return story.corrected_cost
    return story.cost if now >= story.costed else None


def _measure(story: Story, value: float | None) -> float | str | None:
    return str(value) if story.numbers_as_text and value is not None else value


def _time(story: Story, moment: int | None, now: int) -> str | None:
    if moment is None or now < moment:
        return None
    return instant(moment, milliseconds=story.agent.milliseconds)


def _recording(call_id: str, recorded: int | None, now: int) -> str | None:
    """A signed address; each change of the call signs it anew."""
    if recorded is None or now < recorded:
        return None
    signature = stream(recorded, now // 1000).getrandbits(64)
    return f"https://recordings.example.com/{call_id}.mp3?expires={now // 1000 + 86_400}&signature={signature:016x}"


def _said(story: Story, now: int, spoken: Conversation | None) -> list[dict[str, Any]] | None:
    if spoken is None:
        return [] if now >= story.ended else None
    said = messages(story.agent.roles, spoken, story.details)
    if now >= story.ended:
        return said
    halfway = story.halfway()
    return said[: len(said) // 2] if halfway is not None and now >= halfway else []


def _transcript(story: Story, plan: Plan, conversations: Conversations) -> list[dict[str, Any]]:
    return messages(story.agent.roles, conversations.written(plan), None)


def _analysis(story: Story, now: int, spoken: Conversation | None) -> dict[str, Any] | None:
    if spoken is None or story.analysed is None or now < story.analysed:
        return None
    again = story.reanalysed is not None and now >= story.reanalysed
    return analysis(story, spoken, again=again)
