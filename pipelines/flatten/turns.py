"""Build the table transcript_turns, and count the messages and words of each transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.decode import AnyTurn, Chunk
from pipelines.flatten.issues import UNKNOWN, Problem
from pipelines.flatten.source import JsonPath
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
_UNKNOWN_ROLE = "a role that is in no map; speaker is unknown"
_SPEAKER_WORDS = pa.array([*dict.fromkeys(SPEAKERS.values()), _UNKNOWN_SPEAKER])
_CODES = {word: code for code, word in enumerate(_SPEAKER_WORDS.to_pylist())}

Integers = npt.NDArray[np.int64]


class Transcript(NamedTuple):
    """One transcript.

    Attributes:
        call_id: The call that its messages are listed for.
        leg_id: The leg that its messages are listed for, None for the call's own transcript.
        turns: Its messages.
        row: The row of its call in the chunk; -1 if it is from another call, where its problems were recorded.
        steps: Its path in that call.
    """

    call_id: str
    leg_id: str | None
    turns: Sequence[AnyTurn]
    row: int
    steps: JsonPath


class Counts(NamedTuple):
    """Counts of messages and words, one value per transcript."""

    message_count: Integers
    user_message_count: Integers
    agent_message_count: Integers
    user_word_count: Integers
    agent_word_count: Integers


def turns_table(chunk: Chunk, listed: Sequence[Transcript], unlisted: Sequence[Transcript]) -> tuple[pa.Table, Counts]:
    """Flatten transcripts into messages.

    Args:
        chunk: Collects unknown roles as issues.
        listed: Transcripts whose messages are rows, in the order of the table.
        unlisted: Transcripts that are only counted.

    Returns:
        The rows of transcript_turns, and the counts of all transcripts, the listed ones first.
    """
    transcripts = [*listed, *unlisted]
    lengths = np.fromiter((len(transcript.turns) for transcript in transcripts), np.int64, len(transcripts))
    ends = np.cumsum(lengths)
    starts = ends - lengths
    owners = np.repeat(np.arange(len(transcripts), dtype=np.int32), lengths)
    positions = np.arange(len(owners), dtype=np.int64) - np.repeat(starts, lengths)
    roles = pa.array(
        [turn.role for transcript in transcripts for turn in transcript.turns], pa.dictionary(pa.int32(), pa.string())
    )
    content = pa.array([turn.content for transcript in transcripts for turn in transcript.turns], pa.string())
    codes = _speaker_codes(roles)
    words = word_counts(content)
    _note_unknown(chunk, transcripts, roles, codes, ends)
    counts = _count(codes, words, starts, ends)
    missing = content.is_null().to_numpy(zero_copy_only=False) if content.null_count else None
    columns = {
        "call_id": _repeated([transcript.call_id for transcript in transcripts], owners),
        "leg_id": _repeated([transcript.leg_id for transcript in transcripts], owners),
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
    """Return the id of each message's transcript as a dictionary array.

    Each id is in the dictionary once, also if a call has several transcripts: Parquet keeps a dictionary only if its
    values are unique.
    """
    ids = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(ids.indices.take(pa.array(owners)), ids.dictionary)


def _speaker_codes(roles: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """Return for each message the index of its speaker in _SPEAKER_WORDS."""
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
    transcripts: Sequence[Transcript],
    roles: pa.DictionaryArray,
    codes: npt.NDArray[np.int32],
    ends: Integers,
) -> None:
    """Record an unknown role once per transcript, at its first message."""
    said = roles.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero((codes == _CODES[_UNKNOWN_SPEAKER]) & said)
    seen = set()
    for row, owner in zip(rows.tolist(), np.searchsorted(ends, rows, side="right").tolist(), strict=True):
        transcript = transcripts[owner]
        key = (owner, roles.indices[row].as_py())
        if transcript.row >= 0 and key not in seen:
            seen.add(key)
            position = row - int(ends[owner]) + len(transcript.turns)
            problem = Problem("transcript_turns", "role", (*transcript.steps, position, "role"), UNKNOWN, _UNKNOWN_ROLE)
            chunk.issues.add(chunk.origin(transcript.row), problem)
