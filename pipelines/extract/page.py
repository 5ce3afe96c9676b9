"""The body of an answer, taken apart into the JSON source of its items without reading the items themselves.

An item is kept as it was sent, byte by byte, so that nothing a reader does not know yet is lost. One item that is not
JSON by the book (NaN, half a surrogate pair, nesting without end) must not cost the other 99 of its page: where the
strict and fast way fails, the brackets alone say where each item ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[\[\]{},]', re.DOTALL)
_MEMBER = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*(\S(?:.*\S)?)\s*', re.DOTALL)

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for text that is not JSON by the book or not of the wanted shape."""


class NotAPageError(Exception):
    """A body that is no list of calls; the text says what it is instead."""


@dataclass(frozen=True)
class Listing:
    """What a body lists: each item's JSON source, and the total that the API claims, where it claims one."""

    items: list[bytes]
    total: int | None


class _Body(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination: msgspec.Raw = msgspec.Raw(b"null")


class _Pagination(msgspec.Struct):
    total: int | None = None


def split(body: bytes) -> Listing:
    """Take the body of an answer apart.

    Raises:
        NotAPageError: It is not JSON, not even in its outline, or has no list `data`.
    """
    try:
        page = msgspec.json.decode(body, type=_Body)
    except UNREADABLE:
        outline = members(body.removeprefix(_BYTE_ORDER_MARK))
        if "data" not in outline:
            message = "JSON without 'data'"
            raise NotAPageError(message) from None
        return Listing(elements(outline["data"]), _total(outline.get("pagination", b"null")))
    return Listing([bytes(item) for item in page.data], _total(page.pagination))


def elements(source: bytes) -> list[bytes]:
    """Return the source of each element of a JSON array.

    Raises:
        NotAPageError: The source is no array, or its brackets and quotes do not match.
    """
    return [part.strip() for part in _parts(source.strip(), b"[")]


def members(source: bytes) -> dict[str, bytes]:
    """Return the source of each value of a JSON object by its key; of a key that is there twice the last one.

    Raises:
        NotAPageError: The source is no object, or its brackets and quotes do not match.
    """
    found: dict[str, bytes] = {}
    for part in _parts(source.strip(), b"{"):
        member = _MEMBER.fullmatch(part)
        if member is None:
            message = "an object without keys"
            raise NotAPageError(message)
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
        raise NotAPageError(message)
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
        raise NotAPageError(message)
    last = source[start : match.start()]
    if last.strip() or start > 1:
        yield last


def _total(pagination: msgspec.Raw | bytes) -> int | None:
    """The total, where it is a whole number that a list can have."""
    try:
        total: Any = msgspec.json.decode(pagination, type=_Pagination).total
    except UNREADABLE:
        return None
    return total if total is not None and total >= 0 else None
