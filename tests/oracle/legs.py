"""Which legs a day lists, under which ids, and what each is known to be.

A leg may arrive nested in its call, as an item of its own, or both. It is listed once: by the call that nests it, else
by its own item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.oracle.items import LEG_FIELDS, Item, Message, SentLeg
from tests.oracle.outcomes import Outcomes, transfer_outcome
from tests.oracle.source import Node
from tests.oracle.values import Notes, Place

API_NAMES: Mapping[str, str] = {column: name for name, (column, _) in LEG_FIELDS.items()}


@dataclass(frozen=True)
class Origin:
    """The item and path that brought a value."""

    notes: Notes
    path: str
    node: Node | None


@dataclass
class Leg:
    """One listed leg; `call` is the call it belongs to, None where that is not to be found."""

    leg_id: str
    call_id: str
    leg_index: int | None
    source: str
    call: Item | None
    fields: dict[str, Any]
    origins: dict[str, Origin]
    own_transcript: list[Message] | None
    message_count: int | None
    dimensions: dict[str, Any]
    deleted_at: datetime | None
    transfer_outcome: str = "unknown"
    seconds_to_transfer: float | None = None


def holders(items: Mapping[str, Item]) -> dict[str, SentLeg]:
    """For each id that a nested leg of the day can have: the first such leg, which holds the id."""
    first: dict[str, SentLeg] = {}
    for item in items.values():
        for leg in item.legs:
            if leg.sent_id is not None:
                first.setdefault(leg.sent_id, leg)
    return first


def find_call(call_id: str, today: Mapping[str, Item], before: Mapping[str, Item]) -> Item | None:
    """Return the call of that id, of the same day if it is there, else of the day before."""
    return today.get(call_id) or before.get(call_id)


def list_legs(today: Mapping[str, Item], before: Mapping[str, Item], outcomes: Outcomes) -> list[Leg]:
    """Return all legs of the day, sorted by leg id. Notes what is wrong with them on the items that brought it."""
    held_today, held_before = holders(today), holders(before)
    taken = set(held_today)
    legs = []
    for item in today.values():
        for sent in item.legs:
            if sent.sent_id is not None and held_today[sent.sent_id] is sent:
                leg_id = sent.sent_id
            else:
                leg_id = _free_id(f"{item.call_id}#{sent.index}", taken)
                _note_id(sent, item)
            legs.append(_nested_leg(leg_id, sent, item, today))
    for item in today.values():
        is_child = item.fields["parent_call_id"] is not None
        if is_child and item.call_id not in held_today and item.call_id not in held_before:
            legs.append(_child_leg(_free_id(item.call_id, taken), item, today, before))
    for leg in legs:
        _derive(leg, outcomes)
    return sorted(legs, key=lambda leg: leg.leg_id)


def _free_id(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "#"
    taken.add(wanted)
    return wanted


def _note_id(sent: SentLeg, item: Item) -> None:
    place = Place("transfer_legs", ("leg_id",), f"$.transferCalls[{sent.index}].id")
    if sent.sent_id is None:
        item.notes.note(place, "missing_value", "no usable leg id", sent.id_node)
    else:
        item.notes.note(place, "inconsistent", "an id that an earlier leg of the day has", sent.id_node)


def _dimensions(item: Item) -> dict[str, Any]:
    return {name: item.fields[name] for name in ("organization_id", "agent_id", "phone_number_id", "direction")}


def _origins(notes: Notes, path: str, nodes: Mapping[str, Node | None]) -> dict[str, Origin]:
    return {column: Origin(notes, f"{path}.{name}", nodes[column]) for column, name in API_NAMES.items()}


def _nested_leg(leg_id: str, sent: SentLeg, call: Item, today: Mapping[str, Item]) -> Leg:
    fields = dict(sent.fields)
    origins = _origins(call.notes, f"$.transferCalls[{sent.index}]", sent.nodes)
    message_count = None if sent.transcript is None else len(sent.transcript)
    own_item = today.get(leg_id) if leg_id == sent.sent_id else None
    if own_item is not None:
        of_item = _origins(own_item.notes, "$", own_item.nodes)
        for column in (name for name, value in sent.fields.items() if value is None):
            fields[column], origins[column] = own_item.fields[column], of_item[column]
        if not sent.transcript and own_item.transcript is not None:
            message_count = len(own_item.transcript)
    return Leg(
        leg_id=leg_id,
        call_id=call.call_id,
        leg_index=sent.index,
        source="nested",
        call=call,
        fields=fields,
        origins=origins,
        own_transcript=sent.transcript,
        message_count=message_count,
        dimensions=_dimensions(call),
        deleted_at=call.deleted_at,
    )


def _child_leg(leg_id: str, item: Item, today: Mapping[str, Item], before: Mapping[str, Item]) -> Leg:
    call_id = item.fields["parent_call_id"]
    call = find_call(call_id, today, before)
    return Leg(
        leg_id=leg_id,
        call_id=call_id,
        leg_index=None,
        source="child_call",
        call=call,
        fields={column: item.fields[column] for column in API_NAMES},
        origins=_origins(item.notes, "$", item.nodes),
        own_transcript=item.transcript,
        message_count=None if item.transcript is None else len(item.transcript),
        dimensions=_dimensions(call or item),
        deleted_at=call.deleted_at if call is not None and call.deleted_at is not None else item.deleted_at,
    )


def _derive(leg: Leg, outcomes: Outcomes) -> None:
    status = leg.fields["transfer_status"]
    known = transfer_outcome(status, outcomes)
    leg.transfer_outcome = known or "unknown"
    if status is not None and known is None:
        _note(leg, "transfer_status", "unknown_value", "a transfer status of no known class")
    started_at = leg.fields["started_at"]
    call_started_at = None if leg.call is None else leg.call.fields["started_at"]
    if started_at is not None and call_started_at is not None:
        seconds = (started_at - call_started_at).total_seconds()
        if seconds < 0:
            _note(leg, "started_at", "inconsistent", "a leg that started before its call")
        else:
            leg.seconds_to_transfer = seconds


def _note(leg: Leg, column: str, kind: str, message: str) -> None:
    origin = leg.origins[column]
    origin.notes.note(Place("transfer_legs", (column,), origin.path), kind, message, origin.node)
