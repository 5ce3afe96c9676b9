"""The transfer legs of a chunk: nested ones, filled from the items that repeat them, and items that stand alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.api_values import parse_instant
from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.columns import (
    FlattenSettings,
    Note,
    cost_per_minute,
    instants,
    measures,
    personal_columns,
    seconds_between,
    silent,
)
from pipelines.flatten.decode import Chunk
from pipelines.flatten.issues import INCONSISTENT, MISSING, UNKNOWN, Origin, Problem
from pipelines.flatten.leg_index import DayIndex, Item, Parent, ResolvedLeg
from pipelines.flatten.outcomes import OutcomeMaps
from pipelines.flatten.payload import Call, Leg
from pipelines.flatten.source import Step

_TEXTS = ("transfer_type", "transfer_status", "status", "customer_number", "recording_url")
_SENT = {field.name: field.encode_name for field in msgspec.structs.fields(Leg)}
_NOBODY = Call()
"""Stands for the item of a leg that has none: all its fields are null."""


@dataclass(frozen=True)
class Nested:
    """A leg nested in a call of the chunk.

    Attributes:
        row: The call.
        position: The leg's place in transferCalls.
        leg: The leg as sent.
        leg_id: Its final id.
        item: The item of the same day that repeats it, None where there is none or its id is another's.
    """

    row: int
    position: int
    leg: Leg
    leg_id: str
    item: Item | None

    def steps(self, name: str) -> tuple[Step, ...]:
        """Return the way to one of the leg's fields within its call."""
        return ("transferCalls", self.position, name)


def nested_legs(chunk: Chunk, index: DayIndex) -> list[Nested]:
    """Return the legs nested in the calls of a chunk, noting ids that could not be kept."""
    found = []
    for row, call in enumerate(chunk.calls):
        if not call.transfer_calls:
            continue
        for position, (leg, name) in enumerate(zip(call.transfer_calls, index.leg_ids[str(call.id)], strict=True)):
            if not name:
                continue
            held = leg.id == name
            found.append(Nested(row, position, leg, name, index.items.get(name) if held else None))
            if not held:
                _note_id(chunk, found[-1])
    return found


def _note_id(chunk: Chunk, nested: Nested) -> None:
    if nested.leg.id is None or not nested.leg.id.strip():
        kind, message = MISSING, "no usable id; one was made of the call's"
    else:
        kind, message = INCONSISTENT, "an id that an earlier leg of the day has; one was made of the call's"
    chunk.issues.add(chunk.origin(nested.row), Problem("transfer_legs", "leg_id", nested.steps("id"), kind, message))


def legs_table(
    chunk: Chunk, nested: Sequence[Nested], alone: Sequence[ResolvedLeg], shape: FlattenSettings
) -> pa.Table:
    """Return the rows of transfer_legs for a chunk, not sorted.

    Args:
        chunk: The calls that nest legs.
        nested: Their legs.
        alone: Items that are legs of their own, listed under calls of this chunk's range.
        shape: The settings that shape the table.
    """
    own = _fields([entry.leg for entry in nested], _noter(chunk, nested))
    if any(entry.item for entry in nested):
        items = _fields([entry.item.call if entry.item else _NOBODY for entry in nested], _silence)
        own = {name: pc.coalesce(values, items[name]) for name, values in own.items()}
    children = _fields([entry.item.call for entry in alone], _silence)
    columns = {name: pa.concat_arrays([own[name], children[name]]) for name in own}
    nesting = [_parent(chunk, entry.row) for entry in nested]
    parents = [*nesting, *(entry.parent for entry in alone)]
    heirs = [*nesting, *(entry.parent or _as_parent(entry.item) for entry in alone)]
    origins = _Origins(chunk, nested, alone)
    columns |= {
        "leg_id": pa.array([entry.leg_id for entry in nested] + [entry.leg_id for entry in alone], pa.string()),
        "call_id": pa.array(
            [chunk.calls[entry.row].id for entry in nested] + [entry.call_id for entry in alone], pa.string()
        ),
        "leg_index": pa.array([entry.position for entry in nested] + [None] * len(alone), pa.int64()),
        "source": pa.array(["nested"] * len(nested) + ["child_call"] * len(alone), pa.string()),
        "parent_found": pa.array([parent is not None for parent in parents], pa.bool_()),
        "organization_id": pa.array([heir.organization_id for heir in heirs], pa.string()),
        "agent_id": pa.array([heir.agent_id for heir in heirs], pa.string()),
        "phone_number_id": pa.array([heir.phone_number_id for heir in heirs], pa.string()),
        "direction": pa.array([heir.direction for heir in heirs], pa.string()),
        "message_count": pa.array([_messages(e) for e in nested] + [_length(e.item.call) for e in alone], pa.int64()),
        "deleted_at": pa.array(_deleted(nesting, alone), pa.timestamp("us", "UTC")),
        "transfer_outcome": _transfer_outcomes(columns["transfer_status"], shape.outcomes, origins),
        "seconds_to_transfer": _seconds_to_transfer(columns["started_at"], parents, origins),
        "cost_per_minute": cost_per_minute(columns["cost"], columns["duration_seconds"]),
        **personal_columns(columns["customer_number"], columns["recording_url"], shape),
    }
    schema = arrow_schema("transfer_legs")
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema)


