"""Which steps of a run are worth failing at: every one that leaves the disk as no other one does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.faults import NEEDS_SPACE, Fault, FaultyDisk, Step
from tests.support.readers import Readers
from tests.support.scene import Scene

Disk = frozenset[tuple[str, int]]

_NAMES = re.compile(r"[0-9a-f]{12,}|\d{4}-\d\d-\d\d|\d{8}T\w+|\w+(?=\.parquet|/call_date)")


class Undisturbed:
    """A run in which nothing fails, looked at by readers before each of its steps.

    Attributes:
        steps: Its steps.
        disks: What lies on the disk before each of them.
        states: The states that readers saw, from the one before the run to the one after it: the version of each day.
        content: What is on the disk after it and an ordinary run.
    """

    def __init__(self, scene: Scene, command: str, *, mended_by: str = "sync --full", raw_alone: bool = False) -> None:
        """Run a command.

        Args:
            scene: The lake.
            command: The command.
            mended_by: The ordinary command after which all is well wherever this one failed.
            raw_alone: Begin where everything else than raw and state is gone.
        """
        self._scene, self.command, self._mended_by, self._raw_alone = scene, command, mended_by, raw_alone
        self.disks: list[Disk] = []
        readers = Readers(scene.lake)

        def look() -> None:
            readers.look()
            self.disks.append(_disk(scene.lake))

        self.restore()
        readers.look()
        ended = scene.run(command, FaultyDisk(before_each=look))
        assert ended.code == 0, ended.err
        readers.look()
        self.steps: list[Step] = ended.disk.steps
        self.states = list(readers.generations.values())
        self.content = self.mended()

    def restore(self) -> None:
        """Bring the lake back to what it was before."""
        self._scene.restore(raw_alone=self._raw_alone)

    def mended(self) -> dict[str, str]:
        """What is on the disk after one ordinary run."""
        ended = self._scene.run(self._mended_by)
        assert ended.code == 0, ended.err
        Readers(self._scene.lake).look()
        return self._scene.content()

    def points(self, fault: Fault) -> list[int]:
        """The steps to fail at, where each is unlike those before it.

        A kill is told by what is on the disk, since a step that changes no name and no file leaves what the step
        before it left. Of the many writes to one file, the first and the last stand for all.
        """
        if fault is Fault.KILL:
            return [0, *(n for n in range(1, len(self.steps)) if self.disks[n] != self.disks[n - 1])]
        return [
            number for number, step in enumerate(self.steps) if _may_strike(fault, step) and not self._is_amid(number)
        ]

    def sample(self, fault: Fault) -> Iterator[int]:
        """Of the points that do the same with another table, day or name, the last."""
        kinds: dict[tuple[str, str], list[int]] = {}
        for point in self.points(fault):
            step = self.steps[point]
            kinds.setdefault((step.function, _NAMES.sub("*", str(step.path))), []).append(point)
        yield from sorted(points[-1] for points in kinds.values())

    def _is_amid(self, number: int) -> bool:
        around = self.steps[max(number - 1, 0) : number + 2]
        return len(around) == 3 and len(set(around)) == 1 and around[0].function == "write"


def _may_strike(fault: Fault, step: Step) -> bool:
    """A full disk refuses what needs space; permission is asked for names, not for writing to what is open."""
    return step.function in NEEDS_SPACE if fault is Fault.FULL else step.function != "write"


def _disk(lake: Path) -> Disk:
    """Every file by name and identity; unfinished ones are alike, however much of them is written."""
    paths = (path for path in lake.rglob("*") if "locks" not in path.parts)
    return frozenset((str(path.relative_to(lake)), path.stat().st_ino if path.is_file() else 0) for path in paths)
