"""Wraps every function that changes the disk, and lets one chosen call fail."""

from __future__ import annotations

import errno
import inspect
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import pytest

from pipelines.lake import disk

NEEDS_SPACE = frozenset({"make_folder", "make_secret_folder", "create", "write", "sync", "link", "copy"})


class Fault(StrEnum):
    """What happens at a step.

    KILL raises what no handler catches, there and at every later step, so that nothing on the disk changes any more;
    DIE is the same for real, for a process that is somebody else's. FULL lets everything fail from there on that needs
    space. DENIED lets this one step fail.
    """

    KILL = "kill"
    DIE = "die"
    FULL = "full"
    DENIED = "denied"


class KilledError(BaseException):
    """The process is dead."""


@dataclass(frozen=True)
class Step:
    """One call that changes the disk: which function, of what."""

    function: str
    path: Path


class FaultyDisk:
    """Counts the changes of the disk, and lets one fail.

    Attributes:
        steps: The changes so far.
        struck: Whether the fault has happened.
    """

    def __init__(
        self, fault: Fault | None = None, at: int = 0, *, before_each: Callable[[], None] = lambda: None
    ) -> None:
        self.steps: list[Step] = []
        self.struck = False
        self._fault = fault
        self._at = at
        self._before_each = before_each

    def take_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace every function of the disk."""
        for name, function in inspect.getmembers(disk, inspect.isfunction):
            if function.__module__ == disk.__name__:
                monkeypatch.setattr(disk, name, self._wrapped(name, function))

    def _wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *rest: Any) -> Any:
            paths = [path, *(one for one in rest if isinstance(one, Path))]
            self.step(name, paths[-1])
            made = function(path, *rest)
            return _Stream(self, path, made) if name == "create" else made

        return call

    def step(self, name: str, path: Path) -> None:
        """Count a change that is about to be made, or let it fail."""
        self._before_each()
        number = len(self.steps)
        self.steps.append(Step(name, path))
        if self._fault is None or number < self._at:
            return
        if self._fault is Fault.FULL and name in NEEDS_SPACE:
            self.struck = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if self._fault is Fault.DENIED and number == self._at:
            self.struck = True
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        if self._fault is Fault.DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault is Fault.KILL:
            self.struck = True
            raise KilledError


class _Stream:
    """A file being written, each write to which is a change of the disk."""

    def __init__(self, faulty: FaultyDisk, path: Path, stream: Any) -> None:
        self._faulty = faulty
        self._path = path
        self._stream = stream

    def write(self, data: Any) -> int:
        self._faulty.step("write", self._path)
        return int(self._stream.write(data) or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
