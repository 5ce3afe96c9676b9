"""Decode a chunk of calls into typed structs: strict first, field by field where that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import msgspec
import polars as pl
import pyarrow as pa
from msgspec import Raw

from pipelines.flatten.columns import Note
from pipelines.flatten.issues import INCONSISTENT, INVALID, Issues, Origin, Problem
from pipelines.flatten.payload import DECODERS, NO_LEG, Analysis, Call, Leg, Turn
from pipelines.flatten.source import Step, elements, members, scalar_of
from pipelines.json_source import UNREADABLE, storable

Steps = tuple[Step, ...]
_INT64 = range(-(2**63), 2**63)
T = TypeVar("T", Call, Leg)


class Repair:
    """One call, decoded field by field.

    Attributes:
        problems: What was wrong with its fields, in the order of the source's reading.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def call(self, source: str) -> Call:
        """Decode a call from its source."""
        fields = members(source)
        call = self._record(Call, fields, (), "calls")
        call.turn_count = self._integer(fields.get("turnCount"), ("turnCount",), "turn_count")
        call.transcript = self._transcript(fields.get("transcript"), ("transcript",))
        call.analysis = self._analysis(fields.get("analysis"))
        call.context_variables = self._object(
            fields.get("contextVariables"), ("contextVariables",), "context_variables"
        )
        call.metadata = self._object(fields.get("metadata"), ("metadata",), "metadata")
        call.transfer_calls = self._legs(fields.get("transferCalls"))
        return call

    def _note(self, table: str, column: str, steps: Steps, kind: str, message: str) -> None:
        self.problems.append(Problem(table, column, steps, kind, message))

    def _record(self, kind: type[T], fields: dict[str, str], steps: Steps, table: str) -> T:
        """Decode the texts, measures and times that calls and legs have alike."""
        record = kind()
        for field in msgspec.structs.fields(kind):
            here = (*steps, field.encode_name)
            column = ("leg_id" if steps else "call_id") if field.name == "id" else field.name
            source = fields.get(field.encode_name)
            if column == "leg_id" and source is not None and source.startswith(("{", "[")):
                continue  # no usable id, which is noted where the leg is given one
            if field.type == (str | None):
                decode = self._time if field.name.endswith("_at") else self._text
                setattr(record, field.name, decode(source, here, table, column))
            elif field.type == (float | str | None):
                setattr(record, field.name, self._measure(source, here, table, column))
        return record

    def _text(self, source: str | None, steps: Steps, table: str, column: str) -> str | None:
        if source is None:
            return None
        value = scalar_of(source)
        if value is None:
            return None
        if isinstance(value, (dict, list)):
            self._note(table, column, steps, INVALID, "no text; left out")
            return None
        if not isinstance(value, str):
            self._note(table, column, steps, INCONSISTENT, "a number or boolean where text belongs; kept as text")
            return source
        whole = storable(value)
        if whole != value:
            self._note(table, column, steps, INVALID, "has a NUL or a lone surrogate; replaced by U+FFFD")
        return whole

    def _time(self, source: str | None, steps: Steps, table: str, column: str) -> str | None:
        value = None if source is None else scalar_of(source)
        if value is None or isinstance(value, str):
            return None if value is None else storable(value)
        self._note(table, column, steps, INVALID, "no timestamp; left out")
        return None

    def _measure(self, source: str | None, steps: Steps, table: str, column: str) -> float | str | None:
        value = None if source is None else scalar_of(source)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return float(value)  # whether it is finite and not negative is judged with the whole column
            except OverflowError:
                return float("inf")
        self._note(table, column, steps, INVALID, "no number; left out")
        return None

    def _integer(self, source: str | None, steps: Steps, column: str) -> int | None:
        value = None if source is None else scalar_of(source)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value in _INT64:
            return value
        self._note("calls", column, steps, INVALID, "no whole number; left out")
        return None

    def _object(self, source: str | None, steps: Steps, column: str) -> Raw:
        if source is None or source == "null":
            return Raw()
        if source.startswith("{"):
            return Raw(source.encode("utf-8", "replace"))
        self._note("calls", column, steps, INVALID, "no object; left out")
        return Raw()

    def _analysis(self, source: str | None) -> Analysis | None:
        if source is None or source == "null":
            return None
        if not source.startswith("{"):
            self._note("calls", "summary", ("analysis",), INVALID, "no object; left out")
            return None
        fields = members(source)
        return Analysis(
            summary=self._text(fields.get("summary"), ("analysis", "summary"), "calls", "summary"),
            extractions=self._object(fields.get("extractions"), ("analysis", "extractions"), "extractions"),
        )

    def _list(self, source: str | None, steps: Steps, table: str, column: str) -> list[str] | None:
        """Return the elements of a list, None for null and, noted, for what is no list."""
        if source is None or source == "null":
            return None
        if not source.startswith("["):
            self._note(table, column, steps, INVALID, "no list; left out")
            return None
        return elements(source)

    def _transcript(self, source: str | None, steps: Steps) -> list[Turn] | None:
        turns = self._list(source, steps, "transcript_turns", "content")
        if turns is None:
            return None
        return [self._turn(turn, (*steps, position)) for position, turn in enumerate(turns)]

    def _turn(self, source: str, steps: Steps) -> Turn:
        if not source.startswith("{"):
            self._note("transcript_turns", "content", steps, INVALID, "no message; kept as an empty one")
            return Turn()
        fields = members(source)
        texts: dict[str, str | None] = {
            name: self._text(fields.get(name), (*steps, name), "transcript_turns", name) for name in ("role", "content")
        }
        return Turn(**texts)

    def _legs(self, source: str | None) -> list[Leg] | None:
        legs = self._list(source, ("transferCalls",), "transfer_legs", "customer_number")
        if legs is None:
            return None
        return [self._leg(leg, position) for position, leg in enumerate(legs)]

    def _leg(self, source: str, position: int) -> Leg:
        steps = ("transferCalls", position)
        if not source.startswith("{"):
            self._note("transfer_legs", "customer_number", steps, INVALID, "no leg; left out")
            return NO_LEG
        fields = members(source)
        leg = self._record(Leg, fields, steps, "transfer_legs")
        leg.transcript = self._transcript(fields.get("transcript"), (*steps, "transcript"))
        return leg


