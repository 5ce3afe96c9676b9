"""Programs that go on by a step when they are told to, so that a test chooses in which order their steps come.

Each is real code in a thread of its own, which stops before a use of the lake's files. Only one of them ever runs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pyarrow as pa

from pipelines.lake.local import LocalStorage
from pipelines.lake.storage import LakeBusyError, StoredFile


class KilledError(BaseException):
    """The program ends here; nothing may catch it."""


class Actor(threading.Thread):
    """A program under way.

    Attributes:
        done: Whether it has ended.
        blocked: Whether it waits for a lock that somebody else holds.
        error: What it ended with, if not well.
        next: What it is about to do: a word and a path.
    """

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self.done = self.blocked = False
        self.error: BaseException | None = None
        self.next = ("begin", "")
        self._work = work
        self._killed = False
        self._steps = 0
        self._until: Callable[[str, str], bool] | None = None
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self.start()

    def run(self) -> None:
        self._go.acquire()
        try:
            if not self._killed:
                self._work()
        except KilledError:
            pass
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        self.done = True
        self._back.release()

    def pause(self, word: str, path: str = "", *, blocked: bool = False) -> None:
        """Wait, in the program's own thread, where it has taken the steps that it was to take."""
        self.next, self.blocked = (word, path), blocked
        self._steps -= 1
        if not self._killed and (blocked or self._steps <= 0 or (self._until and self._until(word, path))):
            self._back.release()
            self._go.acquire()
        if self._killed:
            raise KilledError

    def go_on(self, steps: int = sys.maxsize, *, until: Callable[[str, str], bool] | None = None) -> bool:
        """Let it go on; say whether it could.

        Args:
            steps: How many steps it takes at most; fewer where it ends or has to wait.
            until: Stops it before what this says is the step to stop before, told by a word and a path.
        """
        if self.done:
            return False
        self._steps, self._until = steps, until
        self._go.release()
        self._back.acquire()
        return self.done or not self.blocked

    def kill(self) -> None:
        """End it where it is, as a process is ended: its locks are free, and what it has written stays."""
        self._killed = True
        if not self.done:
            self._go.release()
            self._back.acquire()
        self.join()


def pause(word: str, path: str = "") -> None:
    """Stop here if this is a program that goes by steps."""
    actor = threading.current_thread()
    if isinstance(actor, Actor):
        actor.pause(word, path)


class SteppedStorage(LocalStorage):
    """The lake's files, before each use of which a program stops; who waits for a lock stops until it is free."""

    def list(self, prefix: str) -> list[StoredFile]:
        pause("list", prefix)
        return super().list(prefix)

    def read(self, path: str) -> bytes | None:
        pause("read", path)
        return super().read(path)

    def open_input(self, path: str) -> pa.NativeFile:
        pause("open", path)
        return super().open_input(path)

    @contextmanager
    def create(self, path: str, *, read_only: bool = False) -> Iterator[pa.NativeFile]:
        pause("create", path)
        with super().create(path, read_only=read_only) as stream:
            yield stream
            pause("finish", path)

    def link(self, source: str, target: str) -> bool:
        pause("link", target)
        return super().link(source, target)

    def delete(self, path: str) -> None:
        pause("delete", path)
        super().delete(path)

    @contextmanager
    def lock(self, name: str, *, shared: bool = False, wait: float | None = None) -> Iterator[None]:
        pause("lock", name)
        actor = threading.current_thread()
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(super().lock(name, shared=shared, wait=0))
                    break
                except LakeBusyError:
                    if wait is not None or not isinstance(actor, Actor):
                        raise
                    actor.pause("lock", name, blocked=True)
            yield
        pause("unlocked", name)


def finish(actors: Sequence[Actor]) -> None:
    """Let programs come to their ends by turns.

    Raises:
        AssertionError: They wait for each other.
    """
    while waiting := [actor for actor in actors if not actor.done]:
        moved = sum(actor.go_on(10) for actor in waiting)
        assert moved, [(actor.name, actor.next) for actor in waiting]
