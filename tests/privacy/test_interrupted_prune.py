"""A prune that is killed leaves readers a committed state, and once its floor is moved, any later command ends it."""

from __future__ import annotations

import json
from datetime import date

import pytest

from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance import retention
from pipelines.lake.maintenance.retention import days_before
from tests.support.crash_lake import KILLED, ReferenceRun, crash_lake
from tests.support.faulty_disk import Fault, FaultyDisk
from tests.support.lake_contents import Readers

pytestmark = pytest.mark.slow

FLOOR = date(2026, 3, 3)
PRUNE = "prune --older-than 9d --yes"
ENDING = ("build", "sync --full", "prune --older-than 1d --yes")
"""Commands that end what was begun; each point is given to one of them."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    with crash_lake(tmp_path_factory.mktemp("crash")) as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "floor_of", lambda _: FLOOR)
        assert made.run("sync --full").code == 0  # so that a sync finds nothing new, and leaves what the others leave
        made.keep()
        yield made


def floor(lake):
    return json.loads((lake.lake / "state/lake.json").read_bytes())["retention_floor"]


def test_a_prune_may_be_killed_at_every_step(lake):
    known = ReferenceRun(lake, PRUNE, repaired_by="build")
    points = list(known.sample(Fault.KILL))
    assert (len(known.states), len(points) > 25) == (3, True)  # before, without the old days, with the first day anew
    left = set()
    for number, point in enumerate(points):
        known.restore()
        readers = Readers(lake.lake)
        readers.observe()
        assert lake.run(PRUNE, FaultyDisk(Fault.KILL, point)).code == KILLED
        readers.observe()
        assert all(state in known.states for state in readers.generations.values()), known.steps[point]
        ending = ENDING[number % len(ENDING)] if floor(lake) else PRUNE
        left.add((ending, bool(days_before(LocalStorage(lake.lake), FLOOR))))
        assert lake.run(ending).code == 0
        readers.observe()
        assert lake.content() == known.content, (known.steps[point], ending)
    assert left >= {(ending, True) for ending in (PRUNE, *ENDING)}
