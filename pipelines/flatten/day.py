"""A day of calls, flattened: chunk by chunk, so that memory is bounded by a chunk and not by the day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.attributes import attributes_table
from pipelines.flatten.calls import calls_table
from pipelines.flatten.columns import FlattenSettings
from pipelines.flatten.decode import Chunk, decode_chunk
from pipelines.flatten.issues import Issues, Origin, why_rejected
from pipelines.flatten.leg_index import DayIndex, ResolvedLeg, index_day, resolve_child_calls
from pipelines.flatten.legs import Nested, legs_table, nested_legs
from pipelines.flatten.turns import Counts, Segment, turns_table

_OWN = ("transcript",)
_LANDED = ("call_id", "first_landed_at", "landed_at", "version_count", "deleted_at")

CHUNK = 4_000
"""Calls of a long day that are flattened at a time: about 26 KB of memory each."""
_WHOLE = 2
"""Chunks that a day may have to be flattened at once, which spares decoding it twice."""
_GLANCE = 1_000
"""Calls that are decoded at a time where only their legs are looked at."""

ReadDay = Callable[[int], Iterator[pa.Table]]
"""Reads the newest payloads of a day, so many calls at a time, in the order of call_id."""


def index_calls(read: ReadDay) -> DayIndex:
    """Return what the next day must know of a day's calls."""
    unheard = Issues(keep_personal=False)
    return index_day(decode_chunk(landed, unheard) for landed in read(_GLANCE))


class DayFlattener:
    """Flattens one day of calls.

    Attributes:
        index: What the next day must know of this one.
    """

    def __init__(
        self, read: ReadDay, read_before: Callable[[], DayIndex], rejected: pa.Table, shape: FlattenSettings
    ) -> None:
        """Look at the whole day once.

        Args:
            read: Reads the day; called again where it is long.
            read_before: Indexes the day before; called only where an item of the day may be a leg of one of its calls.
            rejected: Items that arrived on the day and are no calls: call_id, payload, landed_at.
            shape: The settings that shape the tables.
        """
        self._shape = shape
        self._issues = Issues(keep_personal=not shape.mask)
        for item in rejected.to_pylist():
            origin = Origin(item["call_id"], item["payload"].encode(), item["landed_at"])
            self._issues.add_rejected(origin, why_rejected(item["payload"]))
        self.index, self._chunks = _decode_day(read, self._issues)
        self._adopted = resolve_child_calls(self.index, read_before()) if self.index.has_children else []

    def parts(self) -> Iterator[dict[str, pa.Table]]:
        """Flatten the day, once.

        Yields:
            Rows of core tables by the table's name, to be written one after the other. Those of transfer_legs and
            data_issues come all at the end; put together, each table is in its order.
        """
        legs = [arrow_schema("transfer_legs").empty_table()]
        done = 0
        for chunk in self._chunks:
            last = str(chunk.calls[-1].id)
            reached = bisect_right(self._adopted, last, done, key=lambda entry: entry.call_id)
            tables = _flatten_chunk(chunk, self.index, self._adopted[done:reached], self._shape)
            legs.append(tables.pop("transfer_legs"))
            yield tables
            done = reached
            del chunk, tables  # else they would live on while the next chunk is decoded
        if done < len(self._adopted):  # legs of calls that are not of this day, and would come after all of its calls
            tables = _flatten_chunk(_no_calls(self._issues), self.index, self._adopted[done:], self._shape)
            legs.append(tables.pop("transfer_legs"))
            yield tables
        yield {"transfer_legs": pa.concat_tables(legs).sort_by("leg_id"), "data_issues": self._issues.take()}


def _decode_day(read: ReadDay, issues: Issues) -> tuple[DayIndex, Iterable[Chunk]]:
    """Index a day and give its chunks; a day that is not long is one chunk and decoded once, a longer one twice."""
    tables = read(_WHOLE * CHUNK)
    first, second = next(tables, None), next(tables, None)
    if first is None:
        return DayIndex(), []
    if second is None:
        chunk = decode_chunk(first, issues)
        index = index_day([chunk])
        _keep_repeated(index, [chunk])
        return index, [chunk]
    del first, second, tables
    index = index_calls(read)
    if index.missing:
        unheard = Issues(keep_personal=False)
        _keep_repeated(index, (decode_chunk(landed, unheard) for landed in read(_GLANCE)))
    return index, (decode_chunk(landed, issues) for landed in read(CHUNK))


def _keep_repeated(index: DayIndex, chunks: Iterable[Chunk]) -> None:
    """Keep the root calls that a nested leg repeats."""
    if missing := index.missing:
        for chunk in chunks:
            for row, call in enumerate(chunk.calls):
                if call.id in missing:
                    index.add_item(chunk, row)


def _no_calls(issues: Issues) -> Chunk:
    landed = pa.table({name: pa.array([], arrow_schema("calls").field(name).type) for name in _LANDED})
    return Chunk(landed, [], [], issues)


def _flatten_chunk(
    chunk: Chunk, index: DayIndex, adopted: Sequence[ResolvedLeg], shape: FlattenSettings
) -> dict[str, pa.Table]:
    nested = nested_legs(chunk, index)
    legs = legs_table(chunk, nested, [entry for entry in adopted if entry.is_leg], shape)
    listed, unlisted = _segments(chunk, nested, adopted)
    turns, counts = turns_table(chunk, listed, unlisted)
    by_call = _counts_by_call(len(chunk.calls), [*listed, *unlisted], counts)
    return {
        "calls": calls_table(chunk, by_call, legs, shape),
        "transcript_turns": turns,
        "call_attributes": attributes_table(chunk),
        "transfer_legs": legs,
    }


def _segments(
    chunk: Chunk, nested: Sequence[Nested], adopted: Sequence[ResolvedLeg]
) -> tuple[list[Segment], list[Segment]]:
    """Return the transcripts whose messages are listed with this chunk, in order, and those that are only counted."""
    listed: list[Segment] = []
    unlisted: list[Segment] = []
    for row, call in enumerate(chunk.calls):
        if call.transcript is not None:
            segments = listed if call.parent_call_id is None else unlisted
            segments.append(Segment(str(call.id), None, call.transcript, row, _OWN))
    for entry in nested:
        if entry.leg.transcript:
            steps = ("transferCalls", entry.position, "transcript")
            call_id = str(chunk.calls[entry.row].id)
            listed.append(Segment(call_id, entry.leg_id, entry.leg.transcript, entry.row, steps))
    listed += [
        Segment(placed.call_id, placed.leg_id, placed.item.call.transcript, -1, ())
        for placed in adopted
        if placed.lists_turns and placed.item.call.transcript
    ]
    return sorted(listed, key=lambda segment: (segment.call_id, segment.leg_id or "")), unlisted


def _counts_by_call(calls: int, segments: Sequence[Segment], counts: Counts) -> pl.DataFrame:
    """Return what each call's own transcript comes to; null where it has none."""
    own = [place for place, segment in enumerate(segments) if segment.row >= 0 and segment.steps is _OWN]
    rows = np.array([segments[place].row for place in own], np.int64)
    frame = pl.DataFrame(
        {
            "row": rows,
            "message_count": counts.messages[own],
            "user_message_count": counts.user_messages[own],
            "agent_message_count": counts.agent_messages[own],
            "user_word_count": counts.user_words[own],
            "agent_word_count": counts.agent_words[own],
        }
    )
    every = pl.DataFrame({"row": np.arange(calls)})
    return every.join(frame, on="row", how="left", maintain_order="left").drop("row")
