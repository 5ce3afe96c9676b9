"""One call as one day knows it: its newest payload read field by field, with its versions and what was wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.oracle.names import ANALYSIS_TEXTS, CORE_TABLES, INSTANT, INT, NUM, OBJECTS, SENT, SPEAKERS, TEXT, api_name
from tests.oracle.source import Node, read_json
from tests.oracle.values import (
    Issue,
    Notes,
    Place,
    absent,
    clean,
    count_value,
    is_usable_id,
    list_value,
    measure_value,
    member,
    object_value,
    text_value,
    time_value,
)

Reader = Callable[[Node | None, Place, Notes], Any]

_READERS: Mapping[str, Reader] = {TEXT: text_value, NUM: measure_value, INT: count_value, INSTANT: time_value}


def _fields(table: str) -> Mapping[str, tuple[str, Reader]]:
    return {
        api_name(column): (column, object_value if column in OBJECTS else _READERS[CORE_TABLES[table][column]])
        for column in SENT[table]
    }


# By the API's name: the column, and how it is read.
LEG_FIELDS = _fields("transfer_legs")
CALL_FIELDS = _fields("calls")


@dataclass(frozen=True)
class Version:
    """One landed version of a call; a deletion has no payload. Of a rejected item the id may be unknown.

    A deletion can say that the call has moved to another day: then it is no call of this one any more.
    """

    call_id: str | None
    payload: str | None
    landed_at: datetime
    moved: bool = False


@dataclass(frozen=True)
class Message:
    """One message of a transcript."""

    role: str | None
    content: str | None

    @property
    def speaker(self) -> str:
        return SPEAKERS.get((self.role or "").lower(), "unknown")

    @property
    def words(self) -> int | None:
        return None if self.content is None else len(self.content.split())


@dataclass
class SentLeg:
    """One element of a call's transferCalls, before it is known which id it gets."""

    call_id: str
    index: int
    sent_id: str | None
    id_node: Node | None
    fields: dict[str, Any]
    nodes: dict[str, Node | None]
    transcript: list[Message] | None


@dataclass
class Item:
    """A call's newest payload of the day.

    Attributes:
        fields: The values by column name (extractions, context_variables and metadata as nodes).
        nodes: The same as they were sent.
        notes: What is wrong with it; more is noted when legs are put together.
    """

    call_id: str
    first_landed_at: datetime
    landed_at: datetime
    version_count: int
    deleted_at: datetime | None
    fields: dict[str, Any]
    nodes: dict[str, Node | None]
    transcript: list[Message] | None
    legs: list[SentLeg]
    notes: Notes

    @property
    def issues(self) -> list[Issue]:
        return self.notes.issues


def read_items(versions: list[Version]) -> dict[str, Item]:
    """Return the calls of one day by id, in the order of their ids."""
    by_id: dict[str, list[Version]] = {}
    for version in versions:
        by_id.setdefault(version.call_id, []).append(version)
    items = (_read_item(call_id, sorted(of_call, key=lambda v: v.landed_at)) for call_id, of_call in by_id.items())
    return {item.call_id: item for item in sorted(filter(None, items), key=lambda item: item.call_id)}


def _read_item(call_id: str, versions: list[Version]) -> Item | None:
    with_payload = [version for version in versions if version.payload is not None]
    if not with_payload or versions[-1].moved:
        return None
    newest = with_payload[-1]
    root = read_json(newest.payload)
    notes = Notes(call_id, newest.landed_at)
    text_value(member(root, "id"), Place("calls", ("call_id",), "$.id"), notes)
    fields, nodes = _read_fields(root, CALL_FIELDS, "calls", "$", notes)
    if absent(nodes["created_at"]):
        place = Place("calls", ("created_at",), "$.createdAt")
        notes.note(place, "missing_value", "no time of creation", nodes["created_at"])
    fields["parent_call_id"] = _read_parent(root, notes)
    fields |= _read_analysis(root, notes)
    return Item(
        call_id=call_id,
        first_landed_at=with_payload[0].landed_at,
        landed_at=newest.landed_at,
        version_count=len(with_payload),
        deleted_at=versions[-1].landed_at if versions[-1].payload is None else None,
        fields=fields,
        nodes=nodes,
        transcript=_read_transcript(member(root, "transcript"), "$.transcript", notes),
        legs=_read_legs(root, call_id, notes),
        notes=notes,
    )


