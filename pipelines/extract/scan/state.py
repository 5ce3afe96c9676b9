"""The state of a scan: what its pages showed, what it asks next, and how it can end.

A scan grows a *run*: an unbroken part of the list, from its head to as far as is proven.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise, takewhile
from typing import TypeVar


class Ending(StrEnum):
    """Why a scan ended."""

    END = "reached the end of the list"
    WATERMARK = "reached what the last complete scan had seen"
    SETTLED = "read a list without order until that brought nothing new"
    LIMITED = "limited to a number of pages"
    NOT_JOINED = "the pages do not join: the list changes faster than it can be read"
    UNSETTLED = "the list has no stable order, and reading it again and again did not show as many calls as it has"
    HOLE = "a page in the middle of the list stays empty: what stands in that hole could not be read"
    REPEATED = "the API repeats its pages, whatever offset is asked for"
    TOO_MANY_GONE = "more known calls are no longer listed than may be marked deleted unasked"
    HIDDEN = "known calls are no longer listed, and the API counts more calls than it showed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def complete(self) -> bool:
        """Whether everything the scan was for has been seen."""
        return self in {Ending.END, Ending.WATERMARK, Ending.SETTLED}

    @property
    def proven(self) -> bool:
        """Whether that is proven by pages that join, so that less can be read the next time."""
        return self in {Ending.END, Ending.WATERMARK, Ending.TOO_MANY_GONE, Ending.HIDDEN}


class Order(StrEnum):
    """How the API lists calls by their creation, as observed."""

    NEWEST = "newest first"
    OLDEST = "oldest first"
    NONE = "none"


_ORDERED_SHARE = 0.9
_TELLING = 20
"""Neighbours that must have been compared before a list is said to have no order."""


@dataclass(frozen=True)
class PageSeen:
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


def observe(observed: Some, shown: PageSeen) -> Some:
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


OVERLAP = 10
"""Calls by which a page reaches back over the run: what may vanish between two requests and still be noticed by ids."""
MOMENT = timedelta(microseconds=1)


class Phase(StrEnum):
    """What a scan is doing.

    It seeks where in a list that is oldest first the calls of interest begin, walks to the end of the list, and reads
    the head again for what came meanwhile.
    """

    SEEK = "seek"
    WALK = "walk"
    HEAD = "head"


@dataclass(frozen=True)
class OrderedScan(Observed):
    """A scan so far, and what it asks next.

    Attributes:
        offset: What to ask for next.
        ending: Why there is nothing more to ask; None while there is.
        tail: The last keys of the run.
        edge: When the run's last call was created. Calls of the same instant may change places, so a page that begins
            with one of them may hide another; `crowded` says that there are too many of them for one page.
        blind: Whether nothing is known yet of a resumed run but its last calls.
        end: The offset behind the run's last item, when it was shown.
        accepted: What the last page added to the run, which then has `size` keys.
        until: Where calls older than this are of no interest, in a list that has an order.
        partial: Whether the run begins within the list, where calls are younger than that.
        joined: Pages in a row that joined and led on; `breaks` counts those that did not join.
        end_shown: Pages in a row that showed the run's last item as the list's last, or nothing behind it.
        empty: Pages in a row without items, where there should be some; `hole` says that some stayed so.
        goal: How the scan ends once its head is quiet.
        round: In the head: keys shown since offset 0 that do not reach the run yet.
        detours: Pages in a row that brought the run no further; `steps_back` of them went back.
        newest: When the newest call shown was created; `oldest` the same of the oldest.
    """

    offset: int = 0
    limit: int = 100
    until: datetime | None = None
    max_pages: int | None = None
    phase: Phase = Phase.WALK
    ending: Ending | None = None
    goal: Ending = Ending.END
    tail: tuple[str, ...] = ()
    edge: datetime | None = None
    crowded: bool = False
    blind: bool = False
    end: int = 0
    accepted: frozenset[str] = frozenset()
    size: int = 0
    partial: bool = False
    joined: int = 0
    breaks: int = 0
    end_shown: int = 0
    empty: int = 0
    hole: bool = False
    detours: int = 0
    steps_back: int = 0
    rounds: int = 0
    round: frozenset[str] = field(default=frozenset(), repr=False)
    newest: datetime | None = None
    oldest: datetime | None = None

    @property
    def hidden(self) -> int:
        """How many calls the API counts, at the beginning as at the end, beyond those it showed."""
        totals = [total for total in (self.total_start, self.total) if total is not None]
        return max(min(totals, default=0) - self.size, 0)

    def ahead(self, most: int) -> list[int]:
        """Return the offsets asked for next, the first included, as far as they can be foretold.

        As long as pages join, that is one page behind the other. How many are foretold doubles with each that joined.
        """
        if self.phase is not Phase.WALK or not self.joined or self.end_shown:
            return [self.offset]
        stride = stride_of(self.widest)
        end = self._foreseen_end()
        count = min(most, 1 << self.joined)
        more = range(self.offset + stride, self.offset + count * stride, stride)
        return [self.offset, *(offset for offset in more if end is None or offset < end)]

    def _foreseen_end(self) -> int | None:
        """Where the scan will probably end: with the list, or where calls are too old to be of interest."""
        if self.until and self.order is Order.NEWEST and self.newest and self.oldest:
            share = (self.newest - self.until) / max(self.newest - self.oldest, MOMENT)
            return int(self.end * share)
        return self.total


def stride_of(width: int) -> int:
    """From page to page, where pages are so wide."""
    return width - min(OVERLAP, width // 2)
