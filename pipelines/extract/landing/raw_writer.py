"""The raw files that landing writes: versions of calls, and rejected items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from pipelines.dictionary.schemas import raw_schema
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, raw
from pipelines.lake.state import Landed, LandedFile, Stored
from pipelines.lake.storage import Storage


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an item, as received.

    Attributes:
        call_id: None for an item without a usable id.
        payload_hash: Of a version that says that the call is gone, raw.DELETED or raw.MOVED.
        payload: The item's JSON source; empty where the call is gone.
    """

    call_id: str | None
    payload_hash: str
    payload: bytes = b""

    @property
    def deleted(self) -> bool:
        """Whether it says that the call is gone from its day."""
        return self.payload_hash in {raw.DELETED, raw.MOVED}


def write(
    storage: Storage,
    kind: str,
    day: date,
    name: str,
    versions: Sequence[Version],
    *,
    landed_at: datetime,
    sync_id: str,
) -> LandedFile:
    """Write versions of a day into a file that counts once the landing log says so.

    Args:
        storage: The lake's files.
        kind: `calls` or `rejected`.
        day: The day that the versions belong to.
        name: The file's name without its ending.
        versions: What to write, in any order.
        landed_at: When they land.
        sync_id: The sync that lands them.
    """
    rows = len(versions)
    columns = {
        "call_id": pa.array([version.call_id for version in versions], pa.string()),
        "landed_at": pa.repeat(pa.scalar(landed_at, pa.timestamp("us", "UTC")), rows),
        "sync_id": pa.repeat(pa.scalar(sync_id), rows),
        "payload_hash": pa.array([version.payload_hash for version in versions], pa.string()),
        "deleted": pa.array([version.deleted for version in versions], pa.bool_()),
        "payload": _texts([None if version.deleted else version.payload for version in versions]),
    }
    table = pa.table({column: columns[column] for column in raw_schema().names})
    return raw.write_versions(storage, kind, day, table, name)


def require_landing_log(storage: Storage, landed: Stored[Landed]) -> None:
    """Go on only where it is known what has landed.

    Raises:
        ChorusCallsError: The landing log is missing.
    """
    if raw.log_is_lost(storage, landed):
        message = (
            f"{storage.address(layout.LANDED)} is missing, though calls have landed. "
            "Run `chorus-calls doctor --repair` to make it again."
        )
        raise ChorusCallsError(message)


def _texts(payloads: Sequence[bytes | None]) -> pa.Array:
    """Payloads as text; bytes that are no UTF-8 are replaced, since a text column can hold none."""
    try:
        return pa.array(payloads, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        texts = (None if payload is None else payload.decode("utf-8", "replace") for payload in payloads)
        return pa.array(texts, pa.string())


class Rejects:
    """Those that are held back until they land.

    Attributes:
        held: By hash.
        count: How many different ones were seen.
    """

    def __init__(self, storage: Storage, landed: Stored[Landed]) -> None:
        self.held: dict[str, Version] = {}
        self._storage = storage
        self._landed = landed
        self._before: set[str] | None = None
        self._seen: set[str] = set()

    @property
    def count(self) -> int:
        """How many different ones were seen."""
        return len(self._seen)

    def hold(self, version: Version) -> int:
        """Hold an item back, unless it was held back or landed before; returns the bytes that are held more by it."""
        if self._before is None:
            self._before = {
                known
                for day, landed in self._landed.value.days.items()
                if landed.rejected
                for known in raw.known_versions(self._storage, day, landed, raw.REJECTED)["payload_hash"]
            }
        self._seen.add(version.payload_hash)
        if version.payload_hash in self._before or version.payload_hash in self.held:
            return 0
        self.held[version.payload_hash] = version
        return len(version.payload)

    def drop(self, unwanted: Callable[[bytes], bool]) -> None:
        """Let go of some that are held back."""
        self.held = {hashed: version for hashed, version in self.held.items() if not unwanted(version.payload)}

    def landed(self) -> None:
        """Take note that what was held back has landed."""
        self._before = (self._before or set()) | self.held.keys()
        self.held.clear()
