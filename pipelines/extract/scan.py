"""The decision of a scan: given what the pages showed, what to ask next, or why the scan ended.

The API lists calls by offset, in an order it does not promise, while calls are added and removed. A list that shifts
between two requests hides calls from whoever steps on by the page's length, and nothing in the answers says so. Here a
scan grows a *run*: an unbroken part of the list, from its head to as far as is proven. A page belongs to the run only
if it shows one of the run's last calls; until it does, the scan looks for the place where it does.

Pure: no request is made here, no clock is read, and what is known is in two small values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pipelines.extract.observed import Observed, Shown, observe
from pipelines.extract.outcome import Ending, Order

OVERLAP = 10
"""Calls by which a page reaches back over the run: what may vanish between two requests and still be noticed by ids."""
MAX_DETOURS = 30
"""Pages in a row that may bring the run no further."""
MAX_ROUNDS = 10
"""How often the head is read again at most; calls that come even later are for the next scan."""
_MOMENT = timedelta(microseconds=1)
END_SHOWN = 3
"""Pages in a row that have to show the end of the list before it is believed."""
_SEEK_FURTHER = 1.25
"""By how much more than its pages suggest a scan seeks back in a list that is oldest first."""


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
        end: The offset behind the run's last item, when it was shown.
        accepted: What the last page added to the run, which then has `size` keys.
        until: Where calls older than this are of no interest, in a list that has an order.
        partial: Whether the run begins within the list, where calls are younger than that.
        joined: Pages in a row that joined and led on; `breaks` counts those that did not join.
        end_shown: Pages in a row that showed the run's last item as the list's last, or nothing behind it.
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
    end: int = 0
    accepted: frozenset[str] = frozenset()
    size: int = 0
    partial: bool = False
    joined: int = 0
    breaks: int = 0
    end_shown: int = 0
    empty: int = 0
    detours: int = 0
    steps_back: int = 0
    rounds: int = 0
    round: frozenset[str] = field(default=frozenset(), repr=False)
    newest: datetime | None = None
    oldest: datetime | None = None

    def ahead(self, most: int) -> list[int]:
        """Return the offsets asked for next, the first included, as far as they can be foretold.

        As long as pages join, that is one page behind the other. How many are foretold doubles with each that joined.
        """
        if self.phase is not Phase.WALK or not self.joined or self.end_shown:
            return [self.offset]
        stride = _stride(self.widest)
        end = self._foreseen_end()
        count = min(most, 1 << self.joined)
        more = range(self.offset + stride, self.offset + count * stride, stride)
        return [self.offset, *(offset for offset in more if end is None or offset < end)]

    def _foreseen_end(self) -> int | None:
        """Where the scan will probably end: with the list, or where calls are too old to be of interest."""
        if self.until and self.order is Order.NEWEST and self.newest and self.oldest:
            share = (self.newest - self.until) / max(self.newest - self.oldest, _MOMENT)
            return int(self.end * share)
        return self.total


def advance(scan: Scan, shown: Shown) -> Scan:
    """Return the scan after one more page."""
    seen = replace(
        observe(scan, shown),
        accepted=frozenset(),
        newest=max((*shown.known_times, *filter(None, (scan.newest,))), default=None),
        oldest=min((*shown.known_times, *filter(None, (scan.oldest,))), default=None),
    )
    if seen.phase is Phase.SEEK:
        seen = _seek(seen, shown)
    if seen.phase is Phase.SEEK or seen.offset != shown.offset:
        after = seen
    else:
        after = _walk(seen, shown) if seen.phase is Phase.WALK else _head(seen, shown)
    if after.ending is None and after.detours > MAX_DETOURS:
        after = replace(after, ending=Ending.NOT_JOINED if shown.unseen or not shown.keys else Ending.REPEATED)
    if after.ending is None and after.max_pages is not None and after.pages >= after.max_pages:
        after = replace(after, ending=Ending.LIMITED)
    return replace(after, total=shown.total if shown.total is not None else after.total)


def _seek(scan: Scan, shown: Shown) -> Scan:
    """One page on the way back from the end of a list that is oldest first, to behind the calls of interest.

    The walk begins with the page that reaches there. Where the list is not as it was, all of it is walked.
    """
    times = shown.known_times
    begin = replace(scan, phase=Phase.WALK, detours=0, partial=shown.offset > 0)
    if scan.until is None or not times or scan.order is not Order.OLDEST or scan.detours > MAX_DETOURS:
        return replace(begin, offset=0, partial=False)
    if shown.offset == 0:
        if scan.detours or max(times) >= scan.until or not shown.total:
            return begin
        # So long is the list; its newest calls stand at its end.
        return replace(scan, offset=max(shown.total - len(shown.keys), 1), detours=scan.detours + 1)
    if min(times) < scan.until:
        return begin
    apart = max((max(times) - min(times)) / len(times), _MOMENT)
    back = int((min(times) - scan.until) / apart * _SEEK_FURTHER) + len(shown.keys)
    return replace(scan, offset=max(shown.offset - back, 0), detours=scan.detours + 1)


def _stride(width: int) -> int:
    """From page to page, where pages are so wide."""
    return width - min(OVERLAP, width // 2)


def _overlap(shown: Shown) -> int:
    """By how many items the next page reaches back: over calls of the same instant too, less in short pages."""
    return min(OVERLAP + shown.last_ties - 1, len(shown.keys) // 2)


def _joins(scan: Scan, shown: Shown) -> bool:
    """Whether a page shows one of the run's last calls, and all calls of the same instant as the very last."""
    if scan.tail and set(scan.tail).isdisjoint(shown.keys):
        return False
    sure = not scan.tail or not shown.unseen or scan.crowded or scan.edge is None or shown.offset == 0
    return sure or shown.times[:1] != (scan.edge,)


