"""Read values from the JSON of a call as they were sent, also from JSON that is not valid.

NaN, lone surrogates and duplicate keys are accepted: Python's own decoder accepts them all.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pipelines import json_source

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_MAX_DIGITS = 400

JsonPath = tuple[str | int, ...]
"""The keys and positions that lead to a value in a call."""


def value_of(source: str) -> Any:
    """Decode a value by Python's lenient rules."""
    return json.loads(source, strict=False, parse_int=_parse_int)


def _parse_int(digits: str) -> float:
    """Return infinity for an integer that is too long: Python refuses to read thousands of digits."""
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def scalar_of(source: str | None) -> Any:
    """Decode a value as `value_of` does, None for a missing one; objects and arrays come empty."""
    if source is None:
        return None
    return {"{": {}, "[": []}[source[0]] if source[0] in "{[" else value_of(source)


def members(source: str) -> dict[str, str]:
    """Return the members of an object as slices of its JSON; the last of a duplicate key wins.

    Raises:
        OutlineError: The source is not an object.
    """
    return {key: value.decode() for key, value in json_source.members(source.encode()).items()}


def elements(source: str) -> list[str]:
    """Return the elements of an array as slices of its JSON.

    Raises:
        OutlineError: The source is not an array.
    """
    return [element.decode() for element in json_source.elements(source.encode())]


def source_at(payload: bytes, path: JsonPath) -> str | None:
    """Return the JSON of the value at a path, None if there is no such value."""
    source = payload
    for step in path:
        try:
            source = _source_of(source, step)
        except (KeyError, IndexError, json_source.OutlineError):
            return None
    return source.decode("utf-8", "replace")


def _source_of(source: bytes, step: str | int) -> bytes:
    try:
        return bytes(_OBJECT.decode(source)[step] if isinstance(step, str) else _ARRAY.decode(source)[step])
    except json_source.UNREADABLE:
        return json_source.members(source)[step] if isinstance(step, str) else json_source.elements(source)[step]


def path_text(path: JsonPath) -> str:
    """Return a path in the usual notation: `$.transferCalls[0].cost`."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
