"""Flatten a day of calls chunk by chunk, so that memory is bounded by a chunk and not by the day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.attributes import attributes_table
from pipelines.flatten.calls import calls_table
from pipelines.flatten.decode import Chunk, decode_chunk
from pipelines.flatten.issues import Issues, Origin, why_rejected
from pipelines.flatten.leg_index import DayIndex, ResolvedLeg, index_day, resolve_child_calls
from pipelines.flatten.legs import NestedLeg, legs_table, nested_legs
from pipelines.flatten.settings import FlattenSettings
from pipelines.flatten.turns import Counts, Transcript, turns_table

_OWN = ("transcript",)
_LANDED = ("call_id", "first_landed_at", "landed_at", "version_count", "deleted_at")

CHUNK = 4_000
"""Calls per chunk of a long day: about 26 KB of memory each."""
_WHOLE_DAY_CHUNKS = 2
"""Chunks that a day may have to be flattened at once, and so be decoded only once."""
_INDEX_BATCH = 1_000
"""Calls that are decoded at a time for the index alone."""

ReadDay = Callable[[int], Iterator[pa.Table]]
"""Reads the newest payloads of a day in the order of call_id, given the number of calls per table."""


def index_calls(read: ReadDay) -> DayIndex:
    """Index a day's calls for the next day."""
    ignored = Issues(keep_personal=False)
    return index_day(decode_chunk(landed, ignored) for landed in read(_INDEX_BATCH))


class DayFlattener:
    """Flattens one day of calls.

    Attributes:
        index: The index of the day, which the next day needs too.
    """

    def __init__(
        self, read: ReadDay, read_before: Callable[[], DayIndex], rejected: pa.Table, settings: FlattenSettings
    ) -> None:
        """Index the whole day.

        Args:
            read: Reads the day; called again if it is long.
            read_before: Indexes the day before; called only if the day has child calls.
            rejected: Items that landed on the day and are not calls: call_id, payload, landed_at.
            settings: The settings that shape the tables.
        """
        self._settings = settings
        self._issues = Issues(keep_personal=not settings.mask)
        for item in rejected.to_pylist():
            origin = Origin(item["call_id"], item["payload"].encode(), item["landed_at"])
            self._issues.add_rejected(origin, why_rejected(item["payload"]))
        self.index, self._chunks = _decode_day(read, self._issues)
        self._child_calls = resolve_child_calls(self.index, read_before()) if self.index.has_children else []

    def parts(self) -> Iterator[dict[str, pa.Table]]:
        """Flatten the day; call it once.

        Yields:
            Rows of core tables by table name, to be written one after the other. Concatenated, each table is sorted.
            All rows of transfer_legs and data_issues are in the last part.
        """
        legs = [arrow_schema("transfer_legs").empty_table()]
        done = 0
        for chunk in self._chunks:
            last = str(chunk.calls[-1].id)
            reached = bisect_right(self._child_calls, last, done, key=lambda child: child.call_id)
            tables = _flatten_chunk(chunk, self.index, self._child_calls[done:reached], self._settings)
            legs.append(tables.pop("transfer_legs"))
            yield tables
            done = reached
            del chunk, tables  # frees their memory before the next chunk is decoded
        if done < len(self._child_calls):  # their calls are not of this day and come after all of its calls
            tables = _flatten_chunk(_empty_chunk(self._issues), self.index, self._child_calls[done:], self._settings)
            legs.append(tables.pop("transfer_legs"))
            yield tables
        yield {"transfer_legs": pa.concat_tables(legs).sort_by("leg_id"), "data_issues": self._issues.take()}


def _decode_day(read: ReadDay, issues: Issues) -> tuple[DayIndex, Iterable[Chunk]]:
    """Index a day and return its chunks: a short day is one chunk and decoded once, a long one is decoded twice."""
    tables = read(_WHOLE_DAY_CHUNKS * CHUNK)
    first, second = next(tables, None), next(tables, None)
    if first is None:
        return DayIndex(), []
    if second is None:
        chunk = decode_chunk(first, issues)
        index = index_day([chunk])
        _add_repeated_calls(index, [chunk])
        return index, [chunk]
    del first, second, tables
    index = index_calls(read)
    if index.missing:
        ignored = Issues(keep_personal=False)
        _add_repeated_calls(index, (decode_chunk(landed, ignored) for landed in read(_INDEX_BATCH)))
    return index, (decode_chunk(landed, issues) for landed in read(CHUNK))


def _add_repeated_calls(index: DayIndex, chunks: Iterable[Chunk]) -> None:
    """Add the root calls whose id a nested leg repeats to the items of the index."""
    if missing := index.missing:
        for chunk in chunks:
            for row, call in enumerate(chunk.calls):
                if call.id in missing:
                    index.add_item(chunk, row)


def _empty_chunk(issues: Issues) -> Chunk:
    landed = pa.table({name: pa.array([], arrow_schema("calls").field(name).type) for name in _LANDED})
    return Chunk(landed, [], [], issues)


def _flatten_chunk(
    chunk: Chunk, index: DayIndex, children: Sequence[ResolvedLeg], settings: FlattenSettings
) -> dict[str, pa.Table]:
    nested = nested_legs(chunk, index)
    legs = legs_table(chunk, nested, [child for child in children if child.is_leg], settings)
    listed, unlisted = _transcripts(chunk, nested, children)
    turns, counts = turns_table(chunk, listed, unlisted)
    by_call = _counts_by_call(len(chunk.calls), [*listed, *unlisted], counts)
    return {
        "calls": calls_table(chunk, by_call, legs, settings),
        "transcript_turns": turns,
        "call_attributes": attributes_table(chunk),
        "transfer_legs": legs,
    }


def _transcripts(
    chunk: Chunk, nested: Sequence[NestedLeg], children: Sequence[ResolvedLeg]
) -> tuple[list[Transcript], list[Transcript]]:
    """Return the transcripts whose messages are listed with this chunk, sorted, and those that are only counted."""
    listed: list[Transcript] = []
    unlisted: list[Transcript] = []
    for row, call in enumerate(chunk.calls):
        if call.transcript is not None:
            transcripts = listed if call.parent_call_id is None else unlisted
            transcripts.append(Transcript(str(call.id), None, call.transcript, row, _OWN))
    for leg in nested:
        if leg.leg.transcript:
            call_id = str(chunk.calls[leg.row].id)
            listed.append(Transcript(call_id, leg.leg_id, leg.leg.transcript, leg.row, leg.steps("transcript")))
    listed += [
        Transcript(child.call_id, child.leg_id, child.item.call.transcript, -1, ())
        for child in children
        if child.lists_turns and child.item.call.transcript
    ]
    return sorted(listed, key=lambda transcript: (transcript.call_id, transcript.leg_id or "")), unlisted


def _counts_by_call(calls: int, transcripts: Sequence[Transcript], counts: Counts) -> pl.DataFrame:
    """Return the counts of each call's own transcript; null if it has none."""
    own = [at for at, transcript in enumerate(transcripts) if transcript.row >= 0 and transcript.steps is _OWN]
    rows = np.array([transcripts[at].row for at in own], np.int64)
    frame = pl.DataFrame({"row": rows, **{name: values[own] for name, values in counts._asdict().items()}})
    every = pl.DataFrame({"row": np.arange(calls)})
    return every.join(frame, on="row", how="left", maintain_order="left").drop("row")
