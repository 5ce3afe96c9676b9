"""Landing: new and changed calls become versions in raw; unchanged calls cost nothing.

Calls are buffered by day until they fill a memory budget, so that a list in any order makes few files. One flush
writes them all and then commits the landing log once: a crash leaves either everything of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec
import pyarrow as pa

from pipelines.dictionary.schemas import raw_schema
from pipelines.errors import ChorusCallsError
from pipelines.extract.landing.items import ItemHeader, SeenItem, Version, read_header, same_call
from pipelines.json_source import payload_hash
from pipelines.lake import layout, raw, state
from pipelines.lake.identity import add_organisations, require_lake, require_own
from pipelines.lake.state import Landed, LandedDay, LandedFile, Stored
from pipelines.lake.storage import Storage
from pipelines.suppression.filter import open_filter

BUDGET = 64_000_000
"""The most bytes of payload to buffer before they are written."""
KNOWN_CALLS = 1_000_000
"""The most calls whose hashes are kept in memory, besides the days that are being filled."""
_DELETED = ""
_TICK = timedelta(microseconds=1)


def require_landing_log(storage: Storage, landed: Stored[Landed]) -> None:
    """Check that the landing log exists.

    Raises:
        ChorusCallsError: The landing log is missing, though calls have landed.
    """
    if raw.log_is_lost(storage, landed):
        message = (
            f"{storage.address(layout.LANDED)} is missing, though calls have landed. "
            "Run `chorus-calls doctor --repair` to rebuild it."
        )
        raise ChorusCallsError(message)


@dataclass
class Counts:
    """The number of items by outcome; calls that are buffered count once they are written."""

    new: int = 0
    changed: int = 0
    rejected: int = 0


@dataclass
class _Day:
    """The newest landed hash of each call of a day, and the versions buffered, by call."""

    known: dict[str, str]
    buffered: dict[str, Version] = field(default_factory=dict)


class AccountGuard:
    """Refuses calls of another account than the lake's.

    An API key shows one account, so the first page that lands in an empty lake decides which account that is. An
    account may have several organisations; the lake records them before their first calls land.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own: set[str] = set()
        self._new: set[str] = set()

    def require_own(self, organisations: set[str]) -> None:
        """Check that the calls of a page belong to the account.

        Raises:
            ChorusCallsError: They belong to an organisation that the lake does not know.
        """
        if organisations <= self._own:
            return
        lake = require_lake(self._storage)
        known = self._own.union(lake.organisations)
        require_own(known, organisations)
        self._own = known | organisations
        self._new = self._own.difference(lake.organisations)

    def record_new(self) -> None:
        """Record new organisations of the account in the lake, before their calls land."""
        if self._new:
            add_organisations(self._storage, self._new)
            self._new = set()


class RejectBuffer:
    """Rejected items that are buffered until they land.

    Attributes:
        buffered: The items by hash.
        seen: The hashes of all rejected items of this sync.
    """

    def __init__(self, storage: Storage, landed: Stored[Landed]) -> None:
        self.buffered: dict[str, Version] = {}
        self._storage = storage
        self._landed = landed
        self._before: set[str] | None = None
        self.seen: set[str] = set()

    def add(self, version: Version) -> int:
        """Buffer an item, unless it is buffered or landed already; return by how many bytes the buffer grew."""
        if self._before is None:
            self._before = {
                known
                for day, landed in self._landed.value.days.items()
                if landed.rejected
                for known in raw.known_versions(self._storage, day, landed, raw.REJECTED)["payload_hash"]
            }
        self.seen.add(version.payload_hash)
        if version.payload_hash in self._before or version.payload_hash in self.buffered:
            return 0
        self.buffered[version.payload_hash] = version
        return len(version.payload)

    def drop_matching(self, unwanted: Callable[[bytes], bool]) -> None:
        """Drop items that are buffered."""
        self.buffered = {hashed: version for hashed, version in self.buffered.items() if not unwanted(version.payload)}

    def mark_landed(self) -> None:
        """Record that the items buffered have landed."""
        self._before = (self._before or set()) | self.buffered.keys()
        self.buffered.clear()