def _walk(scan: Scan, shown: Shown) -> Scan:
    """One page on the way to the end of the list."""
    keys = set(shown.keys)
    if not keys:
        return _walk_empty(scan)
    if not _joins(scan, shown):
        return _search(scan, shown)
    end = shown.offset + len(shown.keys)
    last = len(shown.keys) < max(scan.widest, 2) or end == shown.total
    ends_here = last and not shown.unseen and scan.tail[-1] in keys
    joined = replace(
        scan,
        accepted=frozenset(keys),
        size=scan.size + len(shown.unseen),
        tail=(*(key for key in scan.tail if key not in keys), *shown.keys)[-OVERLAP:],
        edge=shown.times[-1] if shown.times else None,
        crowded=shown.last_ties > len(keys) // 2,
        end=end,
        # Where a page brings nothing, the next one lies behind it: this may be the end of the list.
        offset=end - _overlap(shown) if shown.unseen else end,
        end_shown=scan.end_shown + 1 if ends_here else 0,
        empty=0,
        detours=0 if shown.unseen else scan.detours + 1,
        steps_back=0,
        joined=scan.joined + 1 if shown.unseen else 0,
    )
    if joined.until and joined.order is Order.NEWEST and max(shown.known_times, default=joined.until) < joined.until:
        return _to_head(joined, Ending.FRONTIER)
    return _at_end(joined)


def _walk_empty(scan: Scan) -> Scan:
    """A page without items shows the end only where the run was just seen to end there; it may be a lapse."""
    scan = replace(scan, joined=0)
    if scan.end_shown or not scan.tail:
        return _at_end(replace(scan, end_shown=scan.end_shown + 1))
    if not scan.empty:
        return replace(scan, empty=1)
    return _step_back(replace(scan, empty=0), scan.offset)


def _at_end(scan: Scan) -> Scan:
    """The end is reached once it was shown often enough; in a mixed list, only if nothing lacks in number."""
    if scan.end_shown < END_SHOWN:
        return scan
    if scan.partial:  # what comes later stands at this end
        return replace(scan, ending=Ending.FRONTIER)
    if scan.unordered and scan.size < (scan.total or 0):
        return replace(scan, ending=Ending.NOT_JOINED)
    return _to_head(scan, Ending.END)


def _search(scan: Scan, shown: Shown) -> Scan:
    """A page without any of the run's last calls: look for them where the list has shifted to."""
    scan = replace(scan, end_shown=0, empty=0, joined=0, breaks=scan.breaks + 1)
    if not shown.unseen:  # the list grew before this place
        return replace(scan, offset=shown.offset + len(shown.keys) - _overlap(shown), detours=scan.detours + 1)
    grown = (shown.total or 0) - (scan.total or 0) if scan.total is not None else 0
    if grown >= len(shown.keys) - OVERLAP:  # so many at once would have pushed the run's end off the page
        return replace(scan, offset=shown.offset + grown, detours=scan.detours + 1)
    return _step_back(scan, shown.offset)


def _step_back(scan: Scan, offset: int) -> Scan:
    """Go back in the list, further each time."""
    if offset == 0:
        return replace(scan, ending=Ending.NOT_JOINED)
    step = _stride(scan.widest or scan.limit) << scan.steps_back
    return replace(
        scan, offset=max(offset - step, 0), end_shown=0, detours=scan.detours + 1, steps_back=scan.steps_back + 1
    )


def _to_head(scan: Scan, goal: Ending) -> Scan:
    """The way is walked; what came in the meantime stands at the head of a list that is newest first."""
    return replace(scan, phase=Phase.HEAD, goal=goal, offset=0, detours=0, round=frozenset())


def _head(scan: Scan, shown: Shown) -> Scan:
    """One page of a round that leads from the head to the run; a round that brings nothing ends the scan."""
    if not shown.unseen and not scan.round:
        return replace(scan, ending=scan.goal)
    keys = frozenset(shown.keys)
    if keys - shown.unseen or not keys:
        over = scan.goal if scan.rounds + 1 >= MAX_ROUNDS else None
        return replace(_next_round(scan, accepted=scan.round | shown.unseen), ending=over)
    if scan.round and not scan.round & keys:  # calls vanished between two pages of the round
        return replace(_next_round(scan, frozenset()), detours=scan.detours + 1)
    return replace(scan, round=scan.round | keys, offset=shown.offset + len(shown.keys) - _overlap(shown))


def _next_round(scan: Scan, accepted: frozenset[str]) -> Scan:
    return replace(
        scan, accepted=accepted, size=scan.size + len(accepted), offset=0, round=frozenset(), rounds=scan.rounds + 1
    )
