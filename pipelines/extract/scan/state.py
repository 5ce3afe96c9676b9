"""The state that every scan of the list has: what its pages showed, what it asks for next, and how it can end."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from itertools import pairwise, takewhile
from typing import Self

import msgspec
from msgspec.structs import replace


class Ending(StrEnum):
    """Why a scan ended."""

    END = "reached the end of the list"
    WATERMARK = "reached what the last complete scan had seen"
    SETTLED = "read a list without order until that brought nothing new"
    LIMITED = "limited to a number of pages"
    NOT_JOINED = "the pages do not join: the list changes faster than it can be read"
    UNSETTLED = "the list has no stable order, and reading it again and again did not show as many calls as it has"
    GAP = "a page in the middle of the list stays empty: what stands in that hole could not be read"
    REPEATED = "the API repeats its pages, whatever offset is asked for"
    DELETION_GUARD = "more known calls are no longer listed than may be marked deleted unasked"
    HIDDEN = "known calls are no longer listed, and the API counts more calls than it showed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def complete(self) -> bool:
        """Whether the scan has seen everything that it was started for."""
        return self in {Ending.END, Ending.WATERMARK, Ending.SETTLED}

    @property
    def proven(self) -> bool:
        """Whether joined pages prove that the scan saw everything, so that the next one can read less."""
        return self in {Ending.END, Ending.WATERMARK, Ending.DELETION_GUARD, Ending.HIDDEN}


class Order(StrEnum):
    """How the API lists calls by the time of their creation, as observed."""

    NEWEST = "newest first"
    OLDEST = "oldest first"
    NONE = "none"


_ORDERED_SHARE = 0.9
"""The share of neighbours that have to agree before a list counts as ordered."""
_MIN_COMPARED = 20
"""Neighbours that have to be compared before a list counts as unordered."""


class PageSeen(msgspec.Struct, frozen=True):
    """What one page showed.

    Attributes:
        keys: The key of each item, in the page's order.
        unseen: The keys that the scan has not accepted yet.
        times: When each call was created; None if that is unknown.
        total: The number of items that the API reports; None if it reports none.
    """

    offset: int
    keys: tuple[str, ...]
    unseen: frozenset[str]
    times: tuple[datetime | None, ...] = ()
    total: int | None = None

    @property
    def known_times(self) -> list[datetime]:
        """The known times of creation, in the page's order."""
        return [time for time in self.times if time is not None]

    @property
    def last_ties(self) -> int:
        """The number of items at the page's end that were created at the same instant; 1 if the last one is alone."""
        last = self.times[-1] if self.times else None
        ties = sum(1 for _ in takewhile(lambda time: time == last, reversed(self.times)))
        return 1 if last is None else ties


class Run(msgspec.Struct, frozen=True):
    """The proven part of the list; empty in an unordered scan, which proves nothing.

    Attributes:
        tail: The last keys of the run.
        end: The offset behind the run's last item, when it was shown.
        edge: When the run's last call was created. Calls of the same instant may change places, so a page that begins
            with one of them may hide another.
        crowded: Whether there are too many calls of that instant for one page.
        only_tail_known: Whether the run was resumed and nothing but its last calls is known yet.
        partial: Whether the run begins within the list, behind calls that are too old to be of interest.
        gap: Whether the run continues behind a page that stayed empty.
    """

    tail: tuple[str, ...] = ()
    end: int = 0
    edge: datetime | None = None
    crowded: bool = False
    only_tail_known: bool = False
    partial: bool = False
    gap: bool = False


class Checkpoint(msgspec.Struct, frozen=True):
    """An unfinished full scan: the proven part of the list, all of which has landed. A new scan starts with nothing.

    Attributes:
        newest: The creation time of the newest call when the scan began.
        head: The keys at the head of the list when the scan began.
        tail: The last keys of the proven part, which ends at the offset `end`.
        edge: When the very last call of the proven part was created.
    """

    started_at: datetime
    newest: datetime | None = None
    head: list[str] = []
    tail: list[str] = []
    end: int = 0
    pages: int = 0
    size: int = 0
    rising: int = 0
    falling: int = 0
    total: int | None = None
    edge: datetime | None = None


