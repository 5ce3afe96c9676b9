"""The simulated organisation: its agents with habits and prices, its phone numbers, its customers, and when calls come.

Every customer's number is from a range reserved for fiction, or has a prefix that no operator holds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date

from pipelines.simulator.random_streams import identifier, stream, weighted

_ORGANISATION, _AGENTS, _NUMBERS = 1, 2, 3

Weights = tuple[tuple[str, float], ...]


def _hours(opens: int, closes: int, *, rest: float = 0.02) -> tuple[float, ...]:
    """Return how busy each UTC hour is with these opening hours: a peak in the morning, a smaller one after lunch."""
    shape = (0.6, 1.0, 1.3, 1.2, 0.9, 0.7, 1.0, 1.1, 1.0, 0.8, 0.5)
    span = (closes - opens) % 24
    busy = [rest] * 24
    for step in range(span):
        busy[(opens + step) % 24] = shape[step * len(shape) // span]
    return tuple(busy)


_OFFICE_WEEK = (1.15, 1.05, 1.0, 1.0, 0.9, 0.25, 0.08)
_SHOP_WEEK = (1.0, 0.9, 0.9, 1.0, 1.15, 0.8, 0.35)
_EVERY_DAY = (1.0, 0.95, 0.95, 1.0, 1.05, 0.7, 0.6)
_GULF_WEEK = (1.1, 1.05, 1.0, 0.9, 0.3, 0.35, 1.0)
_ANSWERED: Weights = (("completed", 0.955), ("canceled", 0.03), ("failed", 0.015))
_DIALLED: Weights = (
    ("completed", 0.56),
    ("no_answer", 0.21),
    ("voicemail", 0.13),
    ("busy", 0.05),
    ("failed", 0.03),
    ("canceled", 0.02),
)


@dataclass(frozen=True, slots=True)
class Agent:
    """One voice agent's habits.

    Attributes:
        language: en, es, fr or ar.
        share: Its share of the organisation's calls.
        week: How busy each weekday is, Monday first.
        hours: How busy each UTC hour is.
        inbound: Share of its calls that come in; the rest it dials.
        rate: Cost of a minute.
        fee: Cost of a connection, however short.
        whole_minutes: Whether begun minutes are billed whole.
        turns: Median number of messages of a conversation.
        pace: Seconds a message takes.
        transfer_rate: Share of its conversations that are transferred.
        transfers: The types of its transfers, with weights.
        accepted: Share of transfers that succeed.
        roles: Its words for the customer and for itself in transcripts.
        snake: Whether its statuses are spelt with `_` (else `-`).
        summarises: Whether its calls get a summary.
        extracts: The keys it extracts from a conversation.
        milliseconds: Whether its times carry a fraction.
        id: Set by `build_company`.
    """

    name: str
    language: str
    share: float
    week: tuple[float, ...]
    hours: tuple[float, ...]
    rate: float
    inbound: float = 1.0
    fee: float = 0.0
    whole_minutes: bool = False
    turns: float = 14.0
    pace: float = 7.5
    transfer_rate: float = 0.1
    transfers: Weights = (("warm_briefing", 1.0),)
    accepted: float = 0.8
    provider: str = "twilio"
    roles: tuple[str, str] = ("user", "agent")
    snake: bool = False
    summarises: bool = True
    extracts: tuple[str, ...] = ()
    milliseconds: bool = False
    id: str = ""

    def outcomes(self, direction: str) -> Weights:
        """Return how likely each outcome of a call in that direction is."""
        return _ANSWERED if direction == "inbound" else _DIALLED


_AGENT_TEMPLATES = (
    Agent("Nora", "en", 0.27, _SHOP_WEEK, _hours(13, 23), 0.09, turns=12, transfer_rate=0.09,
          transfers=(("warm_briefing", 0.7), ("cold", 0.3)), extracts=("intent", "order_id", "resolved", "sentiment")),
    Agent("Ethan", "en", 0.18, _OFFICE_WEEK, _hours(8, 18), 0.14, fee=0.01, turns=18, pace=8.5, transfer_rate=0.27,
          transfers=(("warm_briefing", 0.6), ("warm", 0.1), ("callback", 0.3)), accepted=0.74, milliseconds=True,
          extracts=("intent", "order_id", "amount_due", "resolved", "nps")),
    Agent("Sam", "en", 0.09, _EVERY_DAY, _hours(19, 5, rest=0.05), 0.11, turns=11, transfer_rate=0.2,
          transfers=(("callback", 0.6), ("warm_briefing", 0.4)), accepted=0.62, summarises=False,
          extracts=("intent", "callback_time")),
    Agent("Clara", "en", 0.2, _OFFICE_WEEK, _hours(14, 22), 0.06, inbound=0.0, turns=6, pace=6.0, transfer_rate=0.03,
          transfers=(("cold", 1.0),), provider="sip", roles=("user", "assistant"), snake=True,
          extracts=("confirmed", "preferred_slot")),
    Agent("Felix", "en", 0.08, _OFFICE_WEEK, _hours(15, 23), 0.19, inbound=0.1, fee=0.02, whole_minutes=True, turns=16,
          transfer_rate=0.34, transfers=(("warm", 0.7), ("cold", 0.3)), accepted=0.88, roles=("human", "bot"),
          milliseconds=True, extracts=("interest", "budget", "topics")),
    Agent("Lucía", "es", 0.09, _SHOP_WEEK, _hours(8, 19), 0.1, inbound=0.8, turns=13, transfer_rate=0.14,
          accepted=0.83, snake=True, provider="voximplant", extracts=("intent", "order_id", "sentiment")),
    Agent("Camille", "fr", 0.06, _OFFICE_WEEK, _hours(7, 17), 0.12, turns=12, transfer_rate=0.12,
          transfers=(("warm_briefing", 0.5), ("cold", 0.5)), roles=("customer", "assistant"), provider="jambonz"),
    Agent("Layla", "ar", 0.03, _GULF_WEEK, _hours(5, 15), 0.16, inbound=0.7, turns=12, pace=8.0, transfer_rate=0.18,
          provider="sip", extracts=("intent", "amount_due")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Company:
    """An organisation that calls belong to.

    Attributes:
        phone_number_ids: For each agent's id, the ids of the numbers it answers or dials from.
    """

    organization_id: str
    agents: tuple[Agent, ...]
    phone_number_ids: dict[str, tuple[str, ...]]


def build_company(seed: int) -> Company:
    """Return the organisation of a seed: always the same agents, with ids of its own."""
    agents = []
    numbers = {}
    for index, template in enumerate(_AGENT_TEMPLATES):
        agent_id = identifier(stream(seed, _AGENTS, index))
        agents.append(replace(template, id=agent_id))
        rng = stream(seed, _NUMBERS, index)
        numbers[agent_id] = tuple(identifier(rng) for _ in range(2 if template.share > 0.1 else 1))  # noqa: PLR2004
    return Company(identifier(stream(seed, _ORGANISATION)), tuple(agents), numbers)


DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_DAY_VOLUME = 4
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Return the days since 1970-01-01."""
    return (day - _EPOCH).days