class Landing:
    """Lands the items that are new or changed.

    Attributes:
        changed_days: Days whose raw files have changed.
        suppression: What must not land.
    """

    def __init__(
        self,
        storage: Storage,
        landed: Stored[Landed],
        *,
        start_date: date,
        sync_id: str,
        budget: int = BUDGET,
        clock: Callable[[], datetime] = state.now,
    ) -> None:
        self.counts = Counts()
        self.changed_days: set[date] = set()
        self.suppression = open_filter(storage)
        self._storage = storage
        self._landed = landed
        self._start_date = start_date
        self._sync_id = sync_id
        self._budget = budget
        self._clock = clock
        self._days: dict[date, _Day] = {}
        self._known = 0
        self._rejects = RejectBuffer(storage, landed)
        self._account = AccountGuard(storage)
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether the memory budget is used up."""
        return self._bytes >= self._budget

    def add(self, items: Iterable[bytes]) -> list[SeenItem]:
        """Add the items of a page; if a call occurs twice, the later item counts.

        Raises:
            ChorusCallsError: The calls belong to another account than the lake's.
        """
        last = self._clock().astimezone(UTC).date() + timedelta(days=1)
        read = [(read_header(item), item) for item in items]
        self._account.require_own({header.organisation for header, _ in read if header.organisation and header.call_id})
        return [self._add_item(header, item, last) for header, item in read]

    def _add_item(self, header: ItemHeader, item: bytes, last: date) -> SeenItem:
        call_id, instant, day = header.call_id, header.instant, header.day(self._start_date, last)
        kept = self.suppression.keep(item, placed=day is not None)
        if kept is None:
            return SeenItem(self.suppression.alias(call_id or payload_hash(item)), instant, day)
        version = Version(call_id, payload_hash(kept), kept)
        if self.suppression.is_too_old(instant and instant.date()):
            return SeenItem(call_id or version.payload_hash, instant, day)
        if day is None or call_id is None:
            self._bytes += self._rejects.add(version)
            self.counts.rejected = len(self._rejects.seen)
            return SeenItem(call_id or f"#{version.payload_hash}", None)
        self._buffer(self._day(day), call_id, version)
        return SeenItem(call_id, instant, day)

    def flush(self) -> None:
        """Write and commit what is buffered; nothing is written if nothing differs.

        Raises:
            ChorusCallsError: The calls belong to another account than the lake's.
        """
        self._drop_suppressed()
        self.suppression.commit()
        self._drop_unchanged()
        buffered = {day: list(entry.buffered.values()) for day, entry in self._days.items() if entry.buffered}
        if buffered or self._rejects.buffered:
            self._account.record_new()
            self._write(buffered, list(self._rejects.buffered.values()))
        self._bytes = 0
        self._evict_days()

    def land_tombstones(self, gone: Mapping[date, Sequence[Version]]) -> None:
        """Land the tombstones of known calls, by day."""
        self.flush()
        if gone:
            self._write(gone)
        for day in gone:
            self._known -= len(self._days.pop(day, _Day({})).known)

    def _buffer(self, day: _Day, call_id: str, version: Version) -> None:
        """Buffer a version, in place of an earlier one, unless the same one has landed."""
        buffered = day.buffered.get(call_id)
        if buffered is not None and buffered.payload_hash == version.payload_hash:
            return
        if buffered is not None:
            self._bytes -= len(buffered.payload)
            del day.buffered[call_id]
        if day.known.get(call_id) != version.payload_hash:
            day.buffered[call_id] = version
            self._bytes += len(version.payload)

    def _day(self, day: date) -> _Day:
        entry = self._days.pop(day, None)
        if entry is None:
            versions = raw.known_versions(self._storage, day, self._landed.value.days.get(day))
            hashes = [
                _DELETED if deleted else known
                for known, deleted in zip(versions["payload_hash"], versions["deleted"], strict=True)
            ]
            entry = _Day(dict(zip(versions["call_id"], hashes, strict=True)))
            self._known += len(entry.known)
            self._evict_days()
        self._days[day] = entry  # keeps the days in the order of their last use
        return entry

    def _evict_days(self) -> None:
        """Drop the least recently used days, so that memory stays bounded however long the list is."""
        if self._known <= KNOWN_CALLS:
            return
        for day in [day for day, entry in self._days.items() if not entry.buffered]:
            if self._known <= KNOWN_CALLS:
                return
            self._known -= len(self._days.pop(day).known)

    def _drop_suppressed(self) -> None:
        """Drop items that are suppressed only since they were buffered, such as a child item before its parent."""
        while self.suppression.has_new_entries():
            for entry in self._days.values():
                for call_id, version in list(entry.buffered.items()):
                    kept = self.suppression.keep(version.payload, placed=True)
                    if kept is None:
                        del entry.buffered[call_id]
                    elif kept != version.payload:
                        entry.buffered[call_id] = Version(call_id, payload_hash(kept), kept)
            self._rejects.drop_matching(lambda item: self.suppression.keep(item, placed=False) is None)

    def _drop_unchanged(self) -> None:
        """Drop versions that differ only in the order of keys or in white space."""
        for day, entry in self._days.items():
            suspects = [call_id for call_id in entry.buffered if entry.known.get(call_id, _DELETED) != _DELETED]
            if not suspects:
                continue
            landed = raw.payloads(self._storage, day, self._landed.value.days[day], suspects)
            for call_id in suspects:
                version = entry.buffered[call_id]
                if call_id in landed and same_call(landed[call_id].encode(), version.payload):
                    entry.known[call_id] = version.payload_hash
                    del entry.buffered[call_id]

    def _write(self, calls: Mapping[date, Sequence[Version]], rejected: Sequence[Version] = ()) -> None:
        """Write a file for each day, and commit all of them at once."""
        landed_at = self._next_instant()
        name = f"{landed_at:%Y%m%dT%H%M%S%fZ}-{self._sync_id}"
        parts = [(raw.CALLS, day, versions) for day, versions in sorted(calls.items())]
        if rejected:
            parts.append((raw.REJECTED, landed_at.date(), rejected))
        files = [
            (kind, day, raw.write_versions(self._storage, kind, day, self._table(versions, landed_at), name))
            for kind, day, versions in parts
        ]
        self._commit(files, landed_at, name)

    def _table(self, versions: Sequence[Version], landed_at: datetime) -> pa.Table:
        rows = len(versions)
        columns = {
            "call_id": pa.array([version.call_id for version in versions], pa.string()),
            "landed_at": pa.repeat(pa.scalar(landed_at, pa.timestamp("us", "UTC")), rows),
            "sync_id": pa.repeat(pa.scalar(self._sync_id), rows),
            "payload_hash": pa.array([version.payload_hash for version in versions], pa.string()),
            "deleted": pa.array([version.deleted for version in versions], pa.bool_()),
            "payload": _texts([None if version.deleted else version.payload for version in versions]),
        }
        return pa.table({column: columns[column] for column in raw_schema().names})

    def _next_instant(self) -> datetime:
        """Return now, but later than anything that has landed, even if the clock was set back."""
        now = self._clock().astimezone(UTC)
        newest = self._landed.value.newest_landed_at
        return now if newest is None else max(now, newest + _TICK)

    def _commit(self, files: Sequence[tuple[str, date, LandedFile]], landed_at: datetime, name: str) -> None:
        """Add the written files to the landing log at once, and remember what they hold."""
        before = self._landed.value
        # A failed commit must leave nothing that a later one would add too.
        after = msgspec.structs.replace(before, newest_landed_at=landed_at, days=dict(before.days))
        for day in {day for _, day, _ in files}:
            known = before.days.get(day, LandedDay())
            after.days[day] = LandedDay(known.digest, dict(known.calls), dict(known.rejected))
        for kind, day, file in files:
            raw.add_file(after.days[day], kind, name, file)
        self._landed.value = after
        try:
            state.commit(self._storage, self._landed)
        except BaseException:
            self._landed.value = before
            raise
        self.changed_days.update(day for _, day, _ in files)
        for entry in self._days.values():
            changed = sum(call_id in entry.known for call_id in entry.buffered)
            self.counts.changed += changed
            self.counts.new += len(entry.buffered) - changed
            self._known += len(entry.buffered) - changed
            entry.known.update((call_id, version.payload_hash) for call_id, version in entry.buffered.items())
            entry.buffered.clear()
        self._rejects.mark_landed()


def _texts(payloads: Sequence[bytes | None]) -> pa.Array:
    """Return payloads as text; bytes that are not UTF-8 are replaced, since a text column cannot hold them."""
    try:
        return pa.array(payloads, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        texts = (None if payload is None else payload.decode("utf-8", "replace") for payload in payloads)
        return pa.array(texts, pa.string())
