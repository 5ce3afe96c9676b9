"""Walking the source text of a call, to keep values as they were sent, also where it is no JSON by the book.

NaN, lone surrogates and repeated keys are taken as they come: Python's own decoder accepts them all, and its positions
give each value's slice of the source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\r\n]*")
_BROKEN = re.compile("[\x00\ud800-\udfff]")

Step = str | int


def value_of(source: str) -> Any:
    """Decode a value by Python's lenient rules."""
    return _DECODER.decode(source)


def members(source: str) -> dict[str, str]:
    """Return the members of an object as slices of its source; the last of a repeated key wins."""
    found: dict[str, str] = {}
    position = _skip(source, 0)
    if source[position] != "{":
        message = "no object"
        raise ValueError(message)
    position = _skip(source, position + 1)
    while source[position] != "}":
        key, position = _DECODER.raw_decode(source, position)
        start = _skip(source, _skip(source, position) + 1)
        _, end = _DECODER.raw_decode(source, start)
        found[key] = source[start:end]
        position = _next(source, end)
    return found


def elements(source: str) -> Iterator[str]:
    """Return the elements of an array as slices of its source."""
    position = _skip(source, 0)
    if source[position] != "[":
        message = "no array"
        raise ValueError(message)
    position = _skip(source, position + 1)
    while source[position] != "]":
        _, end = _DECODER.raw_decode(source, position)
        yield source[position:end]
        position = _next(source, end)


def source_at(payload: bytes, steps: tuple[Step, ...]) -> str | None:
    """Return the source of the value at a path, None where the path leads nowhere."""
    try:
        return _strictly_at(payload, steps)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _leniently_at(payload.decode("utf-8", "replace"), steps)


def _strictly_at(payload: bytes, steps: tuple[Step, ...]) -> str | None:
    source: bytes | msgspec.Raw = payload
    for step in steps:
        try:
            source = _OBJECT.decode(source)[step] if isinstance(step, str) else _ARRAY.decode(source)[step]
        except (KeyError, IndexError):
            return None
    return bytes(source).decode("utf-8", "replace")


def _leniently_at(source: str, steps: tuple[Step, ...]) -> str | None:
    for step in steps:
        try:
            source = members(source)[step] if isinstance(step, str) else list(elements(source))[step]
        except (KeyError, IndexError, ValueError):
            return None
    return source


def path_text(steps: tuple[Step, ...]) -> str:
    """Return a path in the usual notation: `$.transferCalls[0].cost`."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def mended(text: str) -> str:
    """Return a text with U+FFFD in the place of NUL and of each lone surrogate, which no Parquet reader takes."""
    return _BROKEN.sub("\ufffd", text)


def _skip(source: str, position: int) -> int:
    match = _SPACE.match(source, position)
    return match.end() if match else position


def _next(source: str, end: int) -> int:
    """Step over the comma behind a value, if there is one."""
    position = _skip(source, end)
    return _skip(source, position + 1) if source[position] == "," else position
