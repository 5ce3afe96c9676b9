"""Three thousand calls with recorded conversations, row by row."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.simulator import World
from pipelines.simulator.conversation import read_dialogues
from tests.support.simulated import START

pytestmark = pytest.mark.slow

NAMED = "CHORUS_TEST_DIALOGUES"
DIALOGUES = Path(
    os.environ.get(NAMED) or Path(__file__).parents[3] / "shared" / "data" / "dialogues" / "sgd_dialogues.jsonl"
)


@pytest.mark.skipif(not DIALOGUES.is_file(), reason=f"{DIALOGUES} is not there; {NAMED} may name another file")
def test_tables_of_recorded_conversations_are_the_oracles(program, serve):
    world = World(seed=11, calls=3_000, days=12, start=START, dialogues=read_dialogues(DIALOGUES))
    serve(world)
    report = program.sync()
    assert report["scan"]["calls_seen"] == len(world.items()) >= 3_000
    assert program.newest() == sorted(item.decode() for item in world.items())
    program.assert_tables_are_the_oracles()
