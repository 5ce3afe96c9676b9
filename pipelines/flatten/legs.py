"""Build the table transfer_legs: nested legs, filled from the items that repeat them, and child calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.api_values import parse_instant
from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.columns import (
    cost_per_minute,
    instants,
    personal_columns,
    seconds_between,
    silent,
    text_fields,
    values_as_sent,
)
from pipelines.flatten.decode import Call, Chunk, Leg
from pipelines.flatten.issues import INCONSISTENT, MISSING, UNKNOWN, Note, Origin, Problem
from pipelines.flatten.leg_index import DayIndex, Item, Parent, ResolvedLeg
from pipelines.flatten.settings import FlattenSettings, OutcomeMaps
from pipelines.flatten.source import JsonPath

_TEXTS = text_fields(Leg)
_INHERITED = ("organization_id", "agent_id", "phone_number_id", "direction")
_SENT = {field.name: field.encode_name for field in msgspec.structs.fields(Leg)}
_NO_CALL = Call()
"""Replaces the item of a nested leg that has none: all its fields are null."""


@dataclass(frozen=True)
class NestedLeg:
    """A leg nested in a call of the chunk.

    Attributes:
        row: The row of the call in the chunk.
        position: The leg's position in transferCalls.
        leg_id: Its final id.
        item: The item of the same day that repeats it; None if there is none, or if the leg got another id.
        parent: The values that it takes from its call.
    """

    row: int
    position: int
    leg: Leg
    leg_id: str
    item: Item | None
    parent: Parent

    def steps(self, name: str) -> JsonPath:
        """Return the path of one of the leg's fields in its call."""
        return ("transferCalls", self.position, name)

    @property
    def message_count(self) -> int | None:
        """Number of messages of the leg, or of the item if the leg has none."""
        own = _length(self.leg)
        if own or self.item is None:
            return own
        of_item = _length(self.item.call)
        return own if of_item is None else of_item


def nested_legs(chunk: Chunk, index: DayIndex) -> list[NestedLeg]:
    """Return the legs nested in the calls of a chunk, and record ids that were missing or taken."""
    found = []
    for row, call in enumerate(chunk.calls):
        if not call.transfer_calls:
            continue
        parent = index.parents[str(call.id)]
        for position, (leg, leg_id) in enumerate(zip(call.transfer_calls, index.leg_ids[str(call.id)], strict=True)):
            if not leg_id:
                continue
            has_sent_id = leg.id == leg_id
            item = index.items.get(leg_id) if has_sent_id else None
            found.append(NestedLeg(row, position, leg, leg_id, item, parent))
            if not has_sent_id:
                _note_id(chunk, found[-1])
    return found


def _note_id(chunk: Chunk, nested: NestedLeg) -> None:
    if nested.leg.id is None or not nested.leg.id.strip():
        kind, message = MISSING, "no usable id; one was made of the call's"
    else:
        kind, message = INCONSISTENT, "an id that an earlier leg of the day has; one was made of the call's"
    chunk.issues.add(chunk.origin(nested.row), Problem("transfer_legs", "leg_id", nested.steps("id"), kind, message))


def legs_table(
    chunk: Chunk, nested: Sequence[NestedLeg], children: Sequence[ResolvedLeg], settings: FlattenSettings
) -> pa.Table:
    """Return the rows of transfer_legs for a chunk, not sorted.

    Args:
        chunk: The calls that nest legs.
        nested: Their legs.
        children: Child calls that are legs, listed for calls in the chunk's range of ids.
        settings: The settings that shape the table.
    """
    columns = _sent_columns(chunk, nested, children) | _placed_columns(chunk, nested, children)
    origins = _Origins(chunk, nested, children)
    parents = [*(leg.parent for leg in nested), *(child.parent for child in children)]
    columns |= {
        "parent_found": pa.array([parent is not None for parent in parents], pa.bool_()),
        "transfer_outcome": _transfer_outcomes(columns["transfer_status"], settings.outcomes, origins),
        "seconds_to_transfer": _seconds_to_transfer(columns["started_at"], parents, origins),
        "cost_per_minute": cost_per_minute(columns["cost"], columns["duration_seconds"]),
        **personal_columns(columns["customer_number"], columns["recording_url"], settings),
    }
    schema = arrow_schema("transfer_legs")
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema)


