"""The lake's small state files as typed values, replaced whole by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Generic, TypeVar

import msgspec

from pipelines.errors import ChorusCallsError
from pipelines.json_source import UNREADABLE
from pipelines.lake import layout
from pipelines.lake.storage import Storage, SwapConflictError

FORMAT = 1


class LandedFile(msgspec.Struct, frozen=True):
    """One raw file that counts."""

    rows: int
    bytes: int


class LandedDay(msgspec.Struct):
    """What has landed of a day; the digest changes with it."""

    digest: str = ""
    calls: dict[str, LandedFile] = {}
    rejected: dict[str, LandedFile] = {}


class Landed(msgspec.Struct):
    """state/landed.json, the landing log: the raw files that count, by day. All other raw files are ignored."""

    format: int = FORMAT
    newest_landed_at: datetime | None = None
    days: dict[date, LandedDay] = {}


class TableSettings(msgspec.Struct, frozen=True):
    """What shapes tables besides the raw calls: some settings, and the version of the code that makes tables.

    It holds no secret: the PII key is known by a check value, the outcome maps by a digest.
    """

    timezone: str
    pii: str
    pii_key_check: str
    outcomes: str
    table_version: int

    @property
    def shaping(self) -> dict[str, str]:
        """The settings alone, as lake.json and fingerprints hold them. Their order is part of every version."""
        return {name: getattr(self, name) for name in ("timezone", "pii", "pii_key_check", "outcomes")}


class LakeRecord(msgspec.Struct, frozen=True):
    """state/lake.json: the lake's identity.

    Attributes:
        shaping: The settings that shape the lake's tables, by name.
        table_version: The highest table version that has written the lake.
        format: The format of the file.
        organisations: The organisations whose calls the lake holds.
        retention_floor: The first day that is kept; older days do not land.
        unmasked_versions: Whether versions may be left that were built before CHORUS_PII became `mask`.
        has_erasures: Whether a suppression list must exist.
    """

    shaping: dict[str, str]
    table_version: int
    format: int = FORMAT
    organisations: list[str] = []
    retention_floor: date | None = None
    unmasked_versions: bool = False
    has_erasures: bool = False

    def __post_init__(self) -> None:
        """Refuse a record that lacks a setting."""
        _ = self.settings

    @property
    def settings(self) -> TableSettings:
        """The lake's table settings."""
        return msgspec.convert({**self.shaping, "table_version": self.table_version}, TableSettings)


class PublishedDay(msgspec.Struct, frozen=True):
    """The version of a day that readers see, with rows and bytes by table.

    `settings_digest` names the table settings it was built with; empty if an older program published it.
    """

    version: str
    published_at: datetime
    rows: dict[str, int]
    bytes: dict[str, int]
    settings_digest: str = msgspec.field(name="shaping", default="")


class Manifest(msgspec.Struct):
    """manifest.json: the published version of each day, and since when other versions are unreferenced."""

    format: int = FORMAT
    generation: int = 0
    committed_at: datetime | None = None
    days: dict[date, PublishedDay] = {}
    unreferenced: dict[str, datetime] = {}


T = TypeVar("T", bound=msgspec.Struct)


class BrokenStateError(ChorusCallsError):
    """A state file that cannot be decoded."""


@dataclass
class Stored(Generic[T]):
    """A value of a state file with the bytes it was read from, which a commit must still find in place."""

    path: str
    value: T
    raw: bytes | None


def load(storage: Storage, path: str, kind: type[T], default: T) -> Stored[T]:
    """Read a state file as `read` does; a file that is missing has the default value."""
    return read(storage, path, kind) or Stored(path, default, None)


def read(storage: Storage, path: str, kind: type[T]) -> Stored[T] | None:
    """Read a state file.

    Returns:
        The value; None if the file is missing.

    Raises:
        BrokenStateError: It cannot be decoded.
        ChorusCallsError: A newer program wrote it.
    """
    raw = storage.read(path)
    if raw is None:
        return None
    try:
        number = msgspec.json.decode(raw, type=_Format).format
        if number > FORMAT:
            message = f"{storage.address(path)} has format {number}; this program knows {FORMAT}. Upgrade chorus-calls."
            raise ChorusCallsError(message)
        return Stored(path, msgspec.json.decode(raw, type=kind), raw)
    except UNREADABLE as error:
        message = (
            f"{storage.address(path)} cannot be read as state of the lake: {error}. "
            "Restore it from a backup, or run `chorus-calls doctor --repair`."
        )
        raise BrokenStateError(message) from error


def commit(storage: Storage, stored: Stored[T]) -> None:
    """Write a value back, unless another writer changed the file since it was read.

    Raises:
        SwapConflictError: The file has changed.
    """
    plain = msgspec.to_builtins(stored.value, str_keys=True)  # only text keys can be sorted
    raw = msgspec.json.format(msgspec.json.encode(plain, order="deterministic"), indent=1)
    storage.swap(stored.path, raw, stored.raw)
    stored.raw = raw


def update(storage: Storage, path: str, kind: type[T], change: Callable[[T | None], T | None]) -> T | None:
    """Change a state file by compare-and-swap, starting over when another writer commits in between.

    Args:
        storage: The lake's files.
        path: The file.
        kind: The type of its value.
        change: Returns the new value for the present one (None: the file is missing). It must not modify its argument,
            and may be called several times. Where it returns an equal value, or None, nothing is written.

    Returns:
        The value that the file holds now; None if it is missing.

    Raises:
        BrokenStateError: The file cannot be decoded.
        ChorusCallsError: A newer program wrote it.
    """
    while True:
        stored = read(storage, path, kind)
        present = stored.value if stored else None
        value = change(present)
        if value is None or value == present:
            return present
        try:
            commit(storage, Stored(path, value, stored.raw if stored else None))
        except SwapConflictError:
            continue
        return value


class _Format(msgspec.Struct):
    format: int = FORMAT


def load_landed(storage: Storage) -> Stored[Landed]:
    """Read the landing log."""
    return load(storage, layout.LANDED, Landed, Landed())


def load_manifest(storage: Storage) -> Stored[Manifest]:
    """Read the manifest."""
    return load(storage, layout.MANIFEST, Manifest, Manifest())


def now() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)