class ScanState(msgspec.Struct, frozen=True):
    """One reading of the list: what its pages have shown so far, and what it asks for next.

    Each kind of scan adds `after(page)`, which returns the scan after one more page, and `next_offsets(most)`, which
    returns the next offset and behind it up to `most - 1` offsets that are worth prefetching.

    Attributes:
        offset: The offset of the next page, of which `limit` items are requested.
        max_pages: The number of pages after which the scan ends; None if it has no limit.
        ending: Why the scan ended; None while it runs.
        accepted: The keys that the last page added to the scan, which then has `size` keys.
        pages: The number of pages read.
        rising: Neighbours on a page of which the later one was created later.
        falling: Neighbours on a page of which the later one was created earlier.
        newest: When the newest call shown was created; `oldest` is the same for the oldest one.
        widest: The largest number of items on a page.
        total_start: The number of items that the API reported on the first page; `total` is its last report.
        empty: Pages in a row without items where items were expected.
        chain_breaks: Pages that did not join what was read before.
        run: The proven part of the list.
    """

    offset: int = 0
    limit: int = 100
    max_pages: int | None = None
    ending: Ending | None = None
    accepted: frozenset[str] = frozenset()
    size: int = 0
    pages: int = 0
    rising: int = 0
    falling: int = 0
    newest: datetime | None = None
    oldest: datetime | None = None
    widest: int = 0
    total_start: int | None = None
    total: int | None = None
    empty: int = 0
    chain_breaks: int = 0
    run: Run = Run()

    def take_checkpoint(self, start: Checkpoint) -> Checkpoint | None:
        """Return the state from which a later scan can resume.

        Args:
            start: What was known when this scan began.

        Returns:
            The checkpoint; None if nothing is proven yet, behind a gap, and once the scan is over.
        """
        if not self.run.tail or self.run.gap or self.ending not in {None, Ending.LIMITED}:
            return None
        return replace(
            start,
            tail=list(self.run.tail),
            edge=self.run.edge,
            end=self.run.end,
            pages=start.pages + self.pages,
            size=self.size,
            rising=self.rising,
            falling=self.falling,
            total=self.total,
        )

    @property
    def save_interval(self) -> int | None:
        """Pages after which the scan is saved; None if it is saved only when landing's memory is full."""
        return None

    @property
    def needs_unordered(self) -> bool:
        """Whether only an unordered scan can read this list."""
        return False

    @property
    def proves_deletions(self) -> bool:
        """Whether a known call that the scan did not see is no longer in the list."""
        return self.ending is Ending.END and not self.unordered

    @property
    def hidden(self) -> int:
        """The number of calls that the API counts, at the beginning as at the end, beyond those it showed."""
        totals = [total for total in (self.total_start, self.total) if total is not None]
        return max(min(totals, default=0) - self.size, 0)

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
        """Whether more than an odd pair of calls was out of order."""
        return self.unordered and self.rising + self.falling >= _MIN_COMPARED

    def observe(self, page: PageSeen) -> Self:
        """Return the scan with a page's figures added and no decision made."""
        times = page.known_times
        return replace(
            self,
            accepted=frozenset(),
            pages=self.pages + 1,
            rising=self.rising + sum(one < two for one, two in pairwise(times)),
            falling=self.falling + sum(one > two for one, two in pairwise(times)),
            newest=max((*times, *filter(None, (self.newest,))), default=None),
            oldest=min((*times, *filter(None, (self.oldest,))), default=None),
            widest=max(self.widest, len(page.keys)),
            total_start=page.total if self.pages == 0 else self.total_start,
        )

    def limited(self) -> Self:
        """Return the scan, ended if it has read as many pages as it may."""
        if self.ending is None and self.max_pages is not None and self.pages >= self.max_pages:
            return replace(self, ending=Ending.LIMITED)
        return self
