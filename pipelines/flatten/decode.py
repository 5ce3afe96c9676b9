"""Decode a chunk of calls into typed structs: strictly first, and field by field if that fails.

A call as documented decodes straight from its bytes. One that does not fit is decoded field by field, so that a bad
value costs its field and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

import msgspec
import polars as pl
import pyarrow as pa
from msgspec import Meta, Raw, Struct
from msgspec.structs import FieldInfo

from pipelines.flatten.issues import INCONSISTENT, INVALID, Issues, Note, Origin, Problem
from pipelines.flatten.source import JsonPath, elements, members, scalar_of
from pipelines.json_source import UNREADABLE, storable

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
KnownRole = Literal[
    "user", "customer", "caller", "human", "agent", "assistant", "bot", "ai", "system", "tool", "function"
]
"""Roles that decode without a new string for every message."""


class Turn(Struct, gc=False):
    """A message with any role."""

    role: str | None = None
    content: str | None = None


class KnownTurn(Struct, gc=False):
    """A message with a known role."""

    role: KnownRole | None = None
    content: str | None = None


AnyTurn = Turn | KnownTurn


class Leg(Struct, rename="camel", gc=False):
    """One element of transferCalls."""

    id: str | None = None
    transfer_type: str | None = None
    transfer_status: str | None = None
    duration_seconds: float | str | None = None
    customer_number: str | None = None
    recording_url: str | None = None
    transcript: list[Turn] | None = None
    started_at: str | None = None
    ended_at: str | None = None
    cost: float | str | None = None
    status: str | None = None


class KnownLeg(Leg, rename="camel", gc=False):
    """A leg whose messages have known roles."""

    transcript: list[KnownTurn] | None = None  # type: ignore[assignment]  # a narrower kind of message


NO_LEG = Leg()
"""Replaces an element of transferCalls that is not an object, so that the others keep their positions."""


class Analysis(Struct, gc=False):
    """The API's analysis of a conversation."""

    summary: str | None = None
    extractions: Raw = Raw()


class Call(Struct, rename="camel", gc=False):
    """One item of the API. Free-form objects stay slices of its JSON."""

    id: str | None = None
    organization_id: str | None = None
    agent_id: str | None = None
    phone_number_id: str | None = None
    call_sid: str | None = None
    provider: str | None = None
    direction: str | None = None
    status: str | None = None
    customer_number: str | None = None
    duration_seconds: float | str | None = None
    cost: float | str | None = None
    recording_url: str | None = None
    turn_count: Int64 | None = None
    transcript: list[Turn] | None = None
    analysis: Analysis | None = None
    ended_reason: str | None = None
    context_variables: Raw = Raw()
    metadata: Raw = Raw()
    parent_call_id: str | None = None
    transfer_type: str | None = None
    transfer_status: str | None = None
    transfer_calls: list[Leg] | None = None
    started_at: str | None = None
    ended_at: str | None = None
    created_at: str | None = None


class KnownCall(Call, rename="camel", gc=False):
    """A call whose messages have known roles."""

    transcript: list[KnownTurn] | None = None  # type: ignore[assignment]  # a narrower kind of message
    transfer_calls: list[KnownLeg] | None = None  # type: ignore[assignment]  # a narrower kind of leg


_STRICT, _ANY_ROLE = msgspec.json.Decoder[Call](KnownCall), msgspec.json.Decoder(Call)
OBJECT_PATHS: Mapping[str, JsonPath] = MappingProxyType(
    {
        "context_variables": ("contextVariables",),
        "extractions": ("analysis", "extractions"),
        "metadata": ("metadata",),
    }
)
"""The columns of free-form objects, each with its path in a call."""
TEXT, MEASURE, INTEGER = str | None, float | str | None, Int64 | None
_INT64 = range(-(2**63), 2**63)
_ESCAPED_NUL = "\\u0000"
T = TypeVar("T", Call, Leg)


def is_time(field: FieldInfo) -> bool:
    """Return whether a field of a call or leg is a time."""
    return field.type == TEXT and field.name.endswith("_at")


