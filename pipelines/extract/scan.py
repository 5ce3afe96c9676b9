"""What is known of a scan under way, and what it asks next; `advance.py` decides how it goes on.

A scan grows a *run*: an unbroken part of the list, from its head to as far as is proven.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pipelines.extract.observed import Observed
from pipelines.extract.outcome import Ending, Order

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
class Scan(Observed):
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
