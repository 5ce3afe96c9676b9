"""Writes JSON the way services really send it: any spacing, any escapes, keys twice, numbers that are none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Sent:
    """JSON text that is written exactly so, such as `1.50`, `NaN` or `"\\u0061"`."""

    text: str


@dataclass(frozen=True)
class Twice:
    """The value of a key that is sent two times, with these two values."""

    first: Any
    second: Any


@dataclass(frozen=True)
class Spelling:
    """How the JSON is laid out; none of it changes what it means."""

    comma: str = ","
    colon: str = ":"
    margin: str = ""
    ascii_only: bool = True


SPELLINGS = (
    Spelling(),
    Spelling(comma=", ", colon=": ", ascii_only=False),
    Spelling(comma=" ,\r\n\t", colon=" :\n", margin=" \n"),
)


def to_json(value: Any, spelling: Spelling = SPELLINGS[0]) -> str:
    """Return the JSON text of dicts, lists, text, numbers, Sent and Twice.

    Lone surrogates, which UTF-8 cannot hold, are always written as escapes.
    """
    return f"{spelling.margin}{_text(value, spelling)}{spelling.margin}"


def to_json_bytes(value: Any, spelling: Spelling = SPELLINGS[0]) -> bytes:
    """Return the same in UTF-8, as it comes over the wire."""
    return to_json(value, spelling).encode()


def _text(value: Any, spelling: Spelling) -> str:
    if isinstance(value, Sent):
        return value.text
    if isinstance(value, dict):
        return _enclosed("{", _members(value, spelling), "}", spelling)
    if isinstance(value, list | tuple):
        return _enclosed("[", [_text(element, spelling) for element in value], "]", spelling)
    plain = json.dumps(value, ensure_ascii=spelling.ascii_only)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", plain)


def _members(value: dict[str, Any], spelling: Spelling) -> list[str]:
    return [
        f"{_text(key, spelling)}{spelling.colon}{_text(sent, spelling)}"
        for key, of_key in value.items()
        for sent in ((of_key.first, of_key.second) if isinstance(of_key, Twice) else (of_key,))
    ]


def _enclosed(opening: str, parts: list[str], closing: str, spelling: Spelling) -> str:
    return f"{opening}{spelling.margin}{spelling.comma.join(parts)}{spelling.margin}{closing}"