class FieldDecoder:
    """Decodes one call field by field.

    Attributes:
        problems: What was wrong with its fields, in the order in which they were read.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def call(self, source: str) -> Call:
        """Decode a call from its JSON."""
        fields = members(source)
        call = self._record(Call, fields, (), "calls")
        call.transcript = self._transcript(fields.get("transcript"), ("transcript",))
        call.analysis = self._analysis(fields.get("analysis"))
        call.context_variables = self._object(
            fields.get("contextVariables"), ("contextVariables",), "context_variables"
        )
        call.metadata = self._object(fields.get("metadata"), ("metadata",), "metadata")
        call.transfer_calls = self._legs(fields.get("transferCalls"))
        return call

    def _note(self, table: str, column: str, steps: JsonPath, kind: str, message: str) -> None:
        self.problems.append(Problem(table, column, steps, kind, message))

    def _record(self, kind: type[T], fields: dict[str, str], steps: JsonPath, table: str) -> T:
        """Decode the texts, times, measures and whole numbers of a call or a leg."""
        record = kind()
        for field in msgspec.structs.fields(kind):
            here = (*steps, field.encode_name)
            column = ("leg_id" if steps else "call_id") if field.name == "id" else field.name
            source = fields.get(field.encode_name)
            if column == "leg_id" and source is not None and source.startswith(("{", "[")):
                continue  # no usable id: an issue is recorded when the leg gets another id
            if field.type == TEXT:
                decode = self._time if is_time(field) else self._text
                setattr(record, field.name, decode(source, here, table, column))
            elif field.type == MEASURE:
                setattr(record, field.name, self._measure(source, here, table, column))
            elif field.type == INTEGER:
                setattr(record, field.name, self._integer(source, here, table, column))
        return record

    def _text(self, source: str | None, steps: JsonPath, table: str, column: str) -> str | None:
        value = scalar_of(source)
        if value is None:
            return None
        if isinstance(value, (dict, list)):
            self._note(table, column, steps, INVALID, "no text; left out")
            return None
        if not isinstance(value, str):
            self._note(table, column, steps, INCONSISTENT, "a number or boolean where text belongs; kept as text")
            return source
        text = storable(value)
        if text != value:
            self._note(table, column, steps, INVALID, "has a NUL or a lone surrogate; replaced by U+FFFD")
        return text

    def _time(self, source: str | None, steps: JsonPath, table: str, column: str) -> str | None:
        value = scalar_of(source)
        if isinstance(value, str):
            return storable(value)
        if value is not None:
            self._note(table, column, steps, INVALID, "no timestamp; left out")
        return None

    def _measure(self, source: str | None, steps: JsonPath, table: str, column: str) -> float | str | None:
        value = scalar_of(source)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return float(value)  # whether it is finite and not negative is checked for the whole column
            except OverflowError:
                return float("inf")
        self._note(table, column, steps, INVALID, "no number; left out")
        return None

    def _integer(self, source: str | None, steps: JsonPath, table: str, column: str) -> int | None:
        value = scalar_of(source)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value in _INT64:
            return value
        if value is not None:
            self._note(table, column, steps, INVALID, "no whole number; left out")
        return None

    def _container(self, source: str | None, steps: JsonPath, table: str, column: str, *, opening: str) -> str | None:
        """Return the JSON of an object or array; None for null, and for anything else with an issue."""
        if source is None or source == "null":
            return None
        if source.startswith(opening):
            return source
        kind = "object" if opening == "{" else "list"
        self._note(table, column, steps, INVALID, f"no {kind}; left out")
        return None

    def _object(self, source: str | None, steps: JsonPath, column: str) -> Raw:
        found = self._container(source, steps, "calls", column, opening="{")
        return Raw() if found is None else Raw(found.encode("utf-8", "replace"))

    def _analysis(self, source: str | None) -> Analysis | None:
        found = self._container(source, ("analysis",), "calls", "summary", opening="{")
        if found is None:
            return None
        fields = members(found)
        return Analysis(
            summary=self._text(fields.get("summary"), ("analysis", "summary"), "calls", "summary"),
            extractions=self._object(fields.get("extractions"), ("analysis", "extractions"), "extractions"),
        )

    def _transcript(self, source: str | None, steps: JsonPath) -> list[Turn] | None:
        found = self._container(source, steps, "transcript_turns", "content", opening="[")
        if found is None:
            return None
        return [self._turn(turn, (*steps, position)) for position, turn in enumerate(elements(found))]

    def _turn(self, source: str, steps: JsonPath) -> Turn:
        if not source.startswith("{"):
            self._note("transcript_turns", "content", steps, INVALID, "no message; kept as an empty one")
            return Turn()
        fields = members(source)
        texts: dict[str, str | None] = {
            name: self._text(fields.get(name), (*steps, name), "transcript_turns", name) for name in ("role", "content")
        }
        return Turn(**texts)

    def _legs(self, source: str | None) -> list[Leg] | None:
        found = self._container(source, ("transferCalls",), "transfer_legs", "customer_number", opening="[")
        if found is None:
            return None
        return [self._leg(leg, position) for position, leg in enumerate(elements(found))]

    def _leg(self, source: str, position: int) -> Leg:
        steps = ("transferCalls", position)
        if not source.startswith("{"):
            self._note("transfer_legs", "customer_number", steps, INVALID, "no leg; left out")
            return NO_LEG
        fields = members(source)
        leg = self._record(Leg, fields, steps, "transfer_legs")
        leg.transcript = self._transcript(fields.get("transcript"), (*steps, "transcript"))
        return leg


@dataclass(frozen=True)
class Chunk:
    """Calls of one day in the order of their ids, with the columns that landing added.

    Attributes:
        landed: call_id, first_landed_at, landed_at, version_count and deleted_at, one row per call.
    """

    landed: pa.Table
    calls: list[Call]
    payloads: list[bytes]
    issues: Issues

    def origin(self, row: int) -> Origin:
        """Return the origin of a call's problems."""
        return Origin(self.calls[row].id, self.payloads[row], self.landed_at[row])

    @cached_property
    def landed_at(self) -> list[datetime]:
        """When each call's newest payload landed."""
        # Calls that landed together share one instant; converting each value to a datetime of its own would take long.
        coded = self.landed["landed_at"].combine_chunks().dictionary_encode()
        moments: list[datetime] = coded.dictionary.to_pylist()
        return [moments[place] for place in coded.indices.to_pylist()]

    @cached_property
    def deleted_at(self) -> list[datetime | None]:
        """When each call was found deleted, None if it was not."""
        moments: list[datetime | None] = self.landed["deleted_at"].to_pylist()
        return moments

    @cached_property
    def sources(self) -> Mapping[str, list[bytes]]:
        """The JSON of the free-form objects by column, of any type; empty if the field is missing."""
        calls = self.calls
        return {
            "context_variables": [bytes(call.context_variables) for call in calls],
            "extractions": [bytes(call.analysis.extractions) if call.analysis else b"" for call in calls],
            "metadata": [bytes(call.metadata) for call in calls],
        }

    @cached_property
    def objects(self) -> Mapping[str, list[bytes | None]]:
        """The JSON of the free-form objects by column, None for null and for anything that is not an object."""
        return {
            column: [source if source.startswith(b"{") else None for source in sources]
            for column, sources in self.sources.items()
        }

    def note(self, table: str, column: str, locate: Callable[[int], tuple[int, JsonPath]]) -> Note:
        """Return a function that records problems of a column.

        Args:
            table: The table of the column.
            column: Its name.
            locate: Returns the call's row and the path within it of a position in the column.
        """

        def note(position: int, kind: str, message: str) -> None:
            row, path = locate(position)
            self.issues.add(self.origin(row), Problem(table, column, path, kind, message))

        return note


