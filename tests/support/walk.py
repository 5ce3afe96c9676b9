"""Which steps of a run are worth failing at: every one that leaves the disk as no other one does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.faults import NEEDS_SPACE, Fault, FaultyDisk, Step
from tests.support.readers import Readers
from tests.support.scene import Scene

Disk = frozenset[tuple[str, int]]

_NAMES = re.compile(r"[0-9a-f]{12,}|\d{4}-\d\d-\d\d|\d{8}T\w+|\w+(?=\.parquet)")


class Undisturbed:
    """A run in which nothing fails, looked at by readers before each of its steps.

    Attributes:
        steps: Its steps.
        disks: What lies on the disk before each of them.
        states: The states that readers saw, from the one before the run to the one after it: the version of each day.
        content: What is on the disk after it and an ordinary sync and build.
    """

    def __init__(self, scene: Scene, command: str) -> None:
        self.disks: list[Disk] = []
        readers = Readers(scene.lake)

        def look() -> None:
            readers.look()
            self.disks.append(_disk(scene.lake))

        scene.restore()
        readers.look()
        ended = scene.run(command, FaultyDisk(before_each=look))
        assert ended.code == 0, ended.err
        readers.look()
        self.steps: list[Step] = ended.disk.steps
        self.states = list(readers.generations.values())
        self.content = settled(scene)

    def points(self, fault: Fault) -> list[int]:
        """The steps to fail at, where each is unlike those before it.

        A kill is told by what is on the disk, since a step that changes no name and no file leaves what the step
        before it left. Of the many writes to one file, the first and the last stand for all.
        """
        if fault is Fault.KILL:
            return [0, *(n for n in range(1, len(self.steps)) if self.disks[n] != self.disks[n - 1])]
        return [
            number
            for number, step in enumerate(self.steps)
            if not (fault is Fault.FULL and step.function not in NEEDS_SPACE) and not self._is_amid(number)
        ]

    def sample(self, fault: Fault) -> Iterator[int]:
        """Of the points that do the same with another table, day or name, the first and the last."""
        kinds: dict[tuple[str, str], list[int]] = {}
        for point in self.points(fault):
            step = self.steps[point]
            kinds.setdefault((step.function, _NAMES.sub("*", str(step.path))), []).append(point)
        yield from sorted({point for points in kinds.values() for point in (points[0], points[-1])})

    def _is_amid(self, number: int) -> bool:
        around = self.steps[max(number - 1, 0) : number + 2]
        return len(around) == 3 and len(set(around)) == 1 and around[0].function == "write"


def settled(scene: Scene) -> dict[str, str]:
    """What is on the disk after an ordinary sync, and a build that has nothing to build."""
    for command in ("sync --full", "build"):
        ended = scene.run(command)
        assert ended.code == 0, ended.err
    Readers(scene.lake).look()
    return scene.content()


def _disk(lake: Path) -> Disk:
    """Every file by name and identity; unfinished ones are alike, however much of them is written."""
    paths = (path for path in lake.rglob("*") if "locks" not in path.parts)
    return frozenset((str(path.relative_to(lake)), path.stat().st_ino if path.is_file() else 0) for path in paths)
