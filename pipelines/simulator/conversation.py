"""What is said on a call: generated from phrases in several languages, or read from a file."""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

from pipelines.simulator.random_streams import around, stream

CUSTOMER, AGENT = "customer", "agent"
_SMALL_TALK = 0.15
_GOODBYE = 3  # messages it takes to end a conversation
_HUNG_UP = 4  # a conversation this short ends without a goodbye
Turn = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """A conversation before it is written out: small to keep, and always written with the same words.

    Attributes:
        seed: Decides the words.
        language: en, es, fr or ar.
        turns: About how many messages it has.
        opening: Who calls whom: inbound, outbound, voicemail or briefing.
        transferred: Whether it ends with a transfer.
    """

    seed: int
    language: str
    turns: int
    opening: str
    agent: str
    transferred: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with its words.

    Attributes:
        turns: Who says what: (customer or agent, text), in order.
        facts: Name, order, amount, day, time and item that it is about, as far as known.
        slots: Values annotated in a recorded conversation, taken as extractions.
    """

    turns: tuple[Turn, ...]
    topics: tuple[str, ...]
    summary: str
    facts: dict[str, Any]
    slots: dict[str, Any] = field(default_factory=dict)


class Conversations(Protocol):
    """Where conversations come from."""

    def plan(self, rng: random.Random, language: str, opening: str, agent: str, turns: float) -> Plan:
        """Draw a conversation of about so many messages."""

    def written(self, plan: Plan) -> Conversation:
        """Write a conversation out; the same plan gives the same words."""


@lru_cache(maxsize=8)
def _phrases(language: str) -> dict[str, Any]:
    text = resources.files("pipelines.simulator").joinpath("phrases", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


class GeneratedConversations:
    """Conversations put together from the shipped phrases."""

    def plan(self, rng: random.Random, language: str, opening: str, agent: str, turns: float) -> Plan:
        """See Conversations."""
        length = min(max(round(around(rng, turns, 0.5)), 2), 120)
        return Plan(rng.getrandbits(64), language, length, opening, agent)

    def written(self, plan: Plan) -> Conversation:
        """See Conversations."""
        rng = stream(plan.seed)
        phrases = _phrases(plan.language)
        facts: dict[str, Any] = {
            "name": rng.choice(phrases["names"]),
            "order": f"HP-{rng.randrange(10_000, 99_999)}",
            "amount": f"{'$' if plan.language == 'en' else ''}{rng.randrange(1500, 90_000) / 100:.2f}",
            "day": rng.choice(phrases["days"]),
            "time": f"{rng.randrange(8, 19)}:{rng.choice(('00', '15', '30', '45'))}",
            "item": rng.choice(phrases["items"]),
            "agent": plan.agent,
        }
        topics = rng.sample(phrases["topics"], len(phrases["topics"]))
        lines = self._lines(rng, phrases, topics, plan)
        turns = tuple((speaker, _sentence(text, facts)) for speaker, text in lines)
        talked = tuple(topic["name"] for topic in topics[: max(1, plan.turns // 10)])
        return Conversation(turns, talked, _sentence(topics[0]["summary"], facts), facts)

    def _lines(
        self, rng: random.Random, phrases: dict[str, Any], topics: Sequence[dict[str, Any]], plan: Plan
    ) -> list[Turn]:
        if plan.opening == "voicemail":
            return [(AGENT, rng.choice(phrases["voicemails"]))]
        if plan.opening == "briefing":
            return list(zip((AGENT, CUSTOMER) * 2, rng.choice(phrases["briefings"]), strict=True))
        lines = [(AGENT, rng.choice(phrases["greetings"]))]
        if plan.opening == "outbound":
            lines = [(AGENT, rng.choice(phrases["outbound_greetings"]))]
            lines.append((CUSTOMER, rng.choice(phrases["outbound_answers"])))
        for topic in cycle(topics):
            lines.extend(_topic_turns(rng, phrases, topic, plan.turns - len(lines)))
            if len(lines) >= plan.turns - _GOODBYE:
                break
            lines.append((AGENT, rng.choice(phrases["more"])))
            lines.append((CUSTOMER, rng.choice(phrases["another"])))
        if plan.transferred:
            return [*lines, (AGENT, rng.choice(phrases["handovers"]))]
        if plan.turns <= _HUNG_UP:
            return lines[: plan.turns]
        lines.append((AGENT, rng.choice(phrases["more"])))
        lines.append((CUSTOMER, rng.choice(phrases["no_more"])))
        return [*lines, (AGENT, rng.choice(phrases["farewells"]))]


def _topic_turns(rng: random.Random, phrases: dict[str, Any], topic: dict[str, Any], room: int) -> list[Turn]:
    """Write one topic: the request, as many questions and replies as there is room for, and the resolution."""
    lines = [(CUSTOMER, rng.choice(topic["requests"]))]
    for question, reply in topic["steps"]:
        if len(lines) + _GOODBYE >= room:
            break
        if rng.random() < _SMALL_TALK:
            lines.append((AGENT, rng.choice(phrases["small_agent"])))
            lines.append((CUSTOMER, rng.choice(phrases["small_customer"])))
        lines.extend(((AGENT, question), (CUSTOMER, reply)))
    lines.append((AGENT, rng.choice(topic["resolutions"])))
    return lines


def _sentence(text: str, facts: dict[str, Any]) -> str:
    sentence = text.format_map(facts)
    return sentence[:1].upper() + sentence[1:]


_LANGUAGE = "en"


class DialogueError(ValueError):
    """A file that is not a list of dialogues; the message names the wrong line."""


class RecordedConversations:
    """English conversations from a file; other languages, voicemails and briefings are generated."""

    def __init__(self, dialogues: list[Conversation]) -> None:
        self._dialogues = dialogues
        self._generated = GeneratedConversations()

    def plan(self, rng: random.Random, language: str, opening: str, agent: str, turns: float) -> Plan:
        """See Conversations; the dialogue decides on its length."""
        if not self._has(language, opening):
            return self._generated.plan(rng, language, opening, agent, turns)
        number = rng.randrange(len(self._dialogues))
        return Plan(number, language, len(self._dialogues[number].turns), opening, agent)

    def written(self, plan: Plan) -> Conversation:
        """See Conversations."""
        if self._has(plan.language, plan.opening):
            return self._dialogues[plan.seed]
        return self._generated.written(plan)

    @staticmethod
    def _has(language: str, opening: str) -> bool:
        return language == _LANGUAGE and opening in ("inbound", "outbound")


def read_dialogues(path: Path) -> RecordedConversations:
    """Read dialogues from a JSON-lines file.

    Args:
        path: One JSON object a line, with `turns[].speaker` (USER or SYSTEM), `turns[].utterance`, `services`,
            `intents` and `final_slot_values` (service, slot, value).

    Raises:
        DialogueError: A line is no such object, or the file has none.
        OSError: The file cannot be read.
    """
    dialogues = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                dialogues.append(_conversation(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                msg = f"{path}, line {number}: not a dialogue ({type(wrong).__name__}: {wrong})"
                raise DialogueError(msg) from wrong
    if not dialogues:
        msg = f"{path} holds no dialogues"
        raise DialogueError(msg)
    return RecordedConversations(dialogues)


def _conversation(dialogue: dict[str, Any]) -> Conversation:
    speakers = {"USER": CUSTOMER, "SYSTEM": AGENT}
    turns = tuple((speakers[turn["speaker"]], str(turn["utterance"])) for turn in dialogue["turns"])
    if not turns:
        msg = "it has no turns"
        raise ValueError(msg)
    services = dialogue.get("final_slot_values", {})
    slots = {slot: value for service in services.values() for slot, value in service.items()}
    topics = tuple(dialogue.get("intents") or dialogue.get("services") or ["unknown"])
    wanted = ", ".join(f"{slot.replace('_', ' ')} {value}" for slot, value in list(slots.items())[:3])
    summary = f"Customer called about {', '.join(topics)}" + (f" ({wanted})." if wanted else ".")
    return Conversation(turns, topics, summary, {}, slots)
