"""Match transfer legs: one leg can be nested in its call, an item of its own, or both, also across midnight.

A child call is an item that names its parent call, so it is a transfer leg of that call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipelines.flatten.decode import NO_LEG, Call, Chunk
from pipelines.flatten.issues import Origin


class Parent(NamedTuple):
    """The values that a leg takes from its call."""

    organization_id: str | None
    agent_id: str | None
    phone_number_id: str | None
    direction: str | None
    started_at: str | None
    deleted_at: datetime | None

    @classmethod
    def of(cls, call: Call, deleted_at: datetime | None) -> Parent:
        """Return the values of a call."""
        return cls(
            call.organization_id, call.agent_id, call.phone_number_id, call.direction, call.started_at, deleted_at
        )


class LegOwner(NamedTuple):
    """The call that nests the leg with a given id, and whether that leg has a transcript with messages."""

    call_id: str
    has_transcript: bool


class Item(NamedTuple):
    """A child call, or a root call whose id a nested leg repeats."""

    call: Call
    origin: Origin
    deleted_at: datetime | None


class ResolvedLeg(NamedTuple):
    """Where the leg and the transcript of a child call belong.

    Attributes:
        call_id: The call that they are listed for.
        leg_id: The leg id that they are listed for.
        is_leg: Whether the child call is a row of transfer_legs; if not, a nested leg is that row.
        lists_turns: Whether its transcript is listed; if not, that of the nested leg is.
        parent: Its parent call, None if it was not found or if a nested leg is the row.
    """

    item: Item
    call_id: str
    leg_id: str
    is_leg: bool
    lists_turns: bool
    parent: Parent | None


@dataclass
class DayIndex:
    """What the calls of a day and of the next day must know about all calls of the day.

    Attributes:
        parents: Every call by its id.
        owners: The owner of each nested leg by the leg's id.
        leg_ids: The final ids of each call's nested legs, one per element of transferCalls (empty: not a leg).
        items: Child calls, and root calls whose id a nested leg repeats, by their id.
        taken: Every leg id of the day.
    """

    parents: dict[str, Parent] = field(default_factory=dict)
    owners: dict[str, LegOwner] = field(default_factory=dict)
    leg_ids: dict[str, list[str]] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def for_next_day(self) -> DayIndex:
        """Return the part that the next day needs."""
        return DayIndex(parents=self.parents, owners=self.owners)

    def add_item(self, chunk: Chunk, row: int) -> None:
        """Add a call to the items."""
        call = chunk.calls[row]
        self.items[str(call.id)] = Item(call, chunk.origin(row), chunk.deleted_at[row])

    @property
    def has_children(self) -> bool:
        """Whether any call of the day is a child call."""
        return any(item.call.parent_call_id is not None for item in self.items.values())

    @property
    def missing(self) -> set[str]:
        """Root calls of the day whose id a nested leg repeats, and which are not among the items yet."""
        return (self.owners.keys() & self.parents.keys()) - self.items.keys()

    def take_free_id(self, wanted: str) -> str:
        """Take a leg id that no other leg of the day has: the wanted one, with # appended until it is free."""
        while wanted in self.taken:
            wanted += "#"
        self.taken.add(wanted)
        return wanted


def index_day(chunks: Iterable[Chunk]) -> DayIndex:
    """Index a day's calls, nested legs and child calls, in the order of call ids."""
    index = DayIndex()
    unnamed: list[tuple[str, int]] = []
    for chunk in chunks:
        for row, call in enumerate(chunk.calls):
            call_id = str(call.id)
            index.parents[call_id] = Parent.of(call, chunk.deleted_at[row])
            if call.parent_call_id is not None:
                index.add_item(chunk, row)
            if call.transfer_calls:
                index.leg_ids[call_id] = _sent_ids(index, call_id, call, unnamed)
    # Ids are made only after all sent ids are known, so that no made id equals one that comes later.
    for call_id, position in unnamed:
        index.leg_ids[call_id][position] = index.take_free_id(f"{call_id}#{position}")
    return index


def _sent_ids(index: DayIndex, call_id: str, call: Call, unnamed: list[tuple[str, int]]) -> list[str]:
    """Take the sent id of each nested leg unless an earlier leg has it; append legs without an id to `unnamed`."""
    ids = []
    for position, leg in enumerate(call.transfer_calls or ()):
        leg_id = ""
        if leg.id is not None and leg.id.strip() and leg.id not in index.taken:
            leg_id = leg.id
            index.taken.add(leg_id)
            index.owners[leg_id] = LegOwner(call_id, bool(leg.transcript))
        elif leg is not NO_LEG:
            unnamed.append((call_id, position))
        ids.append(leg_id)
    return ids


def resolve_child_calls(index: DayIndex, before: DayIndex) -> list[ResolvedLeg]:
    """Decide for each child call of a day where its leg and its transcript belong.

    Returns:
        The child calls, sorted by call and leg.
    """
    resolved = []
    for item_id, item in index.items.items():
        parent_id = item.call.parent_call_id
        if parent_id is None:
            continue
        owner = index.owners.get(item_id) or before.owners.get(item_id)
        if owner:
            resolved.append(ResolvedLeg(item, owner.call_id, item_id, False, not owner.has_transcript, None))
            continue
        parent = index.parents.get(parent_id) or before.parents.get(parent_id)
        resolved.append(ResolvedLeg(item, parent_id, index.take_free_id(item_id), True, True, parent))
    return sorted(resolved, key=lambda leg: (leg.call_id, leg.leg_id))
