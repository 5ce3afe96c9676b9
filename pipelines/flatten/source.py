"""Walking the source text of a call, to keep values as they were sent, also where it is no JSON by the book.

NaN, lone surrogates and repeated keys are taken as they come: Python's own decoder accepts them all.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pipelines import json_source

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_MANY_DIGITS = 400

Step = str | int


def value_of(source: str) -> Any:
    """Decode a value by Python's lenient rules."""
    return json.loads(source, strict=False, parse_int=_whole)


def _whole(digits: str) -> float:
    """A whole number; of one that is larger than any measure, infinity: Python refuses to read thousands of digits."""
    return int(digits) if len(digits) <= _MANY_DIGITS else float(digits)


def scalar_of(source: str) -> Any:
    """Decode a value as `value_of` does; an object or array comes empty, since what is in it is of no use here."""
    return {"{": {}, "[": []}[source[0]] if source[0] in "{[" else value_of(source)


def members(source: str) -> dict[str, str]:
    """Return the members of an object as slices of its source; the last of a repeated key wins."""
    try:
        return {key: value.decode() for key, value in json_source.members(source.encode()).items()}
    except json_source.OutlineError as error:
        message = f"no object: {error}"
        raise ValueError(message) from None


def elements(source: str) -> list[str]:
    """Return the elements of an array as slices of its source."""
    try:
        return [element.decode() for element in json_source.elements(source.encode())]
    except json_source.OutlineError as error:
        message = f"no array: {error}"
        raise ValueError(message) from None


def source_at(payload: bytes, steps: tuple[Step, ...]) -> str | None:
    """Return the source of the value at a path, None where the path leads nowhere."""
    try:
        return _strictly_at(payload, steps)
    except json_source.UNREADABLE:
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
            source = members(source)[step] if isinstance(step, str) else elements(source)[step]
        except (KeyError, IndexError, ValueError):
            return None
    return source


def path_text(steps: tuple[Step, ...]) -> str:
    """Return a path in the usual notation: `$.transferCalls[0].cost`."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
