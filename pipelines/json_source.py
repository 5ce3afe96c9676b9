"""JSON as it was sent: find the source of an object's or array's values by brackets and quotes alone.

Landed items are kept byte by byte, and a wrong value is shown as it was sent. One value that is not strict JSON (NaN,
half a surrogate pair, nesting without end) must not cost the values around it: these functions split the text without
parsing any value.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[\[\]{},]', re.DOTALL)
_MEMBER = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*(\S(?:.*\S)?)\s*', re.DOTALL)
_LITERAL = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[^\s"\[\]{},:]+', re.DOTALL)
# Within a JSON string a quote is escaped, so this finds keys alone. A blank address counts as none.
_RECORDING = re.compile(
    rb'"recordingUrl"(?<!\\"recordingUrl")\s*:\s*"(?!(?: |\\[tnrf])*")[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL
)
_ANY_RECORDING = b'"recordingUrl":"*"'
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_DEEPEST = 100
"""Levels of nesting that every parser supports; no table shows a deeper value."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for text that is not strict JSON or not of the wanted shape."""


class OutlineError(ValueError):
    """Text that is no object or array; the message says what it is instead."""


def storable(text: str) -> str:
    """Replace what no table can hold, NUL and lone surrogates, by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def payload_hash(item: bytes) -> str:
    """Hash an item as it was sent. Recordings' addresses expire, so only their presence counts."""
    return hashlib.sha256(_RECORDING.sub(_ANY_RECORDING, item)).hexdigest()[:32]


def decode(source: bytes) -> Any:
    """Decode JSON by Python's lenient rules, integers as text; values nested too deep for a parser become null.

    Raises:
        ValueError: It is no JSON.
    """
    text = source.decode("utf-8", "replace")
    try:
        return json.loads(text, strict=False, parse_int=str)
    except RecursionError:
        return json.loads(_shallow(source).decode("utf-8", "replace"), strict=False, parse_int=str)


def elements(source: bytes) -> list[bytes]:
    """Return the source of each element of a JSON array.

    Raises:
        OutlineError: The source is no array, or its brackets and quotes do not match.
    """
    return [part.strip() for part in _parts(source.strip(), b"[")]


def members(source: bytes) -> dict[str, bytes]:
    """Return the source of each value of a JSON object by its key; of a repeated key, the last one.

    Raises:
        OutlineError: The source is no object, or its brackets and quotes do not match.
    """
    return {key: value for key, value, _ in pairs(source)}


def pairs(source: bytes) -> list[tuple[str, bytes, bytes]]:
    """Return the key, the value's source and the whole text of each member of a JSON object, repeated keys included.

    The texts, joined by commas within brackets, are the object again.

    Raises:
        OutlineError: The source is no object, or its brackets and quotes do not match.
    """
    found = []
    for part in _parts(source.strip(), b"{"):
        member = _MEMBER.fullmatch(part)
        if member is None:
            message = "an object without keys"
            raise OutlineError(message)
        found.append((_unquote(member[1]), member[2], part))
    return found


def without_elements(source: bytes, unwanted: Callable[[bytes], bool]) -> bytes:
    """Return a JSON array without the unwanted elements; the others stay as they were.

    Raises:
        OutlineError: The source is no array, or its brackets and quotes do not match.
    """
    return b"[" + b",".join(part for part in _parts(source.strip(), b"[") if not unwanted(part.strip())) + b"]"


def scalar_text(source: bytes) -> str | None:
    """Return a string, or a number or boolean as it is written; None for null, an object or an array."""
    if source[:1] in (b"{", b"[", b"") or source == b"null":
        return None
    return storable(_unquote(source) if source[:1] == b'"' else source.decode("utf-8", "replace"))


def literals(source: bytes) -> Iterator[str]:
    """Yield every string of a text, keys too, and every other literal between its brackets, JSON or not."""
    for match in _LITERAL.finditer(source):
        text = scalar_text(match[0])
        if text is not None:
            yield text


def _unquote(source: bytes) -> str:
    """Return the text of a JSON string, or what is between its quotes if its escapes are wrong."""
    text = source.decode("utf-8", "replace")
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def _shallow(source: bytes) -> bytes:
    """Return the source with null for each object and array that is nested too deep."""
    kept: list[bytes] = []
    depth, start = 0, 0
    for match in _TOKEN.finditer(source):
        if match[0] in b"{[":
            depth += 1
            if depth == _DEEPEST + 1:
                kept += [source[start : match.start()], b"null"]
        elif match[0] in b"]}":
            depth -= 1
            if depth == _DEEPEST:
                start = match.end()
    return b"".join([*kept, source[start:]]) if depth <= _DEEPEST else source[:0]


def _parts(source: bytes, opening: bytes) -> Iterator[bytes]:
    """Split an array or object at its own commas, not at those in strings and in deeper brackets."""
    if source[:1] != opening:
        message = "JSON of another shape" if source[:1] in (b"{", b"[") else "something that is not JSON"
        raise OutlineError(message)
    depth, start = 0, 1
    for match in _TOKEN.finditer(source):
        token = match[0]
        if token in b"{[":
            depth += 1
        elif token in b"]}":
            depth -= 1
            if depth == 0:
                break
        elif token == b"," and depth == 1:
            yield source[start : match.start()]
            start = match.end()
    if depth or match.end() < len(source):
        message = "JSON that is truncated, or followed by more text"
        raise OutlineError(message)
    last = source[start : match.start()]
    if last.strip() or start > 1:
        yield last
