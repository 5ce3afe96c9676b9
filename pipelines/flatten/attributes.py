"""The free-form objects of calls, one row for each key at their top."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.decode import Chunk
from pipelines.flatten.issues import INVALID, Problem
from pipelines.flatten.payload import Call, object_source
from pipelines.flatten.source import Step, members, mended

_SOURCES = (
    ("context", ("contextVariables",)),
    ("extraction", ("analysis", "extractions")),
    ("metadata", ("metadata",)),
)
"""The word in column source, in the order of rows, and the way to the object."""
_TYPES = {b'"': "string", b"t": "boolean", b"f": "boolean", b"n": "null", b"{": "object", b"[": "array"}
_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class _Value(NamedTuple):
    text: str | None
    kind: str
    number: float | None
    problem: str | None


def attributes_table(chunk: Chunk) -> pa.Table:
    """Return the rows of call_attributes for a chunk of calls."""
    owners: list[int] = []
    places: list[int] = []
    sources: list[bytes] = []
    for row, call in enumerate(chunk.calls):
        for place, source in enumerate(_object_sources(call)):
            if source is not None and source != b"{}":
                owners.append(row)
                places.append(place)
                sources.append(source)
    rows: list[tuple[str, str, str, str | None, str, float | None]] = []
    for row, place, fields in zip(owners, places, _decode(sources), strict=True):
        call_id, (word, steps) = str(chunk.calls[row].id), _SOURCES[place]
        for key, value in _readable(chunk, row, steps, fields):
            read = _read(value)
            if read.problem:
                _note(chunk, row, (*steps, key), read.problem)
            rows.append((call_id, word, key, read.text, read.kind, read.number))
    columns: Sequence[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [()] * 6
    schema = arrow_schema("call_attributes")
    return pa.table([pa.array(values, part.type) for values, part in zip(columns, schema, strict=True)], schema)


def _object_sources(call: Call) -> tuple[bytes | None, bytes | None, bytes | None]:
    extractions = object_source(call.analysis.extractions) if call.analysis else None
    return object_source(call.context_variables), extractions, object_source(call.metadata)


def _decode(sources: list[bytes]) -> Sequence[dict[str, msgspec.Raw]]:
    """Split all objects at once; where one of them is no JSON by the book, each for itself."""
    try:
        return _objects.decode(b"[" + b",".join(sources) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [
            {key: msgspec.Raw(value.encode()) for key, value in members(source.decode("utf-8", "replace")).items()}
            for source in sources
        ]


def _readable(
    chunk: Chunk, row: int, steps: tuple[Step, ...], fields: dict[str, msgspec.Raw]
) -> Iterator[tuple[str, bytes]]:
    """Return keys and values in the order of rows; keys that no reader takes are mended."""
    whole: dict[str, bytes] = {}
    for key, value in fields.items():
        readable = key if key.isprintable() else mended(key)
        if readable != key:
            _note(chunk, row, (*steps, key), "a key with a NUL or a lone surrogate; replaced by U+FFFD")
        whole[readable] = bytes(value)
    yield from sorted(whole.items())


def _read(source: bytes) -> _Value:
    kind = _TYPES.get(source[:1], "number")
    if kind == "string":
        if b"\\" not in source:
            return _Value(source[1:-1].decode("utf-8", "replace"), kind, None, None)
        text = json.loads(source, strict=False)
        whole = mended(text)
        return _Value(whole, kind, None, None if whole == text else "has a NUL or a lone surrogate; replaced by U+FFFD")
    text = source.decode("utf-8", "replace")
    if kind == "null":
        return _Value(None, kind, None, None)
    if kind != "number":
        return _Value(text, kind, None, None)
    number = float(text)
    if number - number != 0:  # infinite, or no number
        return _Value(text, kind, None, "not finite; value_number left out")
    return _Value(text, kind, number, None)


def _note(chunk: Chunk, row: int, steps: tuple[Step, ...], message: str) -> None:
    chunk.issues.add(chunk.origin(row), Problem("call_attributes", "value", steps, INVALID, message))
