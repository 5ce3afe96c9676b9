"""The free-form objects of calls, one row for each key at their top."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.decode import Chunk
from pipelines.flatten.issues import INVALID, Problem
from pipelines.flatten.source import Step, members
from pipelines.json_source import UNREADABLE, storable

_SOURCES: tuple[tuple[str, str, tuple[Step, ...]], ...] = (
    ("context", "context_variables", ("contextVariables",)),
    ("extraction", "extractions", ("analysis", "extractions")),
    ("metadata", "metadata", ("metadata",)),
)
"""The word in column source, in the order of rows, the column of calls and the way to the object."""
_KINDS = pa.array(["number", "string", "boolean", "null", "object", "array"])
_NUMBER, _STRING, _BOOLEAN, _NULL, _OBJECT, _ARRAY = range(len(_KINDS))
_KIND_OF_FIRST_BYTE = np.zeros(256, np.int32)  # a digit, a sign, or the first letter of NaN and Infinity: a number
_KIND_OF_FIRST_BYTE[list(b'"tfn{[')] = [_STRING, _BOOLEAN, _BOOLEAN, _NULL, _OBJECT, _ARRAY]
_UNREADABLE = "has a NUL or a lone surrogate; replaced by U+FFFD"
_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_lenient = json.JSONDecoder(strict=False)


class _Rows:
    """The keys and values of a chunk's objects in the order of rows, each with the call and the object it is of."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.keys: list[str] = []
        self.values: list[bytes] = []
        self._in_order: dict[tuple[str, ...], tuple[str, ...]] = {}
        columns = [chunk.objects[column] for _, column, _ in _SOURCES]
        found = [
            (row, place, source)
            for row, sources in enumerate(zip(*columns, strict=True))
            for place, source in enumerate(sources)
            if source is not None and source != b"{}"
        ]
        split = zip(found, _decode([source for _, _, source in found]), strict=True)
        sizes = np.array([self._add(row, place, fields) for (row, place, _), fields in split], np.int64)
        self.calls = np.repeat(np.array([row for row, _, _ in found], np.int32), sizes)
        self.places = np.repeat(np.array([place for _, place, _ in found], np.int32), sizes)

    def _add(self, row: int, place: int, fields: dict[str, msgspec.Raw]) -> int:
        """Take one object's keys and values; returns how many."""
        names = tuple(fields)
        keys = self._in_order.get(names)
        if keys is None:  # objects of one agent have the same keys over and over
            if any(storable(name) != name for name in names):
                return self._add(row, place, self._readable(row, place, fields))
            keys = self._in_order[names] = tuple(sorted(names))
        self.keys += keys
        self.values += [bytes(fields[key]) for key in keys]
        return len(keys)

    def _readable(self, row: int, place: int, fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        """Mend keys that no reader takes; of two that are then alike the last wins."""
        whole = {}
        for key, value in fields.items():
            if storable(key) != key:
                self._note(row, place, key, f"a key that {_UNREADABLE}")
            whole[storable(key)] = value
        return whole

    def note(self, position: int, message: str) -> None:
        """Note a problem with the value at a position."""
        self._note(self.calls[position], self.places[position], self.keys[position], message)

    def _note(self, row: int, place: int, key: str, message: str) -> None:
        problem = Problem("call_attributes", "value", (*_SOURCES[place][2], key), INVALID, message)
        self.chunk.issues.add(self.chunk.origin(row), problem)


def attributes_table(chunk: Chunk) -> pa.Table:
    """Return the rows of call_attributes for a chunk of calls."""
    rows = _Rows(chunk)
    sources = pa.array(rows.values, pa.binary())
    kinds = _kinds(sources)
    call_ids = pa.array([call.id for call in chunk.calls], pa.string())
    words = pa.array([word for word, _, _ in _SOURCES])
    columns = {
        "call_id": pa.DictionaryArray.from_arrays(pa.array(rows.calls), call_ids),
        "source": pa.DictionaryArray.from_arrays(pa.array(rows.places), words),
        "key": pa.array(rows.keys, pa.dictionary(pa.int32(), pa.string())),
        "value": _texts(rows, sources, kinds),
        "value_type": pa.DictionaryArray.from_arrays(pa.array(kinds), _KINDS),
        "value_number": _numbers(rows, sources, kinds),
    }
    names = arrow_schema("call_attributes").names
    return pa.table([columns[name] for name in names], names)


def _decode(sources: list[bytes]) -> Sequence[dict[str, msgspec.Raw]]:
    """Split all objects at once; where one of them is no JSON by the book, each for itself."""
    try:
        return _objects.decode(b"[" + b",".join(sources) + b"]")
    except UNREADABLE:
        return [
            {key: msgspec.Raw(value.encode()) for key, value in members(source.decode("utf-8", "replace")).items()}
            for source in sources
        ]


def _kinds(sources: pa.BinaryArray) -> npt.NDArray[np.int32]:
    """Tell what each value is by its first byte."""
    if not len(sources):
        return np.empty(0, np.int32)
    begins = np.frombuffer(sources.buffers()[1], np.int32, len(sources))
    kinds: npt.NDArray[np.int32] = _KIND_OF_FIRST_BYTE[np.frombuffer(sources.buffers()[2], np.uint8)[begins]]
    return kinds


def _texts(rows: _Rows, sources: pa.BinaryArray, kinds: npt.NDArray[np.int32]) -> pa.StringArray:
    """Return strings without their quotes, null for null, and the source of all else."""
    is_string = pa.array(kinds == _STRING)
    bare = pc.if_else(is_string, pc.binary_slice(sources, 1, -1), sources)
    texts = pc.if_else(pa.array(kinds == _NULL), pa.scalar(None, pa.binary()), bare)
    escaped = pc.and_(is_string, pc.match_substring(sources, "\\"))
    positions = np.flatnonzero(escaped.to_numpy(zero_copy_only=False)).tolist()
    if positions:
        unescaped = [_unescape(rows, position) for position in positions]
        texts = pc.replace_with_mask(texts, escaped, pa.array(unescaped, pa.binary()))
    return texts.cast(pa.string())


def _unescape(rows: _Rows, position: int) -> bytes:
    text = _lenient.decode(rows.values[position].decode("utf-8", "surrogatepass"))
    whole = storable(text)
    if whole != text:
        rows.note(position, _UNREADABLE)
    return whole.encode()


def _numbers(rows: _Rows, sources: pa.BinaryArray, kinds: npt.NDArray[np.int32]) -> pa.DoubleArray:
    """Return the values that are numbers; one that is not finite becomes null, noted."""
    nothing = pa.scalar(None, pa.float64())
    digits = pc.if_else(pa.array(kinds == _NUMBER), sources, pa.scalar(None, pa.binary())).cast(pa.string())
    try:
        numbers = digits.cast(pa.float64())
    except pa.ArrowInvalid:
        numbers = pa.array([None if text is None else float(text) for text in digits.to_pylist()], pa.float64())
    finite = pc.is_finite(numbers)
    for position in np.flatnonzero(pc.fill_null(pc.invert(finite), fill_value=False).to_numpy(zero_copy_only=False)):
        rows.note(int(position), "not finite; value_number left out")
    return pc.if_else(finite, numbers, nothing)
