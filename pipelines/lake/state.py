"""The lake's small files of state, as typed values, replaced whole and never behind another writer's back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Generic, TypeVar

import msgspec

from pipelines.errors import ChorusCallsError
from pipelines.json_source import UNREADABLE
from pipelines.lake import layout
from pipelines.lake.storage import Storage

FORMAT = 1


class LandedFile(msgspec.Struct, frozen=True):
    """One raw file that counts."""

    rows: int
    bytes: int


class LandedDay(msgspec.Struct):
    """What has landed of a day; the digest changes whenever that changes."""

    digest: str = ""
    calls: dict[str, LandedFile] = {}
    rejected: dict[str, LandedFile] = {}


class Landed(msgspec.Struct):
    """state/landed.json: the raw files that count, by day. Files that are not in it are as good as not there."""

    format: int = FORMAT
    newest_landed_at: datetime | None = None
    days: dict[date, LandedDay] = {}


class ShapingRecord(msgspec.Struct, frozen=True):
    """The settings that shape tables, without any secret."""

    timezone: str
    pii: str
    pii_key_check: str
    outcomes: str


class LakeRecord(msgspec.Struct):
    """state/lake.json: the lake's identity.

    Days before `retention_floor` are not kept and do not land. `unmasked_versions` says that versions may lie about
    that were built before the settings became to mask; `has_erasures`, that there must be a list of erasures.
    """

    shaping: ShapingRecord
    table_version: int
    format: int = FORMAT
    organisations: list[str] = []
    retention_floor: date | None = None
    unmasked_versions: bool = False
    has_erasures: bool = False


class PublishedDay(msgspec.Struct, frozen=True):
    """The version of a day that readers see, with rows and bytes by table.

    `shaping` tells which settings it was built with; empty where an older program published it.
    """

    version: str
    published_at: datetime
    rows: dict[str, int]
    bytes: dict[str, int]
    shaping: str = ""


class Manifest(msgspec.Struct):
    """manifest.json: which version of each day is published, and since when other versions are unreferenced."""

    format: int = FORMAT
    generation: int = 0
    committed_at: datetime | None = None
    days: dict[date, PublishedDay] = {}
    unreferenced: dict[str, datetime] = {}


T = TypeVar("T", bound=msgspec.Struct)


class BrokenStateError(ChorusCallsError):
    """A file of state that cannot be read as what it is."""


@dataclass
class Stored(Generic[T]):
    """A value of state together with the bytes it was read from, which a commit must still find in place."""

    path: str
    value: T
    raw: bytes | None


def load(storage: Storage, path: str, kind: type[T], default: T) -> Stored[T]:
    """Read a file of state as `read` does; the default stands for one that is not there."""
    return read(storage, path, kind) or Stored(path, default, None)


def read(storage: Storage, path: str, kind: type[T]) -> Stored[T] | None:
    """Read a file of state, None where it is not there.

    Raises:
        BrokenStateError: It cannot be read.
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


def commit(storage: Storage, kept: Stored[T]) -> None:
    """Write a value of state back, unless another writer did so since it was read.

    Raises:
        SwapConflictError: The file changed meanwhile.
    """
    plain = msgspec.to_builtins(kept.value, str_keys=True)  # only keys that are text can be put in order
    raw = msgspec.json.format(msgspec.json.encode(plain, order="deterministic"), indent=1)
    storage.swap(kept.path, raw, kept.raw)
    kept.raw = raw


class _Format(msgspec.Struct):
    format: int = FORMAT


def load_landed(storage: Storage) -> Stored[Landed]:
    """Read what has landed."""
    return load(storage, layout.LANDED, Landed, Landed())


def load_manifest(storage: Storage) -> Stored[Manifest]:
    """Read what is published."""
    return load(storage, layout.MANIFEST, Manifest, Manifest())


def now() -> datetime:
    """Return this instant in UTC."""
    return datetime.now(UTC)
