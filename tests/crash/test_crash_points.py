"""Wherever a run fails, readers see the state before or after it, and one ordinary sync repairs the lake."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pytest

from pipelines.lake.maintenance import retention
from tests.support.crash_lake import KILLED, CrashLake, Ended, ReferenceRun, crash_lake
from tests.support.faulty_disk import Fault, FaultyDisk
from tests.support.lake_contents import Days, Readers

pytestmark = pytest.mark.slow

CHUNKS = 4
FAULTS = (Fault.KILL, Fault.FULL, Fault.DENIED)
NEWS = re.compile(r"(Fetching calls|Building days): .* s\)|\d+ days built, .*")
"""Lines of a run in which nothing fails."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Iterator[CrashLake]:
    with crash_lake(tmp_path_factory.mktemp("crash")) as made:
        yield made


@pytest.fixture(scope="module")
def sync(lake) -> ReferenceRun:
    return ReferenceRun(lake, "sync --full")


def fail_at(lake: CrashLake, known: ReferenceRun, fault: Fault, point: int) -> None:
    """Let one run fail at one step, observe as readers do, and then let an ordinary run repair the lake."""
    known.restore()
    readers = Readers(lake.lake)
    readers.observe()
    ended = lake.run(known.command, FaultyDisk(fault, point))
    assert ended.disk.struck, "the run took another way than the reference run"
    readers.observe()
    assert [state for state in readers.generations.values() if not is_known(state, known, fault)] == []
    assert_reported(ended, fault)
    assert known.repaired() == known.content


def is_known(state: Days, known: ReferenceRun, fault: Fault) -> bool:
    """Return whether readers may see a state: one of the reference run's.

    A day that could not be built stays as it was, while the other days of its build are published.
    """
    if fault is Fault.KILL:
        return state in known.states
    days = {day for one in known.states for day in one}
    return all(state.get(day) in [one.get(day) for one in known.states] for day in days | state.keys())


def assert_reported(ended: Ended, fault: Fault) -> None:
    """Check that a failure is reported in a line or two; a run that could do without ends well."""
    complaints = [line for line in ended.err.splitlines() if not NEWS.fullmatch(line)]
    if fault is Fault.KILL:
        assert ended.code == KILLED
    elif fault is Fault.FULL or ended.code:
        assert ended.code == 1
        assert 1 <= len(complaints) <= 2, ended.err
    assert "Traceback" not in ended.err


def walk(lake: CrashLake, known: ReferenceRun, fault: Fault, points: Sequence[int]) -> None:
    """Fail at each of these points, and report which of them went wrong, and how."""
    wrong = {}
    for point in points:
        try:
            fail_at(lake, known, fault, point)
        except Exception as error:  # noqa: BLE001 - every failure is reported with its step
            wrong[point] = (known.steps[point], repr(error))
    assert wrong == {}


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_sync_may_fail_at_every_step(lake, sync, fault, chunk):
    walk(lake, sync, fault, sync.points(fault)[chunk::CHUNKS])


@pytest.mark.parametrize("part", [0.1, 0.4, 0.7, 0.95])
def test_a_process_killed_for_real_leaves_the_same(lake, sync, part):
    points = sync.points(Fault.KILL)
    point = points[int(part * len(points))]
    sync.restore()
    assert lake.run(sync.command, FaultyDisk(Fault.KILL, point)).code == KILLED
    supposed = lake.content()
    sync.restore()
    assert lake.die(sync.command, point) == -signal.SIGKILL
    assert lake.content() == supposed


ACCEPTING = ("build --accept-settings", {"repaired_by": "build --accept-settings"})
FROM_RAW = ("build --all", {"raw_alone": True})
CATALOG: tuple[str, dict[str, Any]] = ("catalog", {})
PRUNING = ("prune --older-than 9d --yes", {"repaired_by": "prune --older-than 9d --yes"})


@pytest.mark.parametrize(
    ("command", "options", "fault"),
    [
        *((*ACCEPTING, fault) for fault in FAULTS),
        (*FROM_RAW, Fault.KILL),  # which takes the same steps as the one above
        *((*CATALOG, fault) for fault in FAULTS),
        *((*PRUNING, fault) for fault in (Fault.FULL, Fault.DENIED)),  # for kills see tests/privacy
    ],
)
def test_other_commands_may_fail_too(lake, monkeypatch, command, options, fault):
    """Of the steps that do the same for another day or table, at the last."""
    if "--accept-settings" in command:
        monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    monkeypatch.setattr(retention, "floor_of", lambda _: date(2026, 3, 3))
    known = ReferenceRun(lake, command, **options)
    walk(lake, known, fault, list(known.sample(fault)))


def test_every_change_of_the_disk_is_a_step(sync):
    assert len(sync.steps) > 600
    assert len(sync.states) == 2
    least = {Fault.KILL: 55, Fault.FULL: 70, Fault.DENIED: 125}
    assert [fault for fault, points in least.items() if len(sync.points(fault)) < points] == []
    doing = {step.function for step in sync.steps}
    assert doing > {"create", "write", "sync", "protect", "rename", "link", "remove", "remove_folder", "sync_folder"}
