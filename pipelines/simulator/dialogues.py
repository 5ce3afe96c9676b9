"""Conversations from a file: JSON lines in the shape of the Schema-Guided Dialogue data set."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from pipelines.simulator.conversation import AGENT, CUSTOMER, Conversation, Improvised, Plan

_LANGUAGE = "en"


class DialogueError(ValueError):
    """A file that holds no dialogues, with the line that is wrong."""


class Recorded:
    """English conversations from a file; other languages, voicemails and briefings are improvised."""

    def __init__(self, dialogues: list[Conversation]) -> None:
        self._dialogues = dialogues
        self._improvised = Improvised()

    def plan(self, rng: random.Random, language: str, opening: str, agent: str, turns: float) -> Plan:
        """See Conversations; the dialogue decides on its length."""
        if not self._has(language, opening):
            return self._improvised.plan(rng, language, opening, agent, turns)
        number = rng.randrange(len(self._dialogues))
        return Plan(number, language, len(self._dialogues[number].turns), opening, agent)

    def written(self, plan: Plan) -> Conversation:
        """See Conversations."""
        if self._has(plan.language, plan.opening):
            return self._dialogues[plan.seed]
        return self._improvised.written(plan)

    @staticmethod
    def _has(language: str, opening: str) -> bool:
        return language == _LANGUAGE and opening in ("inbound", "outbound")


def read_dialogues(path: Path) -> Recorded:
    """Read dialogues from a JSON-lines file.

    Args:
        path: One JSON object a line, with `turns[].speaker` (USER or SYSTEM), `turns[].utterance`, `services`,
            `intents` and `final_slot_values` (service, slot, value).

    Raises:
        DialogueError: A line is no such object, or there is none.
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
                msg = f"{path}, line {number}: no dialogue ({type(wrong).__name__}: {wrong})"
                raise DialogueError(msg) from wrong
    if not dialogues:
        msg = f"{path} holds no dialogues"
        raise DialogueError(msg)
    return Recorded(dialogues)


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
