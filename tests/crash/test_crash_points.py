"""Wherever a run fails, readers see what was before or what is after, and one ordinary sync makes all as it should be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.faults import Fault, FaultyDisk
from tests.support.readers import Readers
from tests.support.scene import KILLED, Ended, Scene, scene
from tests.support.walk import Undisturbed, settled

CHUNKS = 4
NEWS = re.compile(r"(Fetching calls|Building days): .* s\)|\d+ days built, .*")
"""What runs say when all is well."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture(scope="module")
def sync(lake) -> Undisturbed:
    return Undisturbed(lake, "sync --full")


def fail_at(lake: Scene, known: Undisturbed, command: str, fault: Fault, point: int) -> None:
    """Let one run fail at one step, look as readers do, and then let an ordinary sync mend it."""
    lake.restore()
    readers = Readers(lake.lake)
    readers.look()
    ended = lake.run(command, FaultyDisk(fault, point))
    assert ended.disk.struck, "the run took another way than the undisturbed one"
    readers.look()
    assert [state for state in readers.generations.values() if state not in known.states] == []
    assert_told(ended, fault)
    assert settled(lake) == known.content


def assert_told(ended: Ended, fault: Fault) -> None:
    """A failure is told in a line or two; what could be done without ends well."""
    complaints = [line for line in ended.err.splitlines() if not NEWS.fullmatch(line)]
    if fault is Fault.KILL:
        assert ended.code == KILLED
    elif fault is Fault.FULL or ended.code:
        assert ended.code == 1
        assert 1 <= len(complaints) <= 2, ended.err
    assert "Traceback" not in ended.err


def walk(lake: Scene, known: Undisturbed, command: str, fault: Fault, points: list[int]) -> None:
    """Fail at each of these points, and tell which of them went wrong, and how."""
    wrong = {}
    for point in points:
        try:
            fail_at(lake, known, command, fault, point)
        except Exception as error:  # noqa: BLE001 - every kind of going wrong is told with its place
            wrong[point, known.steps[point]] = repr(error)
    assert wrong == {}


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("fault", [Fault.KILL, Fault.FULL, Fault.DENIED])
def test_a_sync_may_fail_at_every_step(lake, sync, fault, chunk):
    walk(lake, sync, "sync --full", fault, sync.points(fault)[chunk::CHUNKS])


def test_every_change_of_the_disk_is_a_step(sync):
    assert len(sync.steps) > 500
    assert len(sync.states) == 2
    assert {fault: len(sync.points(fault)) for fault in (Fault.KILL, Fault.FULL, Fault.DENIED)} == {}
