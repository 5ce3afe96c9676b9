"""The body of an answer, taken apart into the JSON source of its items without reading the items themselves.

An item is kept as it was sent, byte by byte, so that nothing a reader does not know yet is lost. One item that is not
JSON by the book (NaN, half a surrogate pair, nesting without end) must not cost the other 99 of its page: where the
strict and fast way fails, the brackets alone say where each item ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from pipelines.json_source import UNREADABLE, OutlineError, elements, members

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
        return _split_outline(body.removeprefix(_BYTE_ORDER_MARK))
    return Listing([bytes(item) for item in page.data], _total(page.pagination))


def _split_outline(body: bytes) -> Listing:
    """Take a body apart by its brackets alone."""
    try:
        outline = members(body)
        if "data" not in outline:
            message = "JSON without 'data'"
            raise NotAPageError(message)
        return Listing(elements(outline["data"]), _total(outline.get("pagination", b"null")))
    except OutlineError as error:
        raise NotAPageError(str(error)) from None


def _total(pagination: msgspec.Raw | bytes) -> int | None:
    """The total, where it is a whole number that a list can have."""
    try:
        total: Any = msgspec.json.decode(pagination, type=_Pagination).total
    except UNREADABLE:
        return None
    return total if total is not None and total >= 0 else None
