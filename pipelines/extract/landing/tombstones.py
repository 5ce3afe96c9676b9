"""Tombstones: find the known calls that a scan did not see, and guard against marking too many of them deleted.

A call is known by its day and its id. A false tombstone would hide a call, so everything that any page showed counts as
seen: also pages that did not join, and items with a known id whose day cannot be read any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from pipelines.extract.landing.items import SeenItem, Version
from pipelines.extract.scan.state import Ending
from pipelines.lake import raw
from pipelines.lake.state import LandedDay
from pipelines.lake.storage import Storage
from pipelines.suppression.filter import SuppressionFilter


@dataclass(frozen=True)
class MissingCalls:
    """Known calls that were not seen.

    Attributes:
        known: The number of calls that were known and not marked before the scan.
        deleted: Of those, by day, the calls whose id was not seen at all.
        moved: By day, the calls whose id was seen on another day only; they may have been marked deleted before.
    """

    known: int
    deleted: Mapping[date, Sequence[str]]
    moved: Mapping[date, Sequence[str]]


@dataclass(frozen=True)
class Refusal:
    """Why calls are not marked deleted without confirmation, and how the scan ends therefore."""

    ending: Ending
    reason: str


@dataclass(frozen=True)
class DeletionGuard:
    """Limits how many of the known calls a scan may mark deleted.

    Attributes:
        share: The largest share of them, from 0 to 1; never all of them.
        accepted: Whether a person has confirmed that the calls were really deleted, however many.
    """

    share: float = 0.1
    accepted: bool = False

    def refusal(self, missing: MissingCalls, *, hidden: int) -> Refusal | None:
        """Return why missing calls must not be marked deleted; None if they may be.

        Args:
            missing: The missing calls.
            hidden: The number of calls that the API counts beyond those it showed: each may be a missing one.
        """
        deleted, known = sum(map(len, missing.deleted.values())), missing.known
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
    """Collects the calls that a scan sees, to find the known ones that are missing."""

    def __init__(self, storage: Storage, known: Mapping[date, LandedDay], suppression: SuppressionFilter) -> None:
        """Start with nothing seen.

        Args:
            storage: The lake's files.
            known: The days as they had landed before the scan; empty if `missing` will not be called.
            suppression: What must not land, and so is not missing even if it has not been removed yet.
        """
        self._suppression = suppression
        self._storage = storage
        self._known = known
        self._day: dict[str, date | None] = {}
        self._more: dict[str, set[date | None]] = {}
        self._days: dict[date, date] = {}

    def add(self, items: Iterable[SeenItem]) -> None:
        """Add the items of a page."""
        if not self._known:
            return
        for item in items:
            # One object for all calls of a day, since there may be a million of them.
            day = None if item.day is None else self._days.setdefault(item.day, item.day)
            if self._day.setdefault(item.key, day) != day:
                self._more.setdefault(item.key, set()).add(day)

    def missing(self) -> MissingCalls:
        """Return the known calls that were not seen."""
        known = 0
        deleted: dict[date, list[str]] = {}
        moved: dict[date, list[str]] = {}
        for day, landed in sorted(self._known.items()):
            if self._suppression.is_too_old(day):
                continue
            versions = raw.known_versions(self._storage, day, landed)
            for call_id, mark, is_marked in versions.select("call_id", "payload_hash", "deleted").iter_rows():
                if is_marked and mark == raw.MOVED:
                    continue
                known += not is_marked
                if call_id not in self._day:
                    if not is_marked and not self._suppression.covers_call(call_id):
                        deleted.setdefault(day, []).append(call_id)
                elif self._is_elsewhere(call_id, day):
                    moved.setdefault(day, []).append(call_id)
        return MissingCalls(known, deleted, moved)

    def _is_elsewhere(self, call_id: str, day: date) -> bool:
        """Return whether a call was seen on other days only; a day that could not be read may be this one."""
        first = self._day[call_id]
        if first is None or first == day:
            return False
        return self._more.get(call_id, set()).isdisjoint({day, None})


def tombstones(deleted: Mapping[date, Sequence[str]], moved: Mapping[date, Sequence[str]]) -> dict[date, list[Version]]:
    """Return the tombstones of deleted and moved calls, by day."""
    versions: dict[date, list[Version]] = {}
    for mark, days in ((raw.DELETED, deleted), (raw.MOVED, moved)):
        for day, call_ids in days.items():
            versions.setdefault(day, []).extend(Version(call_id, mark) for call_id in call_ids)
    return versions
