"""When calls come: how many on a day, whose they are and at which second, from the agents' weeks and hours."""

from __future__ import annotations

import random
from datetime import date

from pipelines.simulator.chance import stream, weighted
from pipelines.simulator.company import Agent, Company

DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_DAYS_OWN = 4
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def _busyness(company: Company, weekday: int) -> float:
    """How busy that weekday is; 1 on the average day of a week."""
    average = sum(agent.share * sum(agent.week) / 7 for agent in company.agents)
    return sum(agent.share * agent.week[weekday] for agent in company.agents) / average


def calls_on(company: Company, seed: int, day: date, per_day: float) -> int:
    """How many calls are made or come in on a day: its weekday, and some days are busier than others.

    Args:
        company: Whose calls.
        seed: The world's seed.
        day: The UTC date.
        per_day: The average over the days of a week.
    """
    rng = stream(seed, _DAYS_OWN, day_number(day))
    expected = per_day * _busyness(company, day.weekday()) * rng.uniform(0.85, 1.15)
    return int(expected + rng.random())


def who_and_when(rng: random.Random, company: Company, day: date) -> tuple[Agent, int]:
    """The agent of a call on that day, and the instant the call is created, in milliseconds since 1970."""
    agent = weighted(rng, [(agent, agent.share * agent.week[day.weekday()]) for agent in company.agents])
    hour = weighted(rng, list(enumerate(agent.hours)))
    return agent, day_number(day) * DAY_MS + hour * _HOUR_MS + rng.randrange(_HOUR_MS)
