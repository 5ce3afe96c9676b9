"""A chunk of a day's calls, decoded: fast where a call is as documented, field by field where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import polars as pl
import pyarrow as pa

from pipelines.flatten.issues import INVALID, Issues, Origin, Problem
from pipelines.flatten.payload import DECODERS, Call
from pipelines.flatten.repair import Repair
from pipelines.flatten.source import Step
from pipelines.flatten.values import Note
from pipelines.json_source import UNREADABLE

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
