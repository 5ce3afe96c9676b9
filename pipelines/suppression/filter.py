"""Filter items before they land: nothing that was erased, and nothing older than the retention floor.

Each item is filtered before it is hashed. The scan still counts what is dropped here: that nothing was skipped is
proven by all items that the API lists.
"""

from __future__ import annotations

from datetime import date

from pipelines.errors import ChorusCallsError
from pipelines.json_source import literals, payload_hash
from pipelines.lake import layout
from pipelines.lake.identity import load_lake
from pipelines.lake.storage import Storage
from pipelines.suppression.identifiers import Identifiers, Leg, read_identifiers, without_legs
from pipelines.suppression.suppression_list import SuppressionList, list_is_lost, load_suppression_list


def is_erased(suppressed: SuppressionList, identifiers: Identifiers) -> bool:
    """Return whether a whole item is erased: by its id, its customer, its parent, or as a leg with an erased id."""
    return (
        any(map(suppressed.covers_call, identifiers.call_ids))
        or any(map(suppressed.covers_number, identifiers.numbers))
        or any(map(suppressed.covers_call, identifiers.parents))
        or bool(identifiers.parents and any(map(suppressed.covers_leg, identifiers.call_ids)))
    )


def is_erased_leg(suppressed: SuppressionList, leg: Leg, identifiers: Identifiers) -> bool:
    """Return whether a leg nested in an item that is not erased is erased."""
    if suppressed.covers_call(leg.leg_id) or suppressed.covers_number(leg.number):
        return True
    # A call may nest a leg under its own id, which may be the id of a removed leg elsewhere.
    return leg.leg_id not in identifiers.call_ids and suppressed.covers_leg(leg.leg_id)


def cover_leg(suppressed: SuppressionList, leg: Leg, identifiers: Identifiers) -> None:
    """Add the id of an erased leg to the list, since the leg may also come as a child item."""
    if leg.leg_id is not None and leg.leg_id not in identifiers.call_ids and not suppressed.covers_call(leg.leg_id):
        suppressed.add_leg(leg.leg_id)


def is_erased_rejected_item(suppressed: SuppressionList, item: bytes) -> bool:
    """Return whether an item without a usable id or day is erased: any of its values may be an id or a number."""
    if suppressed.covers_item(payload_hash(item)):
        return True
    return any(suppressed.covers_call(text) or suppressed.covers_number(text) for text in literals(item))


def without_erased(suppressed: SuppressionList, item: bytes) -> bytes | None:
    """Return an item without its erased legs, None if the whole item is erased; add the ids of what is removed.

    The result depends on the item and the list alone, so the same item gives the same bytes in every sync.
    """
    identifiers = read_identifiers(item)
    if is_erased(suppressed, identifiers):
        for call_id in identifiers.call_ids:
            suppressed.add_call(call_id)
        return None
    unwanted = [leg for leg in identifiers.legs if is_erased_leg(suppressed, leg, identifiers)]
    if not unwanted:
        return item
    for leg in unwanted:
        cover_leg(suppressed, leg, identifiers)
    return without_legs(item, lambda leg: is_erased_leg(suppressed, leg, identifiers))


class SuppressionFilter:
    """Drops what must not land, and adds its ids to the suppression list.

    Attributes:
        floor: The first day that the lake keeps; None if it keeps all.
    """

    def __init__(self, storage: Storage, suppressed: SuppressionList, floor: date | None) -> None:
        self.floor = floor
        self._storage = storage
        self._suppressed = suppressed
        self._committed = self._reported = suppressed.additions

    def keep(self, item: bytes, *, placed: bool) -> bytes | None:
        """Return what may land of an item, None if nothing may.

        Args:
            item: The item as it was sent.
            placed: Whether it has a usable id and day.
        """
        if self._suppressed.empty:
            return item
        kept = without_erased(self._suppressed, item)
        if kept is not None and not placed and is_erased_rejected_item(self._suppressed, item):
            return None
        return kept

    def is_too_old(self, day: date | None) -> bool:
        """Return whether a day is before the retention floor."""
        return self.floor is not None and day is not None and day < self.floor

    def covers_call(self, call_id: str) -> bool:
        """Return whether a call was erased."""
        return self._suppressed.covers_call(call_id)

    def alias(self, key: str) -> str:
        """Return the substitute by which a scan recognizes a dropped item."""
        return self._suppressed.alias(key)

    def has_new_entries(self) -> bool:
        """Return whether entries were added to the list since the last call."""
        reported, self._reported = self._reported, self._suppressed.additions
        return self._reported > reported

    def commit(self) -> None:
        """Store new entries. Items that landed earlier may be covered by them, so the erasure counts as unfinished."""
        if self._suppressed.additions > self._committed:
            self._suppressed.commit(self._storage, self._suppressed.pending or ())
            self._committed = self._suppressed.additions


def open_filter(storage: Storage) -> SuppressionFilter:
    """Return the filter of a lake.

    Raises:
        ChorusCallsError: The suppression list is lost.
    """
    if list_is_lost(storage):
        message = (
            f"{storage.address(layout.ERASED)} is missing, though calls were erased; a sync would bring them back. Put "
            "it back from a backup; if there is none, forget each person again, with --list-anyway."
        )
        raise ChorusCallsError(message)
    lake = load_lake(storage)
    return SuppressionFilter(storage, load_suppression_list(storage), lake.retention_floor if lake else None)
