"""Reads JSON and remembers the source text of every value.

Some columns hold a value exactly as it was sent (`1.50`, `{"a" : 1}`), so a reader that only keeps the meaning is not
enough. This one is lenient where services are sloppy: NaN and infinities are numbers, the last of two equal keys wins.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["string", "number", "boolean", "null", "array", "object"]

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity", re.ASCII)
_WORDS = {"true": ("boolean", True), "false": ("boolean", False), "null": ("null", None)}


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON value.

    Attributes:
        kind: The JSON type.
        value: A str for strings, the source text for numbers, a bool, None, a list of nodes or a dict of nodes.
        source: The text of the value as sent, without the white space around it.
    """

    kind: Kind
    value: Any
    source: str


def read_json(text: str) -> Node:
    """Read one JSON document; raises ValueError where the text is none."""
    node, end = _value(text, _skip(text, 0))
    if _skip(text, end) != len(text):
        message = f"text after the JSON value at {end}"
        raise ValueError(message)
    return node


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()


def _value(text: str, start: int) -> tuple[Node, int]:
    first = text[start : start + 1]
    if first == '"':
        value, end = json.decoder.scanstring(text, start + 1, False)
        return Node("string", value, text[start:end]), end
    if first == "{":
        value, end = _object(text, start + 1)
        return Node("object", value, text[start:end]), end
    if first == "[":
        value, end = _array(text, start + 1)
        return Node("array", value, text[start:end]), end
    for word, (kind, value) in _WORDS.items():
        if text.startswith(word, start):
            return Node(kind, value, word), start + len(word)
    number = _NUMBER.match(text, start)
    if not number:
        message = f"no JSON value at {start}"
        raise ValueError(message)
    return Node("number", number.group(), number.group()), number.end()


def _object(text: str, at: int) -> tuple[dict[str, Node], int]:
    members: dict[str, Node] = {}
    at = _skip(text, at)
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        at = _expect(text, at, '"')
        key, at = json.decoder.scanstring(text, at, False)
        at = _expect(text, at, ":")
        members[key], at = _value(text, _skip(text, at))
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return members, at + 1
        at = _expect(text, at, ",")


def _array(text: str, at: int) -> tuple[list[Node], int]:
    elements: list[Node] = []
    at = _skip(text, at)
    if text[at : at + 1] == "]":
        return elements, at + 1
    while True:
        element, at = _value(text, _skip(text, at))
        elements.append(element)
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return elements, at + 1
        at = _expect(text, at, ",")


def _expect(text: str, at: int, mark: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        message = f"expected {mark} at {at}"
        raise ValueError(message)
    return at + 1
