"""What the doctor examines, the lake's small files at one moment, and the report of what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.extract.sync_state import SyncState
from pipelines.lake import layout, raw, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.locks import PUBLISH
from pipelines.lake.names import Names
from pipelines.lake.state import BrokenStateError, LakeRecord, Landed, Manifest, Stored, TableSettings
from pipelines.lake.storage import LakeBusyError, Storage, StoredFile
from pipelines.serve.catalog import read_generation
from pipelines.settings import Settings
from pipelines.workspace import read_table_settings

_PUBLISH_WAIT_SECONDS: Final = 15.0
T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: The name of the check, stable across versions.
        what: What is wrong, in one sentence.
        day: The day concerned, if there is one.
        remedy: The command or action that fixes it. Findings with a common remedy have the same text.
    """

    check: str
    what: str
    day: date | None
    remedy: str


@dataclass
class Area:
    """A part of an examination.

    Attributes:
        seen: What was checked, in a few words; may be empty.
        checked: Whether it could be checked: the state file for that may be missing.
    """

    name: str
    seen: str = ""
    findings: list[Finding] = field(default_factory=list)
    checked: bool = True


@dataclass
class Report:
    """The result of an examination.

    Attributes:
        notes: What is worth knowing but not wrong.
    """

    lake: str
    areas: list[Area] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """Everything that is wrong."""
        return [finding for area in self.areas for finding in area.findings]


@dataclass(frozen=True)
class Group:
    """Findings of one check with a common remedy."""

    remedy: str
    whats: list[str]


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Group findings by check and remedy, in the order of the first of each group."""
    groups: dict[tuple[str, str], Group] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.remedy), Group(finding.remedy, [])).whats.append(finding.what)
    return list(groups.values())


def is_locked(storage: Storage, name: str) -> bool:
    """Return whether a writer holds a lock at this moment."""
    try:
        with _taken(storage, name):
            return False
    except LakeBusyError:
        return True


@contextmanager
def pause_publishing(storage: Storage) -> Iterator[bool]:
    """Keep others from publishing for a block; yields false if a publish under way takes longer than this waits."""
    with ExitStack() as locks:
        try:
            locks.enter_context(_taken(storage, PUBLISH, _PUBLISH_WAIT_SECONDS))
        except LakeBusyError:
            yield False
        else:
            yield True


@contextmanager
def _taken(storage: Storage, name: str, wait: float = 0) -> Iterator[None]:
    """Take a lock shared, if its file exists: creating the file would change the lake."""
    if storage.size(f"state/locks/{name}.lock") is None:
        yield
        return
    with ExitStack() as locks:
        with suppress(PermissionError):  # a lake that this user may only read: take the lock for free
            locks.enter_context(storage.lock(name, shared=True, wait=wait))
        yield


@dataclass(frozen=True)
class Found(Generic[T]):
    """A state file as it was found.

    Attributes:
        value: Its value; None if it is missing or cannot be read.
        error: Why it cannot be read.
    """

    path: str
    value: T | None = None
    error: ChorusCallsError | None = None

    @property
    def missing(self) -> bool:
        """Whether the file is missing."""
        return self.value is None and self.error is None

    @property
    def broken(self) -> bool:
        """Whether the file cannot be decoded; one of a newer program is not broken."""
        return isinstance(self.error, BrokenStateError)


@dataclass(frozen=True)
class Subject:
    """The lake and the settings that are examined.

    Attributes:
        settings: The settings of this process.
        table_settings: The table settings of this process; None if the PII key is missing.
        generation: The catalog's generation; None if no catalog can be read.
    """

    settings: Settings
    storage: LocalStorage
    table_settings: TableSettings | None
    lake: Found[LakeRecord]
    landed: Found[Landed]
    sync_state: Found[SyncState]
    manifest: Found[Manifest]
    names: Found[Names]
    generation: int | None
    raw: list[StoredFile]

    @property
    def state_files(self) -> tuple[Found[Any], ...]:
        """All state files that are JSON."""
        return (self.lake, self.landed, self.sync_state, self.manifest, self.names)

    @property
    def root(self) -> Path:
        """The lake's folder."""
        return Path(self.storage.address())

    @property
    def empty(self) -> bool:
        """Whether there is no sign that anything has ever landed."""
        files = (self.lake, self.landed, self.sync_state, self.manifest)
        return all(found.missing for found in files) and not self.raw and not self.was_published

    @property
    def was_published(self) -> bool:
        """Whether anything but the manifest shows that days were published."""
        return bool(self.generation) or any((self.root / table).is_dir() for table in TABLES)

    @property
    def landed_is_lost(self) -> bool:
        """Whether calls have landed and the landing log is missing."""
        lost = self.landed.missing and raw.log_is_lost(self.storage, Stored(layout.LANDED, Landed(), None))
        return lost or (self.landed.missing and bool(self.raw) and self.was_published)

    @property
    def manifest_is_lost(self) -> bool:
        """Whether days were published and the manifest is missing."""
        return self.manifest.missing and self.was_published

    @property
    def nothing_is_published(self) -> bool:
        """Whether the manifest is missing because nothing was published yet."""
        return self.manifest.missing and not self.manifest_is_lost

    @property
    def lake_is_lost(self) -> bool:
        """Whether calls have landed and the lake's identity is missing."""
        return self.lake.missing and (bool(self.raw) or not self.landed.missing)

    @property
    def lake_settings(self) -> TableSettings | None:
        """The table settings that the lake's writers agreed on, otherwise those of this process."""
        lake = self.lake.value
        return lake.settings if lake else self.table_settings


def read_subject(settings: Settings) -> Subject:
    """Read a lake's small files.

    Raises:
        SettingsError: The outcome maps cannot be used.
    """
    storage = LocalStorage(settings.lake_path)
    # The order matters while others write: what is published has landed, and what has landed is in raw.
    return Subject(
        settings=settings,
        storage=storage,
        table_settings=read_table_settings(settings),
        generation=read_generation(settings.catalog_path),
        manifest=_find(storage, layout.MANIFEST, Manifest),
        lake=_find(storage, layout.LAKE, LakeRecord),
        sync_state=_find(storage, layout.SCAN, SyncState),
        landed=_find(storage, layout.LANDED, Landed),
        names=_find(storage, layout.NAMES, Names),
        raw=storage.list("raw"),
    )


def _find(storage: LocalStorage, path: str, kind: type[T]) -> Found[T]:
    try:
        stored = state.read(storage, path, kind)
    except ChorusCallsError as error:
        return Found(path, error=error)
    return Found(path, stored.value if stored else None)
