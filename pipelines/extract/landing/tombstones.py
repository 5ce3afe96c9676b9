"""Which known calls a scan has not seen: gone from the API or moved to another day; and how many may be marked unasked.

A call is known by its day and its id. Who finds it missing has to be sure, so everything that any page showed counts as
seen: also pages that did not join, and items whose id is a known call's though their day cannot be told any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from pipelines.extract.landing.items import SeenItem
from pipelines.extract.landing.raw_writer import Version
from pipelines.extract.scan.state import Ending
from pipelines.lake import raw
from pipelines.lake.state import LandedDay
from pipelines.lake.storage import Storage
from pipelines.suppression.filter import SuppressionFilter


@dataclass(frozen=True)
class Absent:
    """Known calls that were not seen.

    Attributes:
        known: How many calls were known and alive before the scan.
        deleted: Of those, by day, the calls whose id was not seen at all.
        moved: By day, the calls whose id was seen on another day alone; they may have been marked deleted before.
    """

    known: int
    deleted: Mapping[date, Sequence[str]]
    moved: Mapping[date, Sequence[str]]


@dataclass(frozen=True)
class Refusal:
    """Why calls are not marked deleted unasked."""

    ending: Ending
    reason: str


@dataclass(frozen=True)
class DeletionGuard:
    """How many of the known calls may be marked deleted.

    Attributes:
        share: At most this share of them, from 0 to 1, and never all.
        accepted: Whether somebody has said that the calls were really deleted, however many.
    """

    share: float = 0.1
    accepted: bool = False

    def refusal(self, absent: Absent, *, hidden: int) -> Refusal | None:
        """Say why missing calls must not be marked deleted; None where they may be.

        Args:
            absent: The missing calls.
            hidden: How many calls the API counts beyond those it showed: any of them may be a missing one.
        """
        deleted, known = sum(map(len, absent.deleted.values())), absent.known
        if self.accepted or not deleted:
            return None
        if deleted == known:
            ending, why = Ending.DELETION_GUARD, "which is all of them"
        elif deleted / known > self.share:
            ending, why = Ending.DELETION_GUARD, "more than CHORUS_MAX_DELETED_SHARE allows"
        elif hidden:
            ending, why = Ending.HIDDEN, f"but the API counts {hidden:,} more than it showed"
        else:
            return None
        reason = (
            f"{deleted:,} of {known:,} known calls are no longer listed, {why}. "
            "If they were really deleted, run `chorus-calls sync --full --accept-deletions`."
        )
        return Refusal(ending, reason)


DEFAULT_GUARD: Final = DeletionGuard()


class DeletionDetector:
    """Notes the calls that a scan sees, to tell in the end which known ones were missing."""

    def __init__(self, storage: Storage, known: Mapping[date, LandedDay], screen: SuppressionFilter) -> None:
        """Begin with nothing seen.

        Args:
            storage: The lake's files.
            known: The days as they had landed before the scan; none where nobody will ask.
            screen: What must not land, and so is not missing where it has not been removed yet.
        """
        self._screen = screen
        self._storage = storage
        self._known = known
        self._day: dict[str, date | None] = {}
        self._more: dict[str, set[date | None]] = {}
        self._days: dict[date, date] = {}

    def add(self, items: Iterable[SeenItem]) -> None:
        """Note the items of a page."""
        if not self._known:
            return
        for item in items:
            # One object for all calls of a day, since there may be a million of them.
            day = None if item.day is None else self._days.setdefault(item.day, item.day)
            if self._day.setdefault(item.key, day) != day:
                self._more.setdefault(item.key, set()).add(day)

    def absent(self) -> Absent:
        """Return the known calls that were not seen."""
        known = 0
        deleted: dict[date, list[str]] = {}
        moved: dict[date, list[str]] = {}
        for day, landed in sorted(self._known.items()):
            if self._screen.is_too_old(day):
                continue
            versions = raw.known_versions(self._storage, day, landed)
            for call_id, mark, tombstones in versions.select("call_id", "payload_hash", "deleted").iter_rows():
                if tombstones and mark == raw.MOVED:
                    continue
                known += not tombstones
                if call_id not in self._day:
                    if not tombstones and not self._screen.covers_call(call_id):
                        deleted.setdefault(day, []).append(call_id)
                elif self._is_elsewhere(call_id, day):
                    moved.setdefault(day, []).append(call_id)
        return Absent(known, deleted, moved)

    def _is_elsewhere(self, call_id: str, day: date) -> bool:
        """Whether a call that was seen was on other days alone; where its day could not be told, it may be this one."""
        first = self._day[call_id]
        if first is None or first == day:
            return False
        return self._more.get(call_id, set()).isdisjoint({day, None})


def tombstones(deleted: Mapping[date, Sequence[str]], moved: Mapping[date, Sequence[str]]) -> dict[date, list[Version]]:
    """Return the versions, by day, that say of calls that they are deleted or moved."""
    versions: dict[date, list[Version]] = {}
    for mark, days in ((raw.DELETED, deleted), (raw.MOVED, moved)):
        for day, call_ids in days.items():
            versions.setdefault(day, []).extend(Version(call_id, mark) for call_id in call_ids)
    return versions
