"""The whole life of a call and of its transfer legs, as instants and final values; rendering shows it up to a moment.

All instants are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.simulator.company import Agent
from pipelines.simulator.conversation import Plan


@dataclass(frozen=True, slots=True)
class Leg:
    """A transfer: a call from the agent to a person, with a life of its own.

    Attributes:
        id: Its id; as an item of its own it has the same.
        index: Its position among its call's legs.
        kind: warm_briefing, warm, cold or callback.
        number: The person's number.
        created: When it is dialled.
        settled: When it is decided whether the transfer succeeds.
        ended: When its connection ends.
        outcome: The transferStatus from `settled` on.
        accepted: Whether the person was reached and took the call.
        seconds: Its duration; None where nobody was reached.
        cost: Its cost.
        costed: When the cost is known.
        plan: What is said; None where nothing is.
        nested: Whether its call lists it in transferCalls.
        item: Whether it is an item of its own, with parentCallId.
        sparse: Whether the nested one leaves to the item what it can (transcript, cost, recording).
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

    def moments(self) -> tuple[int, ...]:
        """The instants at which the leg changes."""
        return self.created, self.settled, self.ended, self.costed


@dataclass(frozen=True, slots=True)
class Story:
    """A call from its creation to the last correction.

    Attributes:
        id: Its id.
        call_sid: The id at the telephony provider.
        organization_id: The organisation.
        agent: Who handles it.
        phone_number_id: The organisation's number; None for a call over the web.
        direction: inbound or outbound.
        number: The customer's number, as shown.
        created: When the item appears, queued or ringing.
        ringing: When it begins to ring.
        answered: When it is answered; None where it never is.
        ended: When it ends.
        outcome: completed, no_answer, busy, voicemail, failed or canceled.
        status: The word for the status from `ended` on.
        ended_reason: Why it ended.
        seconds: Its duration; None or 0 where it was not answered.
        cost: Its cost as first billed.
        costed: When that is known.
        corrected_cost: What the bill is corrected to.
        corrected: When; None where it never is.
        recorded: When the recording is there; None where there is none.
        analysed: When the analysis is there; None where the agent has none.
        reanalysed: When the analysis is run again; None where it is not.
        plan: What is said.
        legs: Its transfers.
        details: Seeds the small things: context, metadata, oddities.
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
    answered: int | None
    ended: int
    outcome: str
    status: str
    ended_reason: str | None
    seconds: int | None
    cost: float | None
    costed: int
    corrected_cost: float | None
    corrected: int | None
    recorded: int | None
    analysed: int | None
    reanalysed: int | None
    plan: Plan | None
    legs: tuple[Leg, ...]
    details: int
    numbers_as_text: bool

    def halfway(self) -> int | None:
        """When the first half of the transcript is there, while the call goes on."""
        return None if self.answered is None else (self.answered + self.ended) // 2

    def moments(self) -> tuple[int, ...]:
        """The instants at which the call's item changes, in order."""
        own = (self.created, self.ringing, self.answered, self.halfway(), self.ended, self.costed)
        later = (self.corrected, self.recorded, self.analysed, self.reanalysed)
        legs = (moment for leg in self.legs if leg.nested for moment in leg.moments())
        return tuple(sorted({moment for moment in (*own, *later, *legs) if moment is not None}))