_ESCAPED_NUL = "\\u0000"
_STRICT, _ANY_ROLE = (decoder.decode for decoder in DECODERS)


@dataclass(frozen=True)
class Chunk:
    """Calls of one day in the order of their ids, with the landing facts that came with them.

    Attributes:
        landed: call_id, first_landed_at, landed_at, version_count and deleted_at, a row a call.
        calls: The decoded calls.
        payloads: Their sources.
        issues: Where problems of these calls are taken down.
    """

    landed: pa.Table
    calls: list[Call]
    payloads: list[bytes]
    issues: Issues

    def origin(self, row: int) -> Origin:
        """Return what a call's problems are attributed to."""
        return Origin(self.calls[row].id, self.payloads[row], self.landed_at[row])

    @cached_property
    def landed_at(self) -> list[datetime]:
        """When each call's newest payload landed."""
        # Calls that landed together share one instant, and each value that becomes a datetime of its own costs time.
        coded = self.landed["landed_at"].combine_chunks().dictionary_encode()
        moments: list[datetime] = coded.dictionary.to_pylist()
        return [moments[place] for place in coded.indices.to_pylist()]

    @cached_property
    def deleted_at(self) -> list[datetime | None]:
        """When each call was found deleted, None while it lives."""
        moments: list[datetime | None] = self.landed["deleted_at"].to_pylist()
        return moments

    @cached_property
    def sources(self) -> Mapping[str, list[bytes]]:
        """The sources of the free-form objects by column, whatever stands there; empty where nothing does."""
        calls = self.calls
        return {
            "context_variables": [bytes(call.context_variables) for call in calls],
            "extractions": [bytes(call.analysis.extractions) if call.analysis else b"" for call in calls],
            "metadata": [bytes(call.metadata) for call in calls],
        }

    @cached_property
    def objects(self) -> Mapping[str, list[bytes | None]]:
        """The sources of the free-form objects by column, None for null and for what is no object."""
        return {
            column: [source if source.startswith(b"{") else None for source in sources]
            for column, sources in self.sources.items()
        }

    def note(self, table: str, column: str, steps: Callable[[int], tuple[int, tuple[Step, ...]]]) -> Note:
        """Return a way to take down problems of a column, whose positions `steps` leads to a call's row and path."""

        def take_down(position: int, kind: str, message: str) -> None:
            row, path = steps(position)
            self.issues.add(self.origin(row), Problem(table, column, path, kind, message))

        return take_down


def decode_chunk(landed: pa.Table, issues: Issues) -> Chunk:
    """Decode the payloads of a chunk of calls.

    Args:
        landed: Columns call_id, payload, first_landed_at, landed_at, version_count, deleted_at; a row a call.
        issues: Where problems of these calls are taken down.
    """
    payloads: list[bytes] = landed["payload"].cast(pa.binary()).to_pylist()
    call_ids: list[str] = landed["call_id"].to_pylist()
    has_nul = pl.Series(landed["payload"]).str.contains(_ESCAPED_NUL, literal=True).to_list()
    chunk = Chunk(landed.drop_columns(["payload"]), [], payloads, issues)
    for row, (call_id, payload, nul) in enumerate(zip(call_ids, payloads, has_nul, strict=True)):
        try:
            call = _STRICT(payload)
            is_whole = not nul
        except UNREADABLE:
            is_whole = False
        if not is_whole:
            call, problems = _decode_odd(payload, has_nul=nul)
            for problem in problems:
                issues.add(Origin(call_id, payload, chunk.landed_at[row]), problem)
        call.id = call_id
        if call.parent_call_id is not None and not call.parent_call_id.strip():
            call.parent_call_id = None
            problem = Problem("calls", "parent_call_id", ("parentCallId",), INVALID, "blank; read as none")
            issues.add(Origin(call_id, payload, chunk.landed_at[row]), problem)
        chunk.calls.append(call)
    return chunk


def _decode_odd(payload: bytes, *, has_nul: bool) -> tuple[Call, Sequence[Problem]]:
    """Decode a call that has roles of its own, or bad values, and say what was wrong with it."""
    if not has_nul:
        with suppress(*UNREADABLE):
            return _ANY_ROLE(payload), ()
    repair = Repair()
    return repair.call(payload.decode("utf-8", "replace")), repair.problems
