"""Decides how a call is handed over to a person: one leg, or a second where the first person does not take it."""

from __future__ import annotations

import random

from pipelines.simulator.chance import identifier, weighted
from pipelines.simulator.conversation import Conversations
from pipelines.simulator.customers import colleague_number
from pipelines.simulator.story import Leg, Story

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
_PERSON_RATE = 0.045
_TRIES = 2
_SUCCESS = {"warm_briefing": "completed", "warm": "bridged", "cold": "connected", "callback": "completed"}
_FAILURE = (("failed", 0.25), ("declined", 0.2), ("no_answer", 0.4), ("busy", 0.1), ("canceled", 0.05))
# Where a leg is to be found: nested in its call, as an item of its own, in both places.
_PLACES = (((True, False), 0.5), ((True, True), 0.3), ((False, True), 0.2))
_PLACES_LATER = (((True, False), 0.2), ((True, True), 0.4), ((False, True), 0.4))
_SPARSE, _AGAIN, _BRIEFED_ANYHOW = 0.5, 0.5, 0.5


def legs_of(rng: random.Random, call: Story, conversations: Conversations) -> tuple[Leg, ...]:
    """The transfers of an answered call, beginning at its end as it stands."""
    legs: list[Leg] = []
    begins = call.ended
    while not legs or (_is_tried_again(legs[-1]) and len(legs) < _TRIES and rng.random() < _AGAIN):
        legs.append(_leg(rng, call, begins, len(legs), conversations))
        begins = legs[-1].settled + 5 * _SECOND
    return tuple(legs)


def _is_tried_again(leg: Leg) -> bool:
    return not leg.accepted and leg.kind != "callback"


def _leg(rng: random.Random, call: Story, begins: int, index: int, conversations: Conversations) -> Leg:
    agent = call.agent
    kind = weighted(rng, agent.transfers)
    if kind == "callback":  # a colleague rings the customer back, often on the next morning
        begins += rng.randrange(20 * _MINUTE, 15 * _HOUR, _SECOND)
    accepted = rng.random() < agent.accepted
    settled = begins + rng.randrange(8, 50 if kind == "warm_briefing" else 25) * _SECOND
    briefed = kind == "warm_briefing" and (
        accepted or rng.random() < _BRIEFED_ANYHOW
    )  # a briefed person may still decline
    ended = settled + (rng.randrange(20, 600) * _SECOND if accepted else 0)
    seconds = (ended - begins) // _SECOND if accepted or briefed else None
    outcome = _SUCCESS[kind] if accepted else "declined" if briefed else weighted(rng, _FAILURE)
    nested, item = weighted(rng, _PLACES_LATER if kind == "callback" else _PLACES)
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