def _sent_columns(chunk: Chunk, nested: Sequence[NestedLeg], children: Sequence[ResolvedLeg]) -> dict[str, pa.Array]:
    """Return the columns of values as sent; nulls of a nested leg are filled from the item that repeats it."""

    def note(column: str) -> Note:
        return chunk.note("transfer_legs", column, lambda at: (nested[at].row, nested[at].steps(_SENT[column])))

    own = _fields([leg.leg for leg in nested], note)
    if any(leg.item for leg in nested):
        items = _fields([leg.item.call if leg.item else _NO_CALL for leg in nested], lambda _: silent)
        own = {name: pc.coalesce(values, items[name]) for name, values in own.items()}
    of_children = _fields([child.item.call for child in children], lambda _: silent)
    return {name: pa.concat_arrays([own[name], of_children[name]]) for name in own}


def _fields(legs: Sequence[Leg | Call], note: Callable[[str], Note]) -> dict[str, pa.Array]:
    """Return the columns that nested legs and items have in common; `note` gives each column its recorder."""
    return {
        **{name: pa.array([getattr(leg, name) for leg in legs], pa.string()) for name in _TEXTS},
        **values_as_sent(Leg, legs, note),
    }


def _placed_columns(chunk: Chunk, nested: Sequence[NestedLeg], children: Sequence[ResolvedLeg]) -> dict[str, pa.Array]:
    """Return the columns that say which leg a row is, and those that it takes from its call."""
    # A child call whose parent was not found has only its own values.
    donors = [child.parent or Parent.of(child.item.call, child.item.deleted_at) for child in children]
    donors = [*(leg.parent for leg in nested), *donors]
    deleted = [donor.deleted_at for donor in donors]
    for row, child in enumerate(children, len(nested)):
        deleted[row] = deleted[row] or child.item.deleted_at
    call_ids = [*(chunk.calls[leg.row].id for leg in nested), *(child.call_id for child in children)]
    messages = [*(leg.message_count for leg in nested), *(_length(child.item.call) for child in children)]
    return {
        "leg_id": pa.array([*(leg.leg_id for leg in nested), *(child.leg_id for child in children)], pa.string()),
        "call_id": pa.array(call_ids, pa.string()),
        "leg_index": pa.array([leg.position for leg in nested] + [None] * len(children), pa.int64()),
        "source": pa.array(["nested"] * len(nested) + ["child_call"] * len(children), pa.string()),
        "message_count": pa.array(messages, pa.int64()),
        "deleted_at": pa.array(deleted, pa.timestamp("us", "UTC")),
        **{name: pa.array([getattr(donor, name) for donor in donors], pa.string()) for name in _INHERITED},
    }


def _length(record: Call | Leg) -> int | None:
    return None if record.transcript is None else len(record.transcript)


@dataclass(frozen=True)
class _Origins:
    """Finds the item that a value of a row is from."""

    chunk: Chunk
    nested: Sequence[NestedLeg]
    children: Sequence[ResolvedLeg]

    def note(self, row: int, column: str, kind: str, message: str) -> None:
        """Record a problem with a value of a leg, at its path in the item that it is from."""
        origin, steps = self._find(row, column)
        self.chunk.issues.add(origin, Problem("transfer_legs", column, steps, kind, message))

    def _find(self, row: int, column: str) -> tuple[Origin, JsonPath]:
        if row >= len(self.nested):
            return self.children[row - len(self.nested)].item.origin, (_SENT[column],)
        nested = self.nested[row]
        own = getattr(nested.leg, column)
        if column == "started_at" and own is not None:
            own = parse_instant(own)[0]
        if own is None and nested.item:
            return nested.item.origin, (_SENT[column],)
        return self.chunk.origin(nested.row), nested.steps(_SENT[column])


def _transfer_outcomes(statuses: pa.Array, outcomes: OutcomeMaps, origins: _Origins) -> pa.Array:
    """Return the result of each leg, and record status words that are in no map."""
    results = []
    for row, status in enumerate(statuses.to_pylist()):
        results.append(outcomes.transfer_outcome(status))
        if status is not None and not outcomes.knows_transfer_status(status):
            message = "a word that is in no map; transfer_outcome is unknown"
            origins.note(row, "transfer_status", UNKNOWN, message)
    return pa.array(results, pa.string())


def _seconds_to_transfer(started: pa.Array, parents: Sequence[Parent | None], origins: _Origins) -> pa.Array:
    """Return the seconds from the start of the call to the start of the leg; record negative ones and return null."""
    call_started = instants([parent.started_at if parent else None for parent in parents], silent)
    seconds = seconds_between(call_started, started)
    negative = pc.fill_null(pc.less(seconds, 0.0), fill_value=False)
    for row, is_negative in enumerate(negative.to_pylist()):
        if is_negative:
            message = "the leg begins before its call; seconds_to_transfer left out"
            origins.note(row, "started_at", INCONSISTENT, message)
    return pc.if_else(negative, pa.scalar(None, pa.float64()), seconds)