def decode_chunk(landed: pa.Table, issues: Issues) -> Chunk:
    """Decode the payloads of a chunk of calls.

    Args:
        landed: Columns call_id, payload, first_landed_at, landed_at, version_count, deleted_at; one row per call.
        issues: Collects the problems of these calls.
    """
    payloads: list[bytes] = landed["payload"].cast(pa.binary()).to_pylist()
    call_ids: list[str] = landed["call_id"].to_pylist()
    has_nul = pl.Series(landed["payload"]).str.contains(_ESCAPED_NUL, literal=True).to_list()
    chunk = Chunk(landed.drop_columns(["payload"]), [], payloads, issues)
    for row, (call_id, payload, nul) in enumerate(zip(call_ids, payloads, has_nul, strict=True)):
        problems: list[Problem] = []
        try:
            call = _STRICT.decode(payload)
            fits = not nul
        except UNREADABLE:
            fits = False
        if not fits:
            call, problems = _decode_leniently(payload, has_nul=nul)
        call.id = call_id
        if call.parent_call_id is not None and not call.parent_call_id.strip():
            call.parent_call_id = None
            problems.append(Problem("calls", "parent_call_id", ("parentCallId",), INVALID, "blank; read as none"))
        for problem in problems:
            issues.add(Origin(call_id, payload, chunk.landed_at[row]), problem)
        chunk.calls.append(call)
    return chunk


def _decode_leniently(payload: bytes, *, has_nul: bool) -> tuple[Call, list[Problem]]:
    """Decode a call that has unknown roles or bad values, and return the problems with it."""
    if not has_nul:
        with suppress(*UNREADABLE):
            return _ANY_ROLE.decode(payload), []
    decoder = FieldDecoder()
    return decoder.call(payload.decode("utf-8", "replace")), decoder.problems
