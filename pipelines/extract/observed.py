"""What the pages of a list show of the list itself: its order, its length and how wide its pages are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise, takewhile
from typing import TypeVar

from pipelines.extract.outcome import Order

_ORDERED_SHARE = 0.9
_TELLING = 20
"""Neighbours that must have been compared before a list is said to have no order."""


@dataclass(frozen=True)
class Shown:
    """What one page showed.

    Attributes:
        offset: The offset asked for.
        keys: What identifies each item, in the page's order.
        unseen: Those that the reading has not accepted yet.
        times: When each was created; None where that is not known.
        total: How many items the API says there are.
    """

    offset: int
    keys: tuple[str, ...]
    unseen: frozenset[str]
    times: tuple[datetime | None, ...] = ()
    total: int | None = None

    @property
    def known_times(self) -> list[datetime]:
        """When the calls were created, where that is known, in the page's order."""
        return [time for time in self.times if time is not None]

    @property
    def last_ties(self) -> int:
        """How many items at the page's end were created at the same instant: 1 where the last one was alone."""
        last = self.times[-1] if self.times else None
        ties = sum(1 for _ in takewhile(lambda time: time == last, reversed(self.times)))
        return 1 if last is None else ties


@dataclass(frozen=True)
class Observed:
    """What the pages of one reading have shown so far.

    Attributes:
        pages: How many there were.
        rising: Neighbours on a page of which the later one was created later.
        falling: Neighbours on a page of which the later one was created earlier.
        widest: The most items that a page had.
        total_start: How many items the API said there are, on the first page.
        total: The same, where it said so last.
    """

    pages: int = 0
    rising: int = 0
    falling: int = 0
    widest: int = 0
    total_start: int | None = None
    total: int | None = None

    @property
    def order(self) -> Order:
        """The order observed so far."""
        changes = self.rising + self.falling
        if changes and self.falling >= _ORDERED_SHARE * changes:
            return Order.NEWEST
        if changes and self.rising >= _ORDERED_SHARE * changes:
            return Order.OLDEST
        return Order.NONE

    @property
    def unordered(self) -> bool:
        """Whether calls came neither newest nor oldest first, so that pages may join by chance."""
        return self.order is Order.NONE and self.rising + self.falling > 0

    @property
    def clearly_unordered(self) -> bool:
        """Whether that is more than the odd pair of calls that changed places."""
        return self.unordered and self.rising + self.falling >= _TELLING


Some = TypeVar("Some", bound=Observed)


def observe(observed: Some, shown: Shown) -> Some:
    """Return what is observed after one more page."""
    pairs = list(pairwise(shown.known_times))
    return replace(
        observed,
        pages=observed.pages + 1,
        rising=observed.rising + sum(one < two for one, two in pairs),
        falling=observed.falling + sum(one > two for one, two in pairs),
        widest=max(observed.widest, len(shown.keys)),
        total_start=shown.total if observed.pages == 0 else observed.total_start,
    )
