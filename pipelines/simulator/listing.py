"""How calls are listed: the orders an offset-paged API may show them in, and the plainest source of calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from pipelines.simulator.chance import stream

T = TypeVar("T")


class Order(StrEnum):
    """The orders the simulated API can list calls in; the real one documents none."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SHUFFLED = "shuffled"


class Listing(Protocol):
    """A source of calls that can be paged through."""

    def page(self, order: Order, offset: int, limit: int, *, draw: int) -> tuple[Sequence[bytes], int]:
        """One page.

        Args:
            order: The order to list in.
            offset: Items to skip.
            limit: Items at most.
            draw: Which shuffle this is; only a shuffled listing looks at it, and each draw is another one.

        Returns:
            The items as JSON, and how many there are in all.
        """


def ordered(items: Sequence[T], order: Order, offset: int, limit: int, *, draw: int) -> list[T]:
    """The part of a list, kept oldest first, that a page in that order shows."""
    if order is Order.OLDEST:
        return list(items[offset : offset + limit])
    if order is Order.NEWEST:
        end = max(len(items) - offset, 0)
        return list(reversed(items[max(end - limit, 0) : end]))
    places = list(range(len(items)))
    stream(draw).shuffle(places)
    return [items[place] for place in places[offset : offset + limit]]


def encoded(item: Mapping[str, Any] | bytes) -> bytes:
    """An item as JSON; bytes are taken as they are, and what UTF-8 cannot carry is escaped."""
    if isinstance(item, bytes):
        return item
    try:
        return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(item, separators=(",", ":")).encode()


class _FixedListing:
    """Items in the order they were given, whatever the order asked for (a shuffled one excepted)."""

    def __init__(self, items: Iterable[Mapping[str, Any] | bytes]) -> None:
        self._items = [encoded(item) for item in items]

    def page(self, order: Order, offset: int, limit: int, *, draw: int) -> tuple[Sequence[bytes], int]:
        """See Listing."""
        kept = Order.SHUFFLED if order is Order.SHUFFLED else Order.OLDEST
        return ordered(self._items, kept, offset, limit, draw=draw), len(self._items)


def fixed_listing(items: Iterable[Mapping[str, Any] | bytes]) -> Listing:
    """A listing of exactly these items, in this order."""
    return _FixedListing(items)
