"""What may land: not what was erased, nor what is older than the lake is kept.

Asked of each item before it is hashed. A scan still sees what is dropped here: it proves by all that the API lists that
nothing was skipped.
"""

from __future__ import annotations

from datetime import date

from pipelines.errors import ChorusCallsError
from pipelines.json_source import literals, payload_hash
from pipelines.lake import layout, state
from pipelines.lake.state import LakeRecord
from pipelines.lake.storage import Storage
from pipelines.suppression.identifiers import Identifiers, Leg, read_identifiers, without_legs
from pipelines.suppression.suppression_list import SuppressionList, list_is_lost, load_suppression_list


def is_erased(erasures: SuppressionList, traces: Identifiers) -> bool:
    """Say whether an item is erased as a whole: by its id, its customer, its parent, or the leg that it is."""
    return (
        any(map(erasures.covers_call, traces.call_ids))
        or any(map(erasures.covers_number, traces.numbers))
        or any(map(erasures.covers_call, traces.parents))
        or bool(traces.parents and any(map(erasures.covers_leg, traces.call_ids)))
    )


def is_erased_leg(erasures: SuppressionList, leg: Leg, traces: Identifiers) -> bool:
    """Say whether a nested leg is erased, of an item that is not."""
    if erasures.covers_call(leg.leg_id) or erasures.covers_number(leg.number):
        return True
    # A call may nest a leg under its own id, which elsewhere may be that of a leg that was taken out.
    return leg.leg_id not in traces.call_ids and erasures.covers_leg(leg.leg_id)


def cover_leg(erasures: SuppressionList, leg: Leg, traces: Identifiers) -> None:
    """Cover by id a leg that is erased, for the child item that it also may be."""
    if leg.leg_id is not None and leg.leg_id not in traces.call_ids and not erasures.covers_call(leg.leg_id):
        erasures.add_leg(leg.leg_id)


def is_erased_oddity(erasures: SuppressionList, item: bytes) -> bool:
    """Say whether an item that cannot be placed is erased: it may be anything, so any of its values counts."""
    if erasures.covers_item(payload_hash(item)):
        return True
    return any(erasures.covers_call(text) or erasures.covers_number(text) for text in literals(item))


def sifted(erasures: SuppressionList, item: bytes) -> bytes | None:
    """Return an item without the legs that are erased, None where all of it is; what goes is covered by id from now on.

    The edit depends on the item and the list alone, so an item that comes again is the same again.
    """
    traces = read_identifiers(item)
    if is_erased(erasures, traces):
        for call_id in traces.call_ids:
            erasures.add_call(call_id)
        return None
    unwanted = [leg for leg in traces.legs if is_erased_leg(erasures, leg, traces)]
    if not unwanted:
        return item
    for leg in unwanted:
        cover_leg(erasures, leg, traces)
    return without_legs(item, lambda leg: is_erased_leg(erasures, leg, traces))


class SuppressionFilter:
    """Drops what must not land, and notes by id what was dropped for another reason.

    Attributes:
        floor: The first day that the lake keeps; None where it keeps all.
    """

    def __init__(self, storage: Storage, erasures: SuppressionList, floor: date | None) -> None:
        self.floor = floor
        self._storage = storage
        self._erasures = erasures
        self._committed = self._looked = erasures.news

    def keep(self, item: bytes, *, placed: bool) -> bytes | None:
        """Return what may land of an item, None where nothing may.

        Args:
            item: The item as it was sent.
            placed: Whether it has an id and a day.
        """
        if self._erasures.empty:
            return item
        kept = sifted(self._erasures, item)
        return None if kept is not None and not placed and is_erased_oddity(self._erasures, item) else kept

    def is_too_old(self, day: date | None) -> bool:
        """Say whether a day is older than the lake is kept."""
        return self.floor is not None and day is not None and day < self.floor

    def covers_call(self, call_id: str) -> bool:
        """Say whether a call was erased."""
        return self._erasures.covers_call(call_id)

    def alias(self, key: str) -> str:
        """Return what a scan shall know a dropped item by, in place of its id."""
        return self._erasures.alias(key)

    def has_news(self) -> bool:
        """Say whether more is covered than when this was asked last."""
        news, self._looked = self._erasures.news > self._looked, self._erasures.news
        return news

    def commit(self) -> None:
        """Write down what was noted. Items that landed earlier may be covered by it, so that is to be looked into."""
        if self._erasures.news > self._committed:
            self._erasures.commit(self._storage, self._erasures.pending or ())
            self._committed = self._erasures.news


def open_filter(storage: Storage) -> SuppressionFilter:
    """Return the screen of a lake.

    Raises:
        ChorusCallsError: The list of erasures is lost.
    """
    if list_is_lost(storage):
        message = (
            f"{storage.address(layout.ERASED)} is missing, though calls were erased; a sync would bring them back. Put "
            "it back from a backup; where there is none, forget everybody again, with --list-anyway."
        )
        raise ChorusCallsError(message)
    lake = state.read(storage, layout.LAKE, LakeRecord)
    return SuppressionFilter(storage, load_suppression_list(storage), lake.value.retention_floor if lake else None)
