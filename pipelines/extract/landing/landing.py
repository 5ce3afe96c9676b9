"""Landing: new and changed calls become versions in raw; unchanged calls cost nothing.

Calls are held back by day until they fill a budget of memory, so that a list in any order makes few files. One flush
writes them all and then commits the landing log once: a crash leaves either everything of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec

from pipelines.extract.landing.items import Seen, payload_hash, read_head, same_call
from pipelines.extract.landing.raw_writer import Rejects, Version, write
from pipelines.lake import raw, state
from pipelines.lake.identity import add_organisations, require_lake, require_own
from pipelines.lake.state import Landed, LandedDay, LandedFile, Stored
from pipelines.lake.storage import Storage
from pipelines.suppression.filter import open_filter


class Account:
    """The organisations of a lake's account.

    An API key shows one account, so the first page that an empty lake is shown says whose calls all others have to be.
    An account may have several organisations; which they are is remembered with the first calls that land.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own: set[str] = set()
        self._new: set[str] = set()

    def require_own(self, organisations: set[str]) -> None:
        """Go on with a page's calls only where they are the account's.

        Raises:
            ChorusCallsError: They are of an organisation that the lake does not know.
        """
        if organisations <= self._own:
            return
        lake = require_lake(self._storage)
        known = self._own.union(lake.organisations)
        require_own(known, organisations)
        self._own = known | organisations
        self._new = self._own.difference(lake.organisations)

    def admit(self) -> None:
        """Let the lake remember whose calls it holds, before they land."""
        if self._new:
            add_organisations(self._storage, self._new)
            self._new = set()


BUDGET = 64_000_000
"""Bytes of payload that are held back at most before they are written."""
KNOWN_CALLS = 1_000_000
"""Calls whose hashes are kept in memory at most, beside the days that are being filled."""
_DELETED = ""
_TICK = timedelta(microseconds=1)


@dataclass
class Counts:
    """What became of the items so far; calls that are held back count once they are written."""

    new: int = 0
    changed: int = 0
    rejected: int = 0


@dataclass
class _Day:
    """The newest landed hash of each call of a day, and the versions held back, by call."""

    known: dict[str, str]
    held: dict[str, Version] = field(default_factory=dict)


