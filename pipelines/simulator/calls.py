"""Simulated calls with their transfer legs: when each changes, and to which values, drawn from a seed.

All instants are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date

from pipelines.simulator.company import (
    Agent,
    Company,
    colleague_number,
    customer_number,
    day_number,
    draw_agent_and_time,
)
from pipelines.simulator.conversation import Conversations, Plan
from pipelines.simulator.random_streams import around, identifier, stream, weighted

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
_PERSON_RATE = 0.045
_MAX_TRIES = 2
_SUCCESS = {"warm_briefing": "completed", "warm": "bridged", "cold": "connected", "callback": "completed"}
_FAILURE = (("failed", 0.25), ("declined", 0.2), ("no_answer", 0.4), ("busy", 0.1), ("canceled", 0.05))
# How a leg is listed: (nested in its call, as an item of its own).
_PLACES = (((True, False), 0.5), ((True, True), 0.3), ((False, True), 0.2))
_CALLBACK_PLACES = (((True, False), 0.2), ((True, True), 0.4), ((False, True), 0.4))
_SPARSE, _TRIED_AGAIN, _BRIEFED_THOUGH_NOT_ACCEPTED = 0.5, 0.5, 0.5
_CALL_STREAM = 5
_LONGEST_SECONDS = 3_600
_CORRECTED, _REANALYSED, _UNRECORDED, _NUMBERS_AS_TEXT, _BY_WEB = 0.03, 0.02, 0.06, 0.05, 0.005
_REASONS: dict[str, tuple[tuple[str | None, float], ...]] = {
    "completed": (
        ("customer-ended-call", 0.55),
        ("agent_hangup", 0.33),
        ("silence-timed-out", 0.06),
        ("max-duration-reached", 0.02),
        (None, 0.04),
    ),
    "no_answer": (("customer-did-not-answer", 0.8), ("no-answer", 0.2)),
    "busy": (("customer-busy", 0.7), ("busy", 0.3)),
    "voicemail": (("voicemail", 1.0),),
    "failed": (("pipeline-error", 0.5), ("provider-fault", 0.4), (None, 0.1)),
    "canceled": (("customer-ended-call", 0.6), ("canceled", 0.4)),
}


@dataclass(frozen=True, slots=True)
class Leg:
    """A transfer leg: a call from the agent to a person.

    Attributes:
        index: Its position among its call's legs.
        kind: warm_briefing, warm, cold or callback.
        created: When it is dialled.
        settled: When the transfer has succeeded or failed.
        outcome: The transferStatus from `settled` on.
        accepted: Whether the person was reached and took the call.
        seconds: Its duration; None if nobody was reached.
        costed: When the cost is known.
        plan: What is said; None for nothing.
        nested: Whether it is in its call's transferCalls.
        item: Whether it is an item of its own, with parentCallId.
        sparse: Whether transcript, cost and recording are only in the item, not in the nested leg.
    """

    id: str
    index: int
    kind: str
    number: str
    created: int
    settled: int
    ended: int
    outcome: str
    accepted: bool
    seconds: int | None
    cost: float | None
    costed: int
    plan: Plan | None
    nested: bool
    item: bool
    sparse: bool

    def change_times(self) -> tuple[int, ...]:
        """Return when the leg changes, in order."""
        return tuple(sorted({self.created, self.settled, self.ended, self.costed}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call from its creation to its last correction.

    Attributes:
        call_sid: The id at the telephony provider.
        agent: Who handles it.
        phone_number_id: The organisation's number; None for a call over the web.
        direction: inbound or outbound.
        number: The customer's number, as listed.
        created: When the item appears, queued or ringing.
        ringing: When it begins to ring.
        answered: When it is answered; None if never.
        outcome: completed, no_answer, busy, voicemail, failed or canceled.
        status: The status from `ended` on.
        ended_reason: Why it ended.
        seconds: Its duration; None or 0 if it was not answered.
        cost: Its cost as first billed.
        costed: When that is known.
        corrected_cost: What the bill is corrected to.
        corrected: When; None if never.
        recorded: When the recording is available; None if never.
        analysed: When the analysis is available; None if the agent has none.
        reanalysed: When the analysis is run again; None if never.
        plan: What is said.
        details: Seed of the details: context, metadata, unusual messages.
        numbers_as_text: Whether measures are sent as decimal strings.
    """

    id: str
    call_sid: str
    organization_id: str
    agent: Agent
    phone_number_id: str | None
    direction: str
    number: str | None
    created: int
    ringing: int
    answered: int | None = None
    ended: int
    outcome: str
    status: str
    ended_reason: str | None
    seconds: int | None
    cost: float | None = None
    costed: int
    corrected_cost: float | None = None
    corrected: int | None = None
    recorded: int | None = None
    analysed: int | None = None
    reanalysed: int | None = None
    plan: Plan | None = None
    legs: tuple[Leg, ...] = ()
    details: int
    numbers_as_text: bool

    def halfway(self) -> int | None:
        """Return when the first half of the transcript is available, during the call."""
        return None if self.answered is None else (self.answered + self.ended) // 2

    def change_times(self) -> tuple[int, ...]:
        """Return when the call's item changes, in order."""
        own = (self.created, self.ringing, self.answered, self.halfway(), self.ended, self.costed)
        later = (self.corrected, self.recorded, self.analysed, self.reanalysed)
        legs = (moment for leg in self.legs if leg.nested for moment in leg.change_times())
        return tuple(sorted({moment for moment in (*own, *later, *legs) if moment is not None}))


