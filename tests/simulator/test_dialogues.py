"""Conversations from a file."""

from __future__ import annotations

import json

import pytest

from pipelines.simulator import World
from pipelines.simulator.conversation import DialogueError, read_dialogues
from tests.support.simulated import START

DIALOGUE = {
    "dialogue_id": "1_00000",
    "services": ["Restaurants_2"],
    "intents": ["ReserveRestaurant"],
    "final_slot_values": {"Restaurants_2": {"restaurant_name": "Chez Nous", "number_of_seats": "2"}},
    "turns": [
        {"speaker": "USER", "utterance": "A table at Chez Nous for two, please."},
        {"speaker": "SYSTEM", "utterance": "Your table is booked."},
    ],
}


def test_english_calls_speak_the_words_of_the_file(tmp_path):
    file = tmp_path / "dialogues.jsonl"
    file.write_text(json.dumps(DIALOGUE) + "\n\n", encoding="utf-8")
    world = World(calls=200, days=3, start=START, dialogues=read_dialogues(file))
    calls = [json.loads(item) for item in world.items()]
    spoken = [[message["content"] for message in call["transcript"] or []] for call in calls]
    assert ["A table at Chez Nous for two, please.", "Your table is booked."] in spoken
    found = [call["analysis"] for call in calls if call["analysis"]]
    booked = [analysis for analysis in found if analysis["extractions"].get("restaurant_name") == "Chez Nous"]
    assert booked
    assert any("ReserveRestaurant" in (analysis["summary"] or "") for analysis in booked)
    assert any("Gracias" in str(lines) for lines in spoken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no dialogues"),
        ("{}\n", "line 1"),
        (json.dumps(DIALOGUE) + "\nnonsense\n", "line 2"),
        ("[1]\n", "line 1"),
        ('{"turns": []}', "no turns"),
    ],
)
def test_a_file_without_dialogues_is_refused(tmp_path, text, message):
    file = tmp_path / "dialogues.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DialogueError, match=message):
        read_dialogues(file)
