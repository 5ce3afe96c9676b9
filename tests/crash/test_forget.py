"""Wherever an erasure fails, it has not begun or the next command resumes it, and it ends as the reference run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crash_lake import KILLED, CrashLake, ReferenceRun, crash_lake
from tests.support.erasure_account import GONE, NUMBER, encoded, everything, texts_of
from tests.support.faulty_disk import Fault, FaultyDisk

pytestmark = pytest.mark.slow

CHUNKS = 2
FORGET = f"forget --number {NUMBER}"
FEW = (
    "call-of-person-first stays child-of-first leg-to-person mentions call-of-person-second copies "
    "late-child-of-second after"
)


def items() -> list[bytes]:
    return encoded([one for one in everything() if one.get("id") in FEW.split()])


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Iterator[CrashLake]:
    folder = tmp_path_factory.mktemp("crash")
    with crash_lake(folder, before=items(), after=items(), small_files=0) as made:
        yield made


@pytest.fixture(scope="module")
def reference(lake) -> ReferenceRun:
    return ReferenceRun(lake, FORGET, repaired_by=FORGET)


def named(lake: CrashLake) -> set[str]:
    """Return the files in which an erased id still is, beside what others said."""
    return {
        place
        for place, column, text in texts_of(lake.lake)
        if column != "summary" and '"mentions"' not in text and any(name in text for name in GONE)
    }


def fail_at(lake: CrashLake, known: ReferenceRun, fault: Fault, point: int, *, resumed_by: str) -> None:
    """Let an erasure fail at one step, and then let another command resume it."""
    known.restore()
    ended = lake.run(FORGET, FaultyDisk(fault, point))
    assert ended.disk.struck, "the run took another way than the reference run"
    assert ended.code == (KILLED if fault is Fault.KILL else 1) or fault is Fault.DENIED
    assert "Traceback" not in ended.err
    assert NUMBER[2:] not in ended.err
    if not (lake.lake / "state/erased.json").exists():
        resumed_by = FORGET  # it had not begun
    again = lake.run(resumed_by)
    assert again.code == 0, again.err
    assert named(lake) == set()
    assert lake.run("build").code == 0  # for a day that could not be built, and was taken from its readers
    assert lake.content() == known.content


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("fault", [Fault.KILL, Fault.FULL, Fault.DENIED])
def test_an_erasure_may_fail_at_every_step(lake, reference, fault, chunk):
    ways = (FORGET, "sync --full", "forget --listed", "build")
    wrong = {}
    points = list(reference.sample(fault))
    for number, point in enumerate(points):
        if number % CHUNKS != chunk:
            continue
        try:
            fail_at(lake, reference, fault, point, resumed_by=ways[number % len(ways)])
        except Exception as error:  # noqa: BLE001 - every failure is reported with its step
            wrong[point] = (reference.steps[point], repr(error)[:2000])
    assert wrong == {}


def test_every_change_of_the_disk_is_a_step(reference):
    assert len(reference.points(Fault.KILL)) > 60
    doing = {step.function for step in reference.steps}
    assert doing > {"create", "write", "sync", "protect", "rename", "link", "remove", "remove_folder", "sync_folder"}
