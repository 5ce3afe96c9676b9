"""Decides how a call goes: who calls, whether it is answered, how long it lasts, what it costs, who takes it over."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date

from pipelines.simulator.chance import around, identifier, stream, weighted
from pipelines.simulator.company import Agent, Company
from pipelines.simulator.conversation import Conversations
from pipelines.simulator.customers import customer_number
from pipelines.simulator.rhythm import day_number, who_and_when
from pipelines.simulator.story import Story
from pipelines.simulator.transfers import legs_of

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
_A_CALL = 5
_LONGEST_SECONDS = 3_600
_CORRECTED, _REANALYSED, _UNRECORDED, _TEXT, _BY_WEB = 0.03, 0.02, 0.06, 0.05, 0.005
_WORDS = {
    "completed": "completed",
    "no_answer": "no-answer",
    "busy": "busy",
    "voicemail": "voicemail",
    "failed": "failed",
    "canceled": "canceled",
}
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
class Storyteller:
    """Tells the calls of a world, each from its own stream, whatever else is told.

    Attributes:
        seed: The world's seed.
        company: Whose calls.
        conversations: What is said on them.
    """

    seed: int
    company: Company
    conversations: Conversations

    def call(self, day: date, index: int) -> Story:
        """The call with that index of a day."""
        rng = stream(self.seed, _A_CALL, day_number(day), index)
        agent, created = who_and_when(rng, self.company, day)
        created -= 0 if agent.milliseconds else created % SECOND
        direction = "inbound" if rng.random() < agent.inbound else "outbound"
        outcome = weighted(rng, agent.outcomes(direction))
        story = self._dialled(rng, agent, created, direction, outcome)
        if outcome in ("completed", "voicemail"):
            story = self._answered(rng, story)
        elif outcome == "no_answer" and rng.random() < 0.5:  # noqa: PLR2004 - half of them are billed as nothing
            story = replace(story, seconds=0, cost=0.0)
        return story

    def _dialled(self, rng: random.Random, agent: Agent, created: int, direction: str, outcome: str) -> Story:
        """A call that nobody answers, yet."""
        ringing = created + (rng.randrange(2, 45) * SECOND if direction == "outbound" else 0)
        ended = ringing + rng.randrange(3, 12 if outcome in ("failed", "busy") else 35) * SECOND
        word = _WORDS[outcome]
        if outcome == "voicemail" and not agent.snake:
            word = "completed"  # many platforms leave it to the reason to say so
        return Story(
            id=identifier(rng),
            call_sid=_call_sid(rng, agent.provider),
            organization_id=self.company.organization_id,
            agent=agent,
            phone_number_id=rng.choice(self.company.phone_number_ids[agent.id]) if rng.random() >= _BY_WEB else None,
            direction=direction,
            number=customer_number(rng, agent.language, hides=direction == "inbound"),
            created=created,
            ringing=ringing,
            answered=None,
            ended=ended,
            outcome=outcome,
            status=word.replace("-", "_") if agent.snake else word,
            ended_reason=weighted(rng, _REASONS[outcome]),
            seconds=rng.choice((0, None)),
            cost=None,
            costed=ended + MINUTE,
            corrected_cost=None,
            corrected=None,
            recorded=None,
            analysed=None,
            reanalysed=None,
            plan=None,
            legs=(),
            details=rng.getrandbits(60),
            numbers_as_text=rng.random() < _TEXT,
        )

    def _answered(self, rng: random.Random, call: Story) -> Story:
        """The same call, answered by a person or a machine."""
        agent = call.agent
        opening = "voicemail" if call.outcome == "voicemail" else call.direction
        plan = self.conversations.plan(rng, agent.language, opening, agent.name, agent.turns)
        seconds = min(max(round(around(rng, plan.turns * agent.pace, 0.2)), 3), _LONGEST_SECONDS)
        if opening == "voicemail":
            seconds = rng.randrange(8, 35)
        answered = call.ringing + rng.randrange(1, 25) * SECOND
        call = replace(call, answered=answered, ended=answered + seconds * SECOND, seconds=seconds, plan=plan)
        if call.outcome == "completed" and rng.random() < agent.transfer_rate:
            call = self._handed_over(rng, call)
        return self._settled(rng, call)

    def _handed_over(self, rng: random.Random, call: Story) -> Story:
        """The same call with transfers; it lasts until they are decided."""
        if call.plan is None or call.answered is None:
            return call
        legs = legs_of(rng, call, self.conversations)
        ended = max([call.ended, *(leg.settled for leg in legs if leg.kind != "callback")])
        seconds = (ended - call.answered) // SECOND
        reason = "assistant-forwarded-call" if legs[-1].accepted else call.ended_reason
        plan = replace(call.plan, handed_over=True)
        return replace(call, legs=legs, plan=plan, ended=ended, seconds=seconds, ended_reason=reason)

    @staticmethod
    def _settled(rng: random.Random, call: Story) -> Story:
        """The same call with what comes after its end: bill, recording, analysis and their corrections."""
        agent, ended, seconds = call.agent, call.ended, call.seconds or 0
        minutes = -(-seconds // 60) if agent.whole_minutes else seconds / 60
        cost = round(agent.fee + minutes * agent.rate * rng.uniform(0.97, 1.03), 4)
        corrected = ended + rng.randrange(20, 30) * HOUR if rng.random() < _CORRECTED else None
        summarised = call.outcome == "completed" and (agent.summarises or bool(agent.extracts))
        analysed = ended + rng.randrange(2 * MINUTE, 7 * MINUTE) if summarised else None
        return replace(
            call,
            cost=cost,
            costed=ended + rng.randrange(40, 100) * SECOND,
            corrected=corrected,
            corrected_cost=round(cost * rng.uniform(0.8, 1.1), 4),
            recorded=ended + rng.randrange(10, 40) * SECOND if rng.random() >= _UNRECORDED else None,
            analysed=analysed,
            reanalysed=ended + 6 * HOUR if analysed and rng.random() < _REANALYSED else None,
        )


def _call_sid(rng: random.Random, provider: str) -> str:
    if provider == "twilio":
        return f"CA{rng.getrandbits(128):032x}"
    if provider == "voximplant":
        return str(rng.randrange(10**9, 10**10))
    return identifier(rng)
