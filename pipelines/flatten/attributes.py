"""Build the table call_attributes: the free-form objects of calls, one row per top-level key."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.decode import OBJECT_PATHS, Chunk
from pipelines.flatten.issues import INVALID, Problem
from pipelines.flatten.source import members
from pipelines.json_source import UNREADABLE, storable

_SOURCES = pa.array(["context", "extraction", "metadata"])
"""Values of the column source, in the order of OBJECT_PATHS and of the rows."""
_PATHS = tuple(OBJECT_PATHS.values())
_KINDS = pa.array(["number", "string", "boolean", "null", "object", "array"])
_NUMBER, _STRING, _BOOLEAN, _NULL, _OBJECT, _ARRAY = range(len(_KINDS))
_KIND_OF_FIRST_BYTE = np.zeros(
    256, np.int32
)  # by default a number: a digit, a sign, or the first letter of NaN and Infinity
_KIND_OF_FIRST_BYTE[list(b'"tfn{[')] = [_STRING, _BOOLEAN, _BOOLEAN, _NULL, _OBJECT, _ARRAY]
_NOT_STORABLE = "has a NUL or a lone surrogate; replaced by U+FFFD"
_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_lenient = json.JSONDecoder(strict=False)


class _Rows:
    """The keys and values of a chunk's objects in row order, each with the positions of its call and its source."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.keys: list[str] = []
        self.values: list[bytes] = []
        self._sorted_keys: dict[tuple[str, ...], tuple[str, ...]] = {}
        columns = [chunk.objects[column] for column in OBJECT_PATHS]
        objects = [
            (row, source, content)
            for row, contents in enumerate(zip(*columns, strict=True))
            for source, content in enumerate(contents)
            if content is not None and content != b"{}"
        ]
        decoded = zip(objects, _decode([content for _, _, content in objects]), strict=True)
        sizes = np.array([self._add(row, source, fields) for (row, source, _), fields in decoded], np.int64)
        self.calls = np.repeat(np.array([row for row, _, _ in objects], np.int32), sizes)
        self.sources = np.repeat(np.array([source for _, source, _ in objects], np.int32), sizes)

    def _add(self, row: int, source: int, fields: dict[str, msgspec.Raw]) -> int:
        """Add the keys and values of one object; return how many."""
        names = tuple(fields)
        keys = self._sorted_keys.get(names)
        if keys is None:  # objects of one agent mostly have the same keys
            if any(storable(name) != name for name in names):
                return self._add(row, source, self._storable(row, source, fields))
            keys = self._sorted_keys[names] = tuple(sorted(names))
        self.keys += keys
        self.values += [bytes(fields[key]) for key in keys]
        return len(keys)

    def _storable(self, row: int, source: int, fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        """Replace characters in keys that no table can hold; of two keys that become equal the last wins."""
        stored = {}
        for key, value in fields.items():
            if storable(key) != key:
                self._note(row, source, key, f"a key that {_NOT_STORABLE}")
            stored[storable(key)] = value
        return stored

    def note(self, position: int, message: str) -> None:
        """Record a problem with the value at a position."""
        self._note(self.calls[position], self.sources[position], self.keys[position], message)

    def _note(self, row: int, source: int, key: str, message: str) -> None:
        problem = Problem("call_attributes", "value", (*_PATHS[source], key), INVALID, message)
        self.chunk.issues.add(self.chunk.origin(row), problem)


def attributes_table(chunk: Chunk) -> pa.Table:
    """Return the rows of call_attributes for a chunk of calls."""
    rows = _Rows(chunk)
    sources = pa.array(rows.values, pa.binary())
    kinds = _kinds(sources)
    call_ids = pa.array([call.id for call in chunk.calls], pa.string())
    columns = {
        "call_id": pa.DictionaryArray.from_arrays(pa.array(rows.calls), call_ids),
        "source": pa.DictionaryArray.from_arrays(pa.array(rows.sources), _SOURCES),
        "key": pa.array(rows.keys, pa.dictionary(pa.int32(), pa.string())),
        "value": _texts(rows, sources, kinds),
        "value_type": pa.DictionaryArray.from_arrays(pa.array(kinds), _KINDS),
        "value_number": _numbers(rows, sources, kinds),
    }
    names = arrow_schema("call_attributes").names
    return pa.table([columns[name] for name in names], names)


def _decode(sources: list[bytes]) -> Sequence[dict[str, msgspec.Raw]]:
    """Decode all objects at once, or one by one if any of them is not valid JSON."""
    try:
        return _objects.decode(b"[" + b",".join(sources) + b"]")
    except UNREADABLE:
        return [
            {key: msgspec.Raw(value.encode()) for key, value in members(source.decode("utf-8", "replace")).items()}
            for source in sources
        ]


def _kinds(sources: pa.BinaryArray) -> npt.NDArray[np.int32]:
    """Return the type of each value, by its first byte."""
    if not len(sources):
        return np.empty(0, np.int32)
    begins = np.frombuffer(sources.buffers()[1], np.int32, len(sources))
    kinds: npt.NDArray[np.int32] = _KIND_OF_FIRST_BYTE[np.frombuffer(sources.buffers()[2], np.uint8)[begins]]
    return kinds


def _texts(rows: _Rows, sources: pa.BinaryArray, kinds: npt.NDArray[np.int32]) -> pa.StringArray:
    """Return strings without their quotes, null for null, and the JSON of anything else."""
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
    stored = storable(text)
    if stored != text:
        rows.note(position, _NOT_STORABLE)
    return stored.encode()


def _numbers(rows: _Rows, sources: pa.BinaryArray, kinds: npt.NDArray[np.int32]) -> pa.DoubleArray:
    """Return the values that are numbers; a number that is not finite becomes null, with an issue."""
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
