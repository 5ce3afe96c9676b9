"""The messages of transcripts, and what they come to per call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.decode import Chunk
from pipelines.flatten.issues import UNKNOWN, Problem
from pipelines.flatten.payload import AnyTurn
from pipelines.flatten.source import Step
from pipelines.flatten.words import word_counts

SPEAKERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("user", "customer", "caller", "human"), "customer"),
        **dict.fromkeys(("agent", "assistant", "bot", "ai"), "agent"),
        "system": "system",
        **dict.fromkeys(("tool", "function"), "tool"),
    }
)
_UNKNOWN_SPEAKER = "unknown"
_STRANGE_ROLE = "a role that is in no map; speaker is unknown"
_SPEAKER_WORDS = pa.array([*dict.fromkeys(SPEAKERS.values()), _UNKNOWN_SPEAKER])
_CODES = {word: code for code, word in enumerate(_SPEAKER_WORDS.to_pylist())}

Integers = npt.NDArray[np.int64]


class Segment(NamedTuple):
    """One transcript.

    Attributes:
        call_id: The call it is listed under.
        leg_id: The leg it is listed under, None for the call's own.
        turns: Its messages.
        row: The call of the chunk that brought it, -1 where it came from elsewhere and was looked at there.
        steps: The way to the transcript within that call.
    """

    call_id: str
    leg_id: str | None
    turns: Sequence[AnyTurn]
    row: int
    steps: tuple[Step, ...]


class Counts(NamedTuple):
    """What transcripts come to, one value for each segment."""

    messages: Integers
    user_messages: Integers
    agent_messages: Integers
    user_words: Integers
    agent_words: Integers


def turns_table(chunk: Chunk, listed: Sequence[Segment], unlisted: Sequence[Segment]) -> tuple[pa.Table, Counts]:
    """Flatten transcripts into messages.

    Args:
        chunk: Where unknown roles are noted.
        listed: Transcripts whose messages are rows, in the order of the table.
        unlisted: Transcripts that are only counted.

    Returns:
        The rows of transcript_turns, and the counts of all segments, the listed ones first.
    """
    segments = [*listed, *unlisted]
    lengths = np.fromiter((len(segment.turns) for segment in segments), np.int64, len(segments))
    ends = np.cumsum(lengths)
    starts = ends - lengths
    owners = np.repeat(np.arange(len(segments), dtype=np.int32), lengths)
    positions = np.arange(len(owners), dtype=np.int64) - np.repeat(starts, lengths)
    roles = pa.array(
        [turn.role for segment in segments for turn in segment.turns], pa.dictionary(pa.int32(), pa.string())
    )
    content = pa.array([turn.content for segment in segments for turn in segment.turns], pa.string())
    codes = _speaker_codes(roles)
    words = word_counts(content)
    _note_unknown(chunk, segments, roles, codes, ends)
    counts = _count(codes, words, starts, ends)
    missing = content.is_null().to_numpy(zero_copy_only=False) if content.null_count else None
    columns = {
        "call_id": _repeated([segment.call_id for segment in segments], owners),
        "leg_id": _repeated([segment.leg_id for segment in segments], owners),
        "turn_index": pa.array(positions),
        "role": roles,
        "speaker": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), _SPEAKER_WORDS),
        "content": content,
        "word_count": pa.array(words, mask=missing),
        "char_count": pc.utf8_length(content).cast(pa.int64()),
    }
    table = pa.table([columns[name] for name in arrow_schema("transcript_turns").names], list(columns))
    return table.slice(0, int(ends[len(listed) - 1]) if listed else 0), counts


def _repeated(values: list[str] | list[str | None], owners: npt.NDArray[np.int32]) -> pa.DictionaryArray:
    """Give every message the id of its segment, as places in a dictionary of ids.

    Each id is there once, also where a call has a transcript of its own and legs with theirs: Parquet keeps a
    dictionary only if no value comes twice.
    """
    ids = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(ids.indices.take(pa.array(owners)), ids.dictionary)


def _speaker_codes(roles: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """Return the place in _SPEAKER_WORDS for each message."""
    unknown = _CODES[_UNKNOWN_SPEAKER]
    by_role = [_CODES[SPEAKERS.get(role.lower(), _UNKNOWN_SPEAKER)] for role in roles.dictionary.to_pylist()]
    places = pc.fill_null(roles.indices, len(by_role)).to_numpy(zero_copy_only=False)
    codes: npt.NDArray[np.int32] = np.array([*by_role, unknown], np.int32)[places]
    return codes


def _count(codes: npt.NDArray[np.int32], words: Integers, starts: Integers, ends: Integers) -> Counts:
    def between(values: npt.NDArray[np.bool_] | Integers) -> Integers:
        before = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
        total: Integers = before[ends] - before[starts]
        return total

    user, agent = codes == _CODES["customer"], codes == _CODES["agent"]
    return Counts(ends - starts, between(user), between(agent), between(words * user), between(words * agent))


def _note_unknown(
    chunk: Chunk,
    segments: Sequence[Segment],
    roles: pa.DictionaryArray,
    codes: npt.NDArray[np.int32],
    ends: Integers,
) -> None:
    """Note a role that is in no map once for each transcript, where it stands first."""
    said = roles.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero((codes == _CODES[_UNKNOWN_SPEAKER]) & said)
    seen = set()
    for row, owner in zip(rows.tolist(), np.searchsorted(ends, rows, side="right").tolist(), strict=True):
        segment = segments[owner]
        key = (owner, roles.indices[row].as_py())
        if segment.row >= 0 and key not in seen:
            seen.add(key)
            position = row - int(ends[owner]) + len(segment.turns)
            problem = Problem("transcript_turns", "role", (*segment.steps, position, "role"), UNKNOWN, _STRANGE_ROLE)
            chunk.issues.add(chunk.origin(segment.row), problem)
