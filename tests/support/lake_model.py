"""Programs that advance step by step, so that a test chooses the order of their steps, and a model of their lake.

Each is real code in a thread of its own, which stops before a use of the lake's files. Only one of them ever runs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pyarrow as pa

from pipelines.dictionary import TABLES
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import LakeRecord, Landed, Manifest, TableSettings
from pipelines.lake.storage import LakeBusyError, StoredFile
from pipelines.lake.versions import fingerprint, read_audit
from pipelines.workspace import Workspace
from tests.support.small_lake import RememberingCatalog


class KilledError(BaseException):
    """The program ends here; nothing may catch it."""


class SteppedThread(threading.Thread):
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
        except BaseException as error:  # noqa: BLE001 - the test asserts on it
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

    def advance(self, steps: int = sys.maxsize, *, until: Callable[[str, str], bool] | None = None) -> bool:
        """Let it run on, and return whether it could.

        Args:
            steps: How many steps it takes at most; fewer where it ends or has to wait.
            until: Stops it before the first step of which this is true, given the step's word and path.
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
    if isinstance(actor, SteppedThread):
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
                    if wait is not None or not isinstance(actor, SteppedThread):
                        raise
                    actor.pause("lock", name, blocked=True)
            yield
        pause("unlocked", name)


def finish(actors: Sequence[SteppedThread]) -> None:
    """Let programs come to their ends by turns.

    Raises:
        AssertionError: They wait for each other.
    """
    while waiting := [actor for actor in actors if not actor.done]:
        moved = sum(actor.advance(10) for actor in waiting)
        assert moved, [(actor.name, actor.next) for actor in waiting]


KEEP = timedelta(hours=24)
SETTINGS = [
    TableSettings(timezone=zone, pii="mask", pii_key_check="0" * 16, outcomes="shipped", table_version=1)
    for zone in ("UTC", "Asia/Kolkata")
]


class WatchedCatalog(RememberingCatalog):
    """A catalog that keeps what it was made from; making it needs every file that it names."""

    def __init__(self, lake: ModelledLake) -> None:
        super().__init__()
        self.made: Manifest | None = None
        self._lake = lake

    def make(self, manifest: Manifest) -> None:
        pause("make")
        super().make(manifest)
        assert self._lake.lacking(manifest) == []
        self.made = deepcopy(manifest)


class WatchedStorage(SteppedStorage):
    """Checks each commit against the model at its moment."""

    def __init__(self, lake: ModelledLake) -> None:
        super().__init__(lake.root)
        self._lake = lake

    @contextmanager
    def create(self, path: str, *, read_only: bool = False) -> Iterator[pa.NativeFile]:
        with super().create(path, read_only=read_only) as stream:
            yield stream
        self._lake.committed(path)

    def delete(self, path: str) -> None:
        super().delete(path)
        self._lake.removed(path)

    @contextmanager
    def lock(self, name: str, *, shared: bool = False, wait: float | None = None) -> Iterator[None]:
        with super().lock(name, shared=shared, wait=wait):
            if name == "publish":
                program().inputs_before = len(self._lake.inputs) - 1
            yield