def _draw_legs(rng: random.Random, call: Call, conversations: Conversations) -> tuple[Leg, ...]:
    """Draw the transfers of an answered call, the first of which begins at the call's end."""
    legs: list[Leg] = []
    begins = call.ended
    while not legs or (_may_be_tried_again(legs[-1]) and len(legs) < _MAX_TRIES and rng.random() < _TRIED_AGAIN):
        legs.append(_leg(rng, call, begins, len(legs), conversations))
        begins = legs[-1].settled + 5 * _SECOND
    return tuple(legs)


def _may_be_tried_again(leg: Leg) -> bool:
    return not leg.accepted and leg.kind != "callback"


def _leg(rng: random.Random, call: Call, begins: int, index: int, conversations: Conversations) -> Leg:
    agent = call.agent
    kind = weighted(rng, agent.transfers)
    if kind == "callback":  # a colleague rings the customer back, often on the next morning
        begins += rng.randrange(20 * _MINUTE, 15 * _HOUR, _SECOND)
    accepted = rng.random() < agent.accepted
    settled = begins + rng.randrange(8, 50 if kind == "warm_briefing" else 25) * _SECOND
    briefed = kind == "warm_briefing" and (
        accepted or rng.random() < _BRIEFED_THOUGH_NOT_ACCEPTED
    )  # a briefed person may still decline
    ended = settled + (rng.randrange(20, 600) * _SECOND if accepted else 0)
    seconds = (ended - begins) // _SECOND if accepted or briefed else None
    outcome = _SUCCESS[kind] if accepted else "declined" if briefed else weighted(rng, _FAILURE)
    nested, item = weighted(rng, _CALLBACK_PLACES if kind == "callback" else _PLACES)
    plan = conversations.plan(rng, agent.language, "briefing", agent.name, 4) if briefed else None
    return Leg(
        id=identifier(rng),
        index=index,
        kind=kind,
        number=colleague_number(rng),
        created=begins,
        settled=settled,
        ended=ended,
        outcome=outcome,
        accepted=accepted,
        seconds=seconds,
        cost=round(seconds / 60 * _PERSON_RATE, 4) if seconds else None,
        costed=ended + rng.randrange(40, 90) * _SECOND,
        plan=plan,
        nested=nested,
        item=item,
        sparse=item and rng.random() < _SPARSE,
    )