def _read_fields(
    parent: Node, wanted: Mapping[str, tuple[str, Reader]], table: str, path: str, notes: Notes
) -> tuple[dict[str, Any], dict[str, Node | None]]:
    fields: dict[str, Any] = {}
    nodes: dict[str, Node | None] = {}
    for name, (column, reader) in wanted.items():
        nodes[column] = member(parent, name)
        fields[column] = reader(nodes[column], Place(table, (column,), f"{path}.{name}"), notes)
    return fields, nodes


def _read_parent(root: Node, notes: Notes) -> str | None:
    node, place = member(root, "parentCallId"), Place("calls", ("parent_call_id",), "$.parentCallId")
    if not absent(node) and node.kind == "string" and not is_usable_id(node):
        notes.bad(place, "a blank id", node)
        return None
    return text_value(node, place, notes)


def _read_analysis(root: Node, notes: Notes) -> dict[str, Any]:
    place = Place("calls", ("summary", "extractions"), "$.analysis")
    analysis = object_value(member(root, "analysis"), place, notes)
    place = Place("calls", ("extractions",), "$.analysis.extractions")
    fields: dict[str, Any] = {"extractions": object_value(member(analysis, "extractions"), place, notes)}
    for column in ANALYSIS_TEXTS:
        name = api_name(column)
        fields[column] = text_value(member(analysis, name), Place("calls", (column,), f"$.analysis.{name}"), notes)
    return fields


def _read_transcript(node: Node | None, path: str, notes: Notes) -> list[Message] | None:
    table = "transcript_turns"
    elements = list_value(node, Place(table, ("role", "content"), path), notes)
    if elements is None:
        return None
    messages = []
    unknown_roles = set()
    for index, element in enumerate(elements):
        here = f"{path}[{index}]"
        if element.kind != "object":
            notes.bad(Place(table, ("role", "content"), here), f"a {element.kind} where a message belongs", element)
        role_node, role_place = member(element, "role"), Place(table, ("role",), f"{here}.role")
        role = text_value(role_node, role_place, notes)
        content = text_value(member(element, "content"), Place(table, ("content",), f"{here}.content"), notes)
        message = Message(role, content)
        if role is not None and message.speaker == "unknown" and role not in unknown_roles:
            unknown_roles.add(role)
            notes.note(role_place, "unknown_value", "a role of no known speaker", role_node)
        messages.append(message)
    return messages


def _read_legs(root: Node, call_id: str, notes: Notes) -> list[SentLeg]:
    table, whole = "transfer_legs", ("leg_id", "customer_number", "recording_url")
    elements = list_value(member(root, "transferCalls"), Place(table, whole, "$.transferCalls"), notes) or []
    legs = []
    for index, element in enumerate(elements):
        here = f"$.transferCalls[{index}]"
        if element.kind != "object":
            notes.bad(Place(table, whole, here), f"a {element.kind} where a leg belongs", element)
            continue
        id_node = member(element, "id")
        sent_id = None
        if is_usable_id(id_node):
            sent_id = text_value(id_node, Place(table, ("leg_id",), f"{here}.id"), notes)
        fields, nodes = _read_fields(element, LEG_FIELDS, table, here, notes)
        transcript = _read_transcript(member(element, "transcript"), f"{here}.transcript", notes)
        legs.append(SentLeg(call_id, index, sent_id, id_node, fields, nodes, transcript))
    return legs


def cleaned_members(node: Node) -> dict[str, Node]:
    """Return the members of an object under keys that a column can hold."""
    return {clean(key): value for key, value in node.value.items()}