@dataclass
class ModelledLake:
    """The lake and what is known of its past.

    Attributes:
        inputs: What had landed and what shaped tables, after each commit of either.
        digests: The states of each landed day, in their order.
        places: The position of each version's inputs in the order of the states of its day, and of the day before.
        published: The manifest as it was committed last.
    """

    root: Path
    now: datetime = datetime(2026, 3, 14, 8, tzinfo=UTC)
    inputs: list[tuple[Landed, TableSettings]] = field(default_factory=lambda: [(Landed(), SETTINGS[0])])
    digests: dict[date, list[str]] = field(default_factory=dict)
    places: dict[tuple[date, str], tuple[int, int]] = field(default_factory=dict)
    published: Manifest = field(default_factory=Manifest)

    def __post_init__(self) -> None:
        self.storage = WatchedStorage(self)
        self.catalog = WatchedCatalog(self)

    @property
    def settings(self) -> TableSettings:
        """Return the settings that shape tables, as the lake remembers them."""
        return self.inputs[-1][1]

    def workspace(self, settings: TableSettings | None = None) -> Workspace:
        """Open the lake as a program does, with the settings that are the lake's unless said otherwise."""
        return Workspace(
            storage=self.storage,
            flatten_settings=None,
            settings=SimpleNamespace(keep_versions_hours=KEEP / timedelta(hours=1)),
            table_settings=settings or self.settings,
            catalog=self.catalog,
        )

    def committed(self, path: str) -> None:
        """Look at a file of state, if it is one that was replaced this very moment."""
        if path not in (layout.MANIFEST, layout.LANDED, layout.LAKE):
            return
        data = (self.root / path).read_bytes()
        landed, settings = self.inputs[-1]
        if path == layout.MANIFEST:
            self._moved_manifest(msgspec.json.decode(data, type=Manifest))
        elif path == layout.LANDED:
            self._moved_inputs(msgspec.json.decode(data, type=Landed), settings)
        else:
            lake = msgspec.json.decode(data, type=LakeRecord)
            self._moved_inputs(landed, lake.settings)

    def removed(self, path: str) -> None:
        """Check whether a file may be removed: none of a version that inputs gave when the program began to clean."""
        folder, _, file = path.rpartition("/")
        if folder.startswith(layout.DAYS):
            landed, settings = self.inputs[program().inputs_before]
            current = {layout.version_folder(day, fingerprint(landed, day, settings)) for day in landed.days}
            assert folder not in current, file

    def _moved_inputs(self, landed: Landed, settings: TableSettings) -> None:
        self.inputs.append((landed, settings))
        for day, known in landed.days.items():
            past = self.digests.setdefault(day, [])
            if known.digest not in past[-1:]:
                assert known.digest not in past, (day, "landed as it had before")
                past.append(known.digest)
        for day in landed.days:
            before = len(self.digests.get(day - timedelta(days=1), []))
            for each in SETTINGS:
                self.places.setdefault((day, fingerprint(landed, day, each)), (len(self.digests[day]), before))

    def _moved_manifest(self, after: Manifest) -> None:
        before, self.published = self.published, after
        assert after.generation == before.generation + (after.days != before.days)
        assert before.days.keys() <= after.days.keys()
        for day, entry in after.days.items():
            old = before.days.get(day)
            if old != entry:
                self._published(day, old.version if old else None, entry.version)
        assert self.lacking(after) == []

    def _published(self, day: date, old: str | None, new: str) -> None:
        """Check whether a version may replace another."""
        # What lands while a program publishes may or may not count for it.
        now = {fingerprint(landed, day, settings) for landed, settings in self.inputs[program().inputs_before :]}
        assert new in now or program().bases[day] == old, (day, old, new)
        if old:
            past, present = self.places[day, old], self.places[day, new]
            assert all(was <= is_ for was, is_ in zip(past, present, strict=True)), (day, "went back", past, present)
        audit = read_audit(LocalStorage(self.root), day, new)
        assert audit is not None
        assert audit.passed

    def lacking(self, manifest: Manifest) -> list[str]:
        """Return files of published versions that are not on disk as they were published."""
        storage = LocalStorage(self.root)
        return [
            path
            for day, entry in manifest.days.items()
            for table in TABLES
            if storage.size(path := layout.table_file(day, entry.version, table)) != entry.bytes[table]
        ]


@dataclass
class Publisher:
    """What a program began to publish from: how far inputs were, and what was published when it planned its days."""

    inputs_before: int = 0
    bases: dict[date, str | None] = field(default_factory=dict)


def program() -> Publisher:
    """Return what is known of the program that goes now."""
    facts = threading.current_thread().__dict__
    found: Publisher = facts.setdefault("publisher", Publisher())
    return found