@dataclass(frozen=True, slots=True)
class CallGenerator:
    """Draws the calls of a world, each from a random stream of its own."""

    seed: int
    company: Company
    conversations: Conversations

    def call(self, day: date, index: int) -> Call:
        """Return the call with that index of a day."""
        rng = stream(self.seed, _CALL_STREAM, day_number(day), index)
        agent, created = draw_agent_and_time(rng, self.company, day)
        created -= 0 if agent.milliseconds else created % _SECOND
        direction = "inbound" if rng.random() < agent.inbound else "outbound"
        outcome = weighted(rng, agent.outcomes(direction))
        call = self._dialled(rng, agent, created, direction, outcome)
        if outcome in ("completed", "voicemail"):
            call = self._answered(rng, call)
        elif outcome == "no_answer" and rng.random() < 0.5:  # noqa: PLR2004 - half of them are billed as nothing
            call = replace(call, seconds=0, cost=0.0)
        return call

    def _dialled(self, rng: random.Random, agent: Agent, created: int, direction: str, outcome: str) -> Call:
        """Draw a call that nobody has answered."""
        ringing = created + (rng.randrange(2, 45) * _SECOND if direction == "outbound" else 0)
        ended = ringing + rng.randrange(3, 12 if outcome in ("failed", "busy") else 35) * _SECOND
        status = outcome if agent.snake else outcome.replace("_", "-")
        if status == "voicemail" and not agent.snake:
            status = "completed"  # many platforms name the voicemail only in the reason
        return Call(
            id=identifier(rng),
            call_sid=_call_sid(rng, agent.provider),
            organization_id=self.company.organization_id,
            agent=agent,
            phone_number_id=rng.choice(self.company.phone_number_ids[agent.id]) if rng.random() >= _BY_WEB else None,
            direction=direction,
            number=customer_number(rng, agent.language, may_withhold=direction == "inbound"),
            created=created,
            ringing=ringing,
            ended=ended,
            outcome=outcome,
            status=status,
            ended_reason=weighted(rng, _REASONS[outcome]),
            seconds=rng.choice((0, None)),
            costed=ended + _MINUTE,
            details=rng.getrandbits(60),
            numbers_as_text=rng.random() < _NUMBERS_AS_TEXT,
        )

    def _answered(self, rng: random.Random, call: Call) -> Call:
        """Return the call answered, by a person or by voicemail."""
        agent = call.agent
        opening = "voicemail" if call.outcome == "voicemail" else call.direction
        plan = self.conversations.plan(rng, agent.language, opening, agent.name, agent.turns)
        seconds = min(max(round(around(rng, plan.turns * agent.pace, 0.2)), 3), _LONGEST_SECONDS)
        if opening == "voicemail":
            seconds = rng.randrange(8, 35)
        answered = call.ringing + rng.randrange(1, 25) * _SECOND
        call = replace(call, answered=answered, ended=answered + seconds * _SECOND, seconds=seconds, plan=plan)
        if call.outcome == "completed" and rng.random() < agent.transfer_rate:
            call = self._transferred(rng, call)
        return self._completed(rng, call)

    def _transferred(self, rng: random.Random, call: Call) -> Call:
        """Return the call with transfers; it lasts until they are settled."""
        if call.plan is None or call.answered is None:
            return call
        legs = _draw_legs(rng, call, self.conversations)
        ended = max([call.ended, *(leg.settled for leg in legs if leg.kind != "callback")])
        seconds = (ended - call.answered) // _SECOND
        reason = "assistant-forwarded-call" if legs[-1].accepted else call.ended_reason
        plan = replace(call.plan, transferred=True)
        return replace(call, legs=legs, plan=plan, ended=ended, seconds=seconds, ended_reason=reason)

    @staticmethod
    def _completed(rng: random.Random, call: Call) -> Call:
        """Return the call with what follows its end: cost, recording, analysis and their corrections."""
        agent, ended, seconds = call.agent, call.ended, call.seconds or 0
        minutes = -(-seconds // 60) if agent.whole_minutes else seconds / 60
        cost = round(agent.fee + minutes * agent.rate * rng.uniform(0.97, 1.03), 4)
        corrected = ended + rng.randrange(20, 30) * _HOUR if rng.random() < _CORRECTED else None
        summarised = call.outcome == "completed" and (agent.summarises or bool(agent.extracts))
        analysed = ended + rng.randrange(2 * _MINUTE, 7 * _MINUTE) if summarised else None
        return replace(
            call,
            cost=cost,
            costed=ended + rng.randrange(40, 100) * _SECOND,
            corrected=corrected,
            corrected_cost=round(cost * rng.uniform(0.8, 1.1), 4),
            recorded=ended + rng.randrange(10, 40) * _SECOND if rng.random() >= _UNRECORDED else None,
            analysed=analysed,
            reanalysed=ended + 6 * _HOUR if analysed and rng.random() < _REANALYSED else None,
        )


def _call_sid(rng: random.Random, provider: str) -> str:
    if provider == "twilio":
        return f"CA{rng.getrandbits(128):032x}"
    if provider == "voximplant":
        return str(rng.randrange(10**9, 10**10))
    return identifier(rng)