def _busyness(company: Company, weekday: int) -> float:
    """Return how busy that weekday is; 1 is the average over a week."""
    average = sum(agent.share * sum(agent.week) / 7 for agent in company.agents)
    return sum(agent.share * agent.week[weekday] for agent in company.agents) / average


def calls_on(company: Company, seed: int, day: date, per_day: float) -> int:
    """Return how many calls a day has, which depends on its weekday and on chance."""
    rng = stream(seed, _DAY_VOLUME, day_number(day))
    expected = per_day * _busyness(company, day.weekday()) * rng.uniform(0.85, 1.15)
    return int(expected + rng.random())


def draw_agent_and_time(rng: random.Random, company: Company, day: date) -> tuple[Agent, int]:
    """Draw the agent of a call on that day, and when the call is created, in milliseconds since 1970."""
    agent = weighted(rng, [(agent, agent.share * agent.week[day.weekday()]) for agent in company.agents])
    hour = weighted(rng, list(enumerate(agent.hours)))
    return agent, day_number(day) * DAY_MS + hour * _HOUR_MS + rng.randrange(_HOUR_MS)


_US_AREAS = ("212", "312", "415", "206", "617", "305", "404", "503", "702", "713", "303", "619", "918", "804", "207")
_UK_AREAS = ("2079460", "1214960", "1614960", "1134960", "1414960", "7700900")
_FR_AREAS = ("19900", "26191", "35301", "46571", "53649", "63998")
_CUSTOMERS = 1_500
_SKEW = 1.6  # the higher, the more calls come from the same few customers
_WITHHELD = 0.015
_OTHER_FORMAT = 0.015


def _american(who: int) -> str:
    return f"+1{_US_AREAS[who % len(_US_AREAS)]}55501{who // len(_US_AREAS) % 100:02d}"


def _british(who: int) -> str:
    return f"+44{_UK_AREAS[who % len(_UK_AREAS)]}{who // len(_UK_AREAS) % 1000:03d}"


def _spanish(who: int) -> str:
    return f"+34555{who:06d}"  # Spanish numbers begin with 6 to 9


def _french(who: int) -> str:
    return f"+33{_FR_AREAS[who % len(_FR_AREAS)]}{who // len(_FR_AREAS):04d}"


def _emirati(who: int) -> str:
    return f"+97157{who:07d}"  # no operator holds 057


# The countries of the customers of each language.
_COUNTRIES = {
    "en": (_american, _american, _american, _british),
    "es": (_spanish, _spanish, _american),
    "fr": (_french,),
    "ar": (_emirati, _emirati, _british),
}


def customer_number(rng: random.Random, language: str, *, may_withhold: bool) -> str | None:
    """Draw the number a call is from or to.

    Args:
        rng: The call's stream.
        language: The customer's language: en, es, fr or ar.
        may_withhold: Whether the number may be withheld, as an inbound caller's may.

    Returns:
        Usually a number in E.164; sometimes one in local format, with 00, or a SIP address; a withheld one is
        `anonymous` or None.
    """
    if may_withhold and rng.random() < _WITHHELD:
        return rng.choice(("anonymous", "anonymous", None))
    who = int(_CUSTOMERS * rng.random() ** _SKEW)
    countries = _COUNTRIES[language]
    number = countries[who % len(countries)](who)
    if rng.random() >= _OTHER_FORMAT:
        return number
    return rng.choice(
        (
            f"({number[2:5]}) {number[5:8]}-{number[8:]}" if number.startswith("+1") else f"00{number[1:]}",
            f"sip:{number}@sip.example.com",
            number[2:],
        )
    )


def colleague_number(rng: random.Random) -> str:
    """Draw the number of one of the few people that calls are transferred to."""
    return f"+1646555019{rng.randrange(8)}"