def _fields(legs: Sequence[Leg | Call], noter: Callable[[str], Note]) -> dict[str, pa.Array]:
    """Return the fields that nested legs and items have alike."""
    return {
        **{name: pa.array([getattr(leg, name) for leg in legs], pa.string()) for name in _TEXTS},
        "duration_seconds": measures([leg.duration_seconds for leg in legs], noter("duration_seconds")),
        "cost": measures([leg.cost for leg in legs], noter("cost")),
        "started_at": instants([leg.started_at for leg in legs], noter("started_at")),
        "ended_at": instants([leg.ended_at for leg in legs], noter("ended_at")),
    }


def _noter(chunk: Chunk, nested: Sequence[Nested]) -> Callable[[str], Note]:
    def noter(column: str) -> Note:
        name = _SENT[column]
        return chunk.note("transfer_legs", column, lambda place: (nested[place].row, nested[place].steps(name)))

    return noter


def _silence(column: str) -> Note:
    """Items were looked at when they were decoded as calls."""
    del column
    return silent


@dataclass(frozen=True)
class _Origins:
    """Leads from a row of the table to the item that brought one of its values."""

    chunk: Chunk
    nested: Sequence[Nested]
    alone: Sequence[ResolvedLeg]

    def note(self, row: int, column: str, name: str, kind: str, message: str) -> None:
        """Note a problem with a value of a leg, where that value stands."""
        origin, steps = self._find(row, column, name)
        self.chunk.issues.add(origin, Problem("transfer_legs", column, steps, kind, message))

    def _find(self, row: int, column: str, name: str) -> tuple[Origin, tuple[Step, ...]]:
        if row >= len(self.nested):
            return self.alone[row - len(self.nested)].item.origin, (name,)
        entry = self.nested[row]
        own = getattr(entry.leg, column)
        if column == "started_at" and own is not None:
            own = parse_instant(own)[0]
        if own is None and entry.item:
            return entry.item.origin, (name,)
        return self.chunk.origin(entry.row), entry.steps(name)


def _parent(chunk: Chunk, row: int) -> Parent:
    call = chunk.calls[row]
    return Parent(
        call.organization_id,
        call.agent_id,
        call.phone_number_id,
        call.direction,
        call.started_at,
        chunk.deleted_at[row],
    )


def _as_parent(item: Item) -> Parent:
    """Let an item whose call is not found speak for itself."""
    call = item.call
    return Parent(call.organization_id, call.agent_id, call.phone_number_id, call.direction, None, item.deleted_at)


def _deleted(nesting: Sequence[Parent], alone: Sequence[ResolvedLeg]) -> list[datetime | None]:
    """A leg goes with its call; one that is an item also with that."""
    of_items = [(entry.parent.deleted_at if entry.parent else None) or entry.item.deleted_at for entry in alone]
    return [*(parent.deleted_at for parent in nesting), *of_items]


def _length(record: Call | Leg) -> int | None:
    return None if record.transcript is None else len(record.transcript)


def _messages(entry: Nested) -> int | None:
    own = _length(entry.leg)
    if own or entry.item is None:
        return own
    of_item = _length(entry.item.call)
    return own if of_item is None else of_item


def _transfer_outcomes(statuses: pa.Array, outcomes: OutcomeMaps, origins: _Origins) -> pa.Array:
    classes = []
    for row, status in enumerate(statuses.to_pylist()):
        classes.append(outcomes.transfer_outcome(status))
        if status is not None and not outcomes.knows_transfer_status(status):
            message = "a word that is in no map; transfer_outcome is unknown"
            origins.note(row, "transfer_status", "transferStatus", UNKNOWN, message)
    return pa.array(classes, pa.string())


def _seconds_to_transfer(started: pa.Array, parents: Sequence[Parent | None], origins: _Origins) -> pa.Array:
    begun = instants([parent.started_at if parent else None for parent in parents], silent)
    seconds = seconds_between(begun, started)
    negative = pc.fill_null(pc.less(seconds, 0.0), fill_value=False)
    for row, is_negative in enumerate(negative.to_pylist()):
        if is_negative:
            message = "the leg begins before its call; seconds_to_transfer left out"
            origins.note(row, "started_at", "startedAt", INCONSISTENT, message)
    return pc.if_else(negative, pa.scalar(None, pa.float64()), seconds)