class Landing:
    """Takes items and lands those that say something new.

    Attributes:
        counts: What became of the items.
        changed_days: Days whose raw files have changed.
        screen: What must not land.
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
        self.screen = open_filter(storage)
        self._storage = storage
        self._landed = landed
        self._start_date = start_date
        self._sync_id = sync_id
        self._budget = budget
        self._clock = clock
        self._days: dict[date, _Day] = {}
        self._known = 0
        self._rejects = Rejects(storage, landed)
        self._account = Account(storage)
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether as much is held back as may be."""
        return self._bytes >= self._budget

    def add(self, items: Iterable[bytes]) -> list[Seen]:
        """Take the items of a page; where one is there twice, the later one counts.

        Raises:
            ChorusCallsError: The calls belong to another account than the lake's.
        """
        last = self._clock().astimezone(UTC).date() + timedelta(days=1)
        seen: list[Seen] = []
        heads = [(read_head(item), item) for item in items]
        self._account.require_own({head.organisation for head, _ in heads if head.organisation and head.call_id})
        for head, item in heads:
            day = head.day(self._start_date, last)
            kept = self.screen.keep(item, placed=day is not None)
            if kept is None:
                seen.append(Seen(self.screen.alias(head.call_id or payload_hash(item)), head.instant, day))
                continue
            version = Version(head.call_id, payload_hash(kept), kept)
            if self.screen.is_too_old(head.instant and head.instant.date()):
                seen.append(Seen(head.call_id or version.payload_hash, head.instant, day))
                continue
            if day is None or head.call_id is None:
                self._bytes += self._rejects.hold(version)
                self.counts.rejected = self._rejects.count
                seen.append(Seen(head.call_id or f"#{version.payload_hash}", None))
                continue
            self._hold(self._day(day), head.call_id, version)
            seen.append(Seen(head.call_id, head.instant, day))
        return seen

    def flush(self) -> None:
        """Write what is held back and let it count; nothing is written where nothing differs.

        Raises:
            ChorusCallsError: The calls belong to another account than the lake's.
        """
        self._drop_erased()
        self.screen.commit()
        self._drop_equal()
        held = {day: list(entry.held.values()) for day, entry in self._days.items() if entry.held}
        if held or self._rejects.held:
            self._account.admit()
            self._write(held, list(self._rejects.held.values()))
        self._bytes = 0
        self._forget_days()

    def mark(self, gone: Mapping[date, Sequence[Version]]) -> None:
        """Land versions that say of known calls that they are gone from their days."""
        self.flush()
        if gone:
            self._write(gone)
        for day in gone:
            self._known -= len(self._days.pop(day, _Day({})).known)

    def _hold(self, day: _Day, call_id: str, version: Version) -> None:
        """Hold a version back, in place of an earlier one, unless it is the one that has landed."""
        held = day.held.get(call_id)
        if held is not None and held.payload_hash == version.payload_hash:
            return
        if held is not None:
            self._bytes -= len(held.payload)
            del day.held[call_id]
        if day.known.get(call_id) != version.payload_hash:
            day.held[call_id] = version
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
            self._forget_days()
        self._days[day] = entry  # the day touched last stands last
        return entry

    def _forget_days(self) -> None:
        """Let go of the days touched longest ago, so that memory stays bounded however long the list is."""
        if self._known <= KNOWN_CALLS:
            return
        for day in [day for day, entry in self._days.items() if not entry.held]:
            if self._known <= KNOWN_CALLS:
                return
            self._known -= len(self._days.pop(day).known)

    def _drop_erased(self) -> None:
        """Let go of what is covered only since it was held back, such as a child item that came before its parent."""
        while self.screen.has_news():
            for entry in self._days.values():
                for call_id, version in list(entry.held.items()):
                    kept = self.screen.keep(version.payload, placed=True)
                    if kept is None:
                        del entry.held[call_id]
                    elif kept != version.payload:
                        entry.held[call_id] = Version(call_id, payload_hash(kept), kept)
            self._rejects.drop(lambda item: self.screen.keep(item, placed=False) is None)

    def _drop_equal(self) -> None:
        """Let go of versions that only look different: the same JSON with keys or white space in another order."""
        for day, entry in self._days.items():
            suspects = [call_id for call_id in entry.held if entry.known.get(call_id, _DELETED) != _DELETED]
            if not suspects:
                continue
            landed = raw.payloads(self._storage, day, self._landed.value.days[day], suspects)
            for call_id in suspects:
                version = entry.held[call_id]
                if call_id in landed and same_call(landed[call_id].encode(), version.payload):
                    entry.known[call_id] = version.payload_hash
                    del entry.held[call_id]

    def _write(self, calls: Mapping[date, Sequence[Version]], rejected: Sequence[Version] = ()) -> None:
        """Write a file for each day, and let all of them count in one step."""
        landed_at = self._next_instant()
        name = f"{landed_at:%Y%m%dT%H%M%S%fZ}-{self._sync_id}"
        parts = [(raw.CALLS, day, versions) for day, versions in sorted(calls.items())]
        if rejected:
            parts.append((raw.REJECTED, landed_at.date(), rejected))
        files = [
            (kind, day, write(self._storage, kind, day, name, versions, landed_at=landed_at, sync_id=self._sync_id))
            for kind, day, versions in parts
        ]
        self._commit(files, landed_at, name)

    def _next_instant(self) -> datetime:
        """Now, but later than anything that has landed, even where the clock was set back."""
        now = self._clock().astimezone(UTC)
        newest = self._landed.value.newest_landed_at
        return now if newest is None else max(now, newest + _TICK)

    def _commit(self, files: Sequence[tuple[str, date, LandedFile]], landed_at: datetime, name: str) -> None:
        """Let the written files count, in one step, and remember what they hold."""
        before = self._landed.value
        # A commit that fails must leave nothing behind that a later one would count as well.
        after = msgspec.structs.replace(before, newest_landed_at=landed_at, days=dict(before.days))
        for day in {day for _, day, _ in files}:
            known = before.days.get(day, LandedDay())
            after.days[day] = LandedDay(known.digest, dict(known.calls), dict(known.rejected))
        for kind, day, file in files:
            raw.count(after.days[day], kind, name, file)
        self._landed.value = after
        try:
            state.commit(self._storage, self._landed)
        except BaseException:
            self._landed.value = before
            raise
        self.changed_days.update(day for _, day, _ in files)
        for entry in self._days.values():
            changed = sum(call_id in entry.known for call_id in entry.held)
            self.counts.changed += changed
            self.counts.new += len(entry.held) - changed
            self._known += len(entry.held) - changed
            entry.known.update((call_id, version.payload_hash) for call_id, version in entry.held.items())
            entry.held.clear()
        self._rejects.landed()
