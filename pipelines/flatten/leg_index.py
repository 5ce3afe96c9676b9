"""Which leg is which: a leg may come nested in its call, as an item of its own, or both, also across midnight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipelines.flatten.decode import Chunk
from pipelines.flatten.issues import Origin
from pipelines.flatten.payload import NO_LEG, Call


class Parent(NamedTuple):
    """What a leg takes over from its call."""

    organization_id: str | None
    agent_id: str | None
    phone_number_id: str | None
    direction: str | None
    started_at: str | None
    deleted_at: datetime | None


class LegOwner(NamedTuple):
    """The nested leg that holds an id: the call that nests it, and whether it brings a transcript with messages."""

    call_id: str
    brings_transcript: bool


class Item(NamedTuple):
    """An item that is a leg, or that a nested leg repeats."""

    call: Call
    origin: Origin
    deleted_at: datetime | None


class ResolvedLeg(NamedTuple):
    """Where a child's leg and transcript belong.

    Attributes:
        item: The item.
        call_id: The call they are listed under.
        leg_id: The id they are listed under.
        is_leg: Whether the item itself is listed as a leg; a nested one stands for it otherwise.
        lists_turns: Whether its transcript is listed; a nested leg's is otherwise.
        parent: The call it is a leg of, where that is found.
    """

    item: Item
    call_id: str
    leg_id: str
    is_leg: bool
    lists_turns: bool
    parent: Parent | None


@dataclass
class DayIndex:
    """What other calls, of this day and the next, must know of a day's calls.

    Attributes:
        parents: Every call by its id.
        holders: The nested leg that holds an id.
        leg_ids: Final ids of a call's nested legs, one for each place of transferCalls (empty: no leg).
        items: Items that are legs, or that a nested leg repeats, by their id.
        taken: Every leg id of the day.
    """

    parents: dict[str, Parent] = field(default_factory=dict)
    holders: dict[str, LegOwner] = field(default_factory=dict)
    leg_ids: dict[str, list[str]] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def for_next_day(self) -> DayIndex:
        """Return the part that the next day needs."""
        return DayIndex(parents=self.parents, holders=self.holders)

    def add_item(self, chunk: Chunk, row: int) -> None:
        """Keep a call that is a leg too."""
        call = chunk.calls[row]
        self.items[str(call.id)] = Item(call, chunk.origin(row), chunk.deleted_at[row])

    @property
    def has_children(self) -> bool:
        """Whether any call of the day is a leg of another."""
        return any(item.call.parent_call_id is not None for item in self.items.values())

    @property
    def missing(self) -> set[str]:
        """Root calls of the day whose id a nested leg holds, and which are not kept yet."""
        return (self.holders.keys() & self.parents.keys()) - self.items.keys()


def index_day(chunks: Iterable[Chunk]) -> DayIndex:
    """Gather the day's calls, nested legs and child items, in the order of call ids."""
    index = DayIndex()
    unnamed: list[tuple[str, int]] = []
    for chunk in chunks:
        for row, call in enumerate(chunk.calls):
            call_id = str(call.id)
            index.parents[call_id] = Parent(
                call.organization_id,
                call.agent_id,
                call.phone_number_id,
                call.direction,
                call.started_at,
                chunk.deleted_at[row],
            )
            if call.parent_call_id is not None:
                index.add_item(chunk, row)
            if call.transfer_calls:
                index.leg_ids[call_id] = _own_ids(index, call_id, call, unnamed)
    # Ids are made only after all that were sent are known, so that none takes the place of one that comes later.
    for call_id, position in unnamed:
        name = free_id(index.taken, f"{call_id}#{position}")
        index.taken.add(name)
        index.leg_ids[call_id][position] = name
    return index


def _own_ids(index: DayIndex, call_id: str, call: Call, unnamed: list[tuple[str, int]]) -> list[str]:
    """Let each nested leg hold the id it was sent with, unless an earlier one does; list those that hold none."""
    names = []
    for position, leg in enumerate(call.transfer_calls or ()):
        name = ""
        if leg.id is not None and leg.id.strip() and leg.id not in index.taken:
            name = leg.id
            index.taken.add(name)
            index.holders[name] = LegOwner(call_id, bool(leg.transcript))
        elif leg is not NO_LEG:
            unnamed.append((call_id, position))
        names.append(name)
    return names


def free_id(taken: set[str], wanted: str) -> str:
    """Return an id that no leg of the day has yet."""
    while wanted in taken:
        wanted += "#"
    return wanted


def resolve_child_calls(index: DayIndex, before: DayIndex) -> list[ResolvedLeg]:
    """Say for each child item of a day where its leg and its transcript belong.

    Args:
        index: The day.
        before: The day before; its calls may nest legs that are items of this day.

    Returns:
        In the order in which they are listed: by call, then by leg.
    """
    adopted = []
    for item_id, item in index.items.items():
        parent_id = item.call.parent_call_id
        if parent_id is None:
            continue
        holder = index.holders.get(item_id) or before.holders.get(item_id)
        if holder:
            adopted.append(ResolvedLeg(item, holder.call_id, item_id, False, not holder.brings_transcript, None))
            continue
        parent = index.parents.get(parent_id) or before.parents.get(parent_id)
        leg_id = free_id(index.taken, item_id)
        index.taken.add(leg_id)
        adopted.append(ResolvedLeg(item, parent_id, leg_id, True, True, parent))
    return sorted(adopted, key=lambda entry: (entry.call_id, entry.leg_id))
