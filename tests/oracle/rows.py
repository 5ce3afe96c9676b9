"""The rows of legs, turns, attributes and problems, and what the mask leaves of a person in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.oracle.items import Item, Message, Version, cleaned_members
from tests.oracle.legs import Leg, holders
from tests.oracle.names import PERSONAL, SHIPPED_OUTCOMES
from tests.oracle.phones import customer_key, masked_number
from tests.oracle.ratios import per_minute
from tests.oracle.source import Node
from tests.oracle.values import Issue, Notes, Place, float_of, text_value

Row = dict[str, Any]


@dataclass(frozen=True)
class Shaping:
    """The settings that shape tables."""

    timezone: str = "UTC"
    pii: Literal["mask", "raw"] = "mask"
    pii_key: bytes = b"a key for tests"
    outcomes: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: SHIPPED_OUTCOMES)


def with_person(row: Row, shaping: Shaping) -> Row:
    """Return the row with what the settings leave of the number and the recording."""
    number, url = row["customer_number"], row["recording_url"]
    masked = shaping.pii == "mask"
    return row | {
        "customer_key": customer_key(number, shaping.pii_key),
        "customer_number": masked_number(number) if masked else number,
        "has_recording": url is not None and url.strip() != "",
        "recording_url": None if masked else url,
    }


def leg_row(leg: Leg) -> Row:
    """Return a row of transfer_legs, number and recording still as sent."""
    return {
        "leg_id": leg.leg_id,
        "call_id": leg.call_id,
        "leg_index": leg.leg_index,
        "source": leg.source,
        "parent_found": leg.call is not None,
        **leg.dimensions,
        **leg.fields,
        "transfer_outcome": leg.transfer_outcome,
        "cost_per_minute": per_minute(leg.fields["cost"], leg.fields["duration_seconds"]),
        "message_count": leg.message_count,
        "seconds_to_transfer": leg.seconds_to_transfer,
        "deleted_at": leg.deleted_at,
    }


def turn_rows(today: Mapping[str, Item], legs: list[Leg], before: Mapping[str, Item]) -> Iterable[Row]:
    """transcript_turns: what calls and legs bring, each message once."""
    held = holders(before) | holders(today)
    for leg in legs:
        yield from _messages(leg.call_id, leg.leg_id, leg.own_transcript)
    for item in today.values():
        holder = held.get(item.call_id)
        if item.fields["parent_call_id"] is None:
            yield from _messages(item.call_id, None, item.transcript)
        elif holder is not None and not holder.transcript:
            yield from _messages(holder.call_id, item.call_id, item.transcript)


def _messages(call_id: str, leg_id: str | None, transcript: list[Message] | None) -> Iterable[Row]:
    for index, message in enumerate(transcript or []):
        yield {
            "call_id": call_id,
            "leg_id": leg_id,
            "turn_index": index,
            "role": message.role,
            "speaker": message.speaker,
            "content": message.content,
            "word_count": message.words,
            "char_count": None if message.content is None else len(message.content),
        }


def attribute_rows(item: Item) -> Iterable[Row]:
    """Yield the call_attributes of a call; notes values no column can hold."""
    for source, column, path in (
        ("extraction", "extractions", "$.analysis.extractions"),
        ("context", "context_variables", "$.contextVariables"),
        ("metadata", "metadata", "$.metadata"),
    ):
        node = item.fields[column]
        for key, value in (cleaned_members(node) if node is not None else {}).items():
            place = Place("call_attributes", ("value",), f"{path}.{key}")
            yield {"call_id": item.call_id, "source": source, "key": key, **_attribute_value(value, place, item.notes)}


def _attribute_value(node: Node, place: Place, notes: Notes) -> Row:
    number = None
    value: str | None = node.source
    if node.kind == "null":
        value = None
    elif node.kind == "string":
        value = text_value(node, place, notes)
    elif node.kind == "number":
        number = float_of(node.value)
        if number is None:
            notes.bad(place, "not a finite number", node)
    return {"value": value, "value_type": node.kind, "value_number": number}


def issue_row(issue: Issue, shaping: Shaping) -> Row:
    """Return a row of data_issues; under `mask` without a value that may identify a person."""
    personal = not PERSONAL[issue.table_name].isdisjoint(issue.columns)
    hidden = issue.raw is None or (personal and shaping.pii == "mask")
    return {
        "call_id": issue.call_id,
        "table_name": issue.table_name,
        "path": issue.path,
        "kind": issue.kind,
        "message": issue.message,
        "raw_value": None if hidden else issue.raw[:1000],
        "landed_at": issue.landed_at,
    }


def rejected_row(version: Version, shaping: Shaping) -> Row:
    """Return the row of data_issues for an item that could not be placed."""
    place = Place("calls", ("customer_number",), "$")
    issue = Issue(
        version.call_id,
        place.table,
        place.columns,
        place.path,
        "rejected_item",
        "an item that cannot be placed",
        version.payload,
        version.landed_at,
    )
    return issue_row(issue, shaping)
