"""The messages of transcripts, their word counts, and what they come to per call.

White space is marked in the whole buffer of an Arrow array. A word begins at a byte that is not white space and follows
one that is; the beginnings are counted between the texts' offsets. Python's own split takes ten times as long.
"""

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

_BLOCK = 1 << 19
"""Bytes per block: small enough for the masks to stay in the processor's cache and for their memory to be reused."""

_LAST_ASCII = 0x7F
_TAB, _FILE_SEPARATOR, _IN_A_ROW = np.uint8(9), np.uint8(28), np.uint8(5)
"""ASCII white space is 9 to 13 and 28 to 32: two ranges of five codes."""
_WIDE_SPACES = tuple(
    chr(code).encode() for code in (0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
)
_IS_WIDE_LEAD = np.zeros(256, np.bool_)
_IS_WIDE_LEAD[[encoded[0] for encoded in _WIDE_SPACES]] = True

Bytes = npt.NDArray[np.uint8]
WordCounts = npt.NDArray[np.int64]


def word_counts(texts: pa.StringArray) -> WordCounts:
    """Count the white-space separated words (Unicode) of each text.

    Args:
        texts: An array of strings; a null counts 0.

    Returns:
        One count per text.
    """
    offsets = np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, texts.offset * 4) if len(texts) else None
    if offsets is None or offsets[-1] == offsets[0]:
        return np.zeros(len(texts), np.int64)
    data = np.frombuffer(texts.buffers()[2], np.uint8)
    counts = np.zeros(len(texts), np.int64)
    first = 0
    while first < len(texts):
        last = int(np.searchsorted(offsets, offsets[first] + _BLOCK, side="right")) - 1
        last = min(max(last, first + 1), len(texts))
        begin, end = int(offsets[first]), int(offsets[last])
        counts[first:last] = _count_block(data[begin:end], offsets[first : last + 1] - begin)
        first = last
    return counts


def _count_block(data: Bytes, offsets: npt.NDArray[np.int32]) -> WordCounts:
    """Count the words of one block; `offsets` has one more element than there are texts."""
    if not len(data):
        return np.zeros(len(offsets) - 1, np.int64)
    space = ((data - _TAB) < _IN_A_ROW) | ((data - _FILE_SEPARATOR) < _IN_A_ROW)  # bytes wrap around below 0
    if data.max() > _LAST_ASCII:
        _mark_wide_spaces(data, space)
    begins = ~space
    begins[1:] &= space[:-1]
    starts = offsets[:-1][offsets[:-1] < offsets[1:]]  # a text that does not begin with white space begins a word
    begins[starts] = ~space[starts]
    before = _ones_before(begins, offsets)
    return before[1:] - before[:-1]


def _mark_wide_spaces(data: Bytes, space: npt.NDArray[np.bool_]) -> None:
    """Mark every byte of white-space characters that take two or three bytes in UTF-8."""
    candidates = np.flatnonzero(data > _LAST_ASCII)
    candidates = candidates[_IS_WIDE_LEAD[data[candidates]]]
    for encoded in _WIDE_SPACES:
        here = candidates[data[candidates] == encoded[0]]
        here = here[here + len(encoded) <= len(data)]
        for distance, byte in enumerate(encoded[1:], 1):
            here = here[data[here + distance] == byte]
        for distance in range(len(encoded)):
            space[here + distance] = True


def _ones_before(flags: npt.NDArray[np.bool_], positions: npt.NDArray[np.int32]) -> WordCounts:
    """Count the set flags before each position."""
    packed = np.append(np.packbits(flags), np.uint8(0))
    whole = np.zeros(len(packed) + 1, np.int32)  # a block is small enough
    np.cumsum(np.bitwise_count(packed), out=whole[1:])
    place, rest = positions >> 3, positions & 7
    part = np.bitwise_count(packed[place] & (0xFF00 >> rest).astype(np.uint8))
    counted: WordCounts = whole[place] + part
    return counted


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
        row: The row of its call in the chunk; -1 if it is from another call, where its problems were recorded.
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
