"""JSON as it was sent: the source of the values of an object or array, found by brackets and quotes alone.

What lands is kept byte by byte, and what is wrong with it is shown as it was sent. Text that is not JSON by the book
(NaN, half a surrogate pair, nesting without end) must cost no more than the value that it is: whoever meets it takes
its surroundings apart with these functions, which read no value at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[\[\]{},]', re.DOTALL)
_MEMBER = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*(\S(?:.*\S)?)\s*', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for text that is not JSON by the book or not of the wanted shape."""


class OutlineError(ValueError):
    """Text that is no object or array; its words say what it is instead."""


def storable(text: str) -> str:
    """Return a text with what no table can hold, NUL and lone surrogates, replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def elements(source: bytes) -> list[bytes]:
    """Return the source of each element of a JSON array.

    Raises:
        OutlineError: The source is no array, or its brackets and quotes do not match.
    """
    return [part.strip() for part in _parts(source.strip(), b"[")]


def members(source: bytes) -> dict[str, bytes]:
    """Return the source of each value of a JSON object by its key; of a key that is there twice the last one.

    Raises:
        OutlineError: The source is no object, or its brackets and quotes do not match.
    """
    found: dict[str, bytes] = {}
    for part in _parts(source.strip(), b"{"):
        member = _MEMBER.fullmatch(part)
        if member is None:
            message = "an object without keys"
            raise OutlineError(message)
        found[_key(member[1])] = member[2]
    return found


def _key(source: bytes) -> str:
    text = source.decode("utf-8", "replace")
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def _parts(source: bytes, opening: bytes) -> Iterator[bytes]:
    """Cut an array or object at its own commas; those in strings and in deeper brackets are left alone."""
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
        message = "JSON that is cut off or goes on behind its end"
        raise OutlineError(message)
    last = source[start : match.start()]
    if last.strip() or start > 1:
        yield last
