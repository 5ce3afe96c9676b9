"""Scan a list that has an order: given what the pages showed, decide what to ask for next, or why the scan ended.

The API lists calls by offset, in an order it does not promise, while calls are added and removed. A list that shifts
between two requests hides calls from a reader that steps on by the page's length, and nothing in the responses says so.
This scan grows a *run*: an unbroken part of the list, from its head to as far as is proven. A page belongs to the run
only if it shows some of the run's last calls; until it does, the scan searches for the place where it does.

Pure: nothing here makes a request or reads a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile

import msgspec
from msgspec.structs import replace

from pipelines.extract.scan.state import Checkpoint, Ending, Order, PageSeen, Run, ScanState

OVERLAP = 10
"""Calls of the run that the next page repeats: as many may vanish between two requests and still be noticed by ids."""
MAX_DETOURS = 30
"""Pages in a row that may fail to extend the run."""
MAX_ROUNDS = 10
"""How often the head is read again at most; calls that come even later are for the next scan."""
END_SHOWN = 3
"""Pages in a row that have to show the end of the list before it is believed."""
_EMPTY_BEFORE_SKIP = 3
"""Empty pages in a row after which the scan skips to the next page."""
_MIN_WITNESSES = 2
"""Calls of the run's last ones that a page has to show to join."""
_SEEK_MARGIN = 1.25
"""The factor by which a scan seeks back further than its pages suggest, in a list that is oldest first."""
_MIN_SAVE_INTERVAL, _MAX_SAVE_INTERVAL = 5, 100
"""Bounds of the pages between two checkpoints, a fiftieth of the list. As many are read again after a crash."""
_MOMENT = timedelta(microseconds=1)


class Phase(StrEnum):
    """What a scan is doing.

    In a list that is oldest first, it seeks the first call of interest. Then it walks to the end of the list, and
    reads the head again for calls that came meanwhile.
    """

    SEEK = "seek"
    WALK = "walk"
    HEAD = "head"


class Streak(msgspec.Struct, frozen=True):
    """Pages in a row, each counted until a page breaks the series.

    Attributes:
        joined: Pages that joined and extended the run.
        end_shown: Pages that showed the run's last item as the list's last, or nothing behind it.
        detours: Pages that did not extend the run; `steps_back` of them went back in the list.
    """

    joined: int = 0
    end_shown: int = 0
    detours: int = 0
    steps_back: int = 0


class HeadRounds(msgspec.Struct, frozen=True):
    """The rounds that read the head of the list again.

    Attributes:
        goal: How the scan ends once a round brings nothing.
        count: The number of rounds that are over.
        keys: New keys that the present round has shown without reaching the run yet.
    """

    goal: Ending = Ending.END
    count: int = 0
    keys: frozenset[str] = frozenset()


class OrderedScan(ScanState, frozen=True):
    """A scan that joins pages into a run.

    Attributes:
        until: Calls older than this are of no interest, if the list has an order; None if all calls are.
    """

    until: datetime | None = None
    phase: Phase = Phase.WALK
    streak: Streak = Streak()
    head: HeadRounds = HeadRounds()

    @classmethod
    def resume(cls, checkpoint: Checkpoint, max_pages: int | None = None) -> OrderedScan:
        """Return the scan that continues from a checkpoint; it has to find the last calls of that run again."""
        return cls(
            offset=max(checkpoint.end - OVERLAP, 0),
            max_pages=max_pages,
            size=checkpoint.size,
            rising=checkpoint.rising,
            falling=checkpoint.falling,
            total=checkpoint.total,
            run=Run(tuple(checkpoint.tail), checkpoint.end, checkpoint.edge, only_tail_known=True),
        )

    @property
    def save_interval(self) -> int:
        """Pages after which the scan is saved."""
        pages = (self.total or 0) // max(self.widest, 1)
        return min(max(pages // 50, _MIN_SAVE_INTERVAL), _MAX_SAVE_INTERVAL)

    @property
    def needs_unordered(self) -> bool:
        """Whether only an unordered scan can read this list."""
        return self.clearly_unordered

    def next_offsets(self, most: int) -> list[int]:
        """Return offsets one page behind the other while pages join; their number doubles with each that joined."""
        if self.phase is not Phase.WALK or not self.streak.joined or self.streak.end_shown:
            return [self.offset]
        stride = _stride(self.widest)
        end = self._expected_end()
        count = min(most, 1 << self.streak.joined)
        more = range(self.offset + stride, self.offset + count * stride, stride)
        return [self.offset, *(offset for offset in more if end is None or offset < end)]

    def _expected_end(self) -> int | None:
        """Estimate the offset where the scan ends: with the list, or where calls become too old."""
        if self.until and self.order is Order.NEWEST and self.newest and self.oldest:
            share = (self.newest - self.until) / max(self.newest - self.oldest, _MOMENT)
            return int(self.run.end * share)
        return self.total

    def after(self, page: PageSeen) -> OrderedScan:
        """Return the scan after one more page."""
        scan = self.observe(page)
        if scan.phase is Phase.SEEK:
            scan = _seek(scan, page)
        if scan.phase is not Phase.SEEK and scan.offset == page.offset:  # else the sought place has yet to be read
            scan = _walk(scan, page) if scan.phase is Phase.WALK else _read_head(scan, page)
        if scan.ending is None and scan.streak.detours > MAX_DETOURS:
            scan = replace(scan, ending=Ending.NOT_JOINED if page.unseen or not page.keys else Ending.REPEATED)
        if scan.run.gap and scan.ending is not None and scan.ending.complete:
            scan = replace(scan, ending=Ending.GAP)
        scan = scan.limited()
        return scan if page.total is None else replace(scan, total=page.total)


def _stride(width: int) -> int:
    """Return the distance between the offsets of two pages of this width."""
    return width - min(OVERLAP, width // 2)


def _seek(scan: OrderedScan, page: PageSeen) -> OrderedScan:
    """Go back from the end of a list that is oldest first, to before the calls of interest.

    The walk begins with the page that reaches there. If the list is not as it was, all of it is walked.
    """
    times, detours = page.known_times, scan.streak.detours
    further = replace(scan.streak, detours=detours + 1)
    begin = replace(scan, phase=Phase.WALK, streak=Streak(), run=replace(scan.run, partial=page.offset > 0))
    if scan.until is None or not times or scan.order is not Order.OLDEST or detours > MAX_DETOURS:
        return replace(begin, offset=0, run=replace(scan.run, partial=False))
    if page.offset == 0:
        if detours or max(times) >= scan.until or not page.total:
            return begin
        # The newest calls are at the end of the list, which is this long.
        return replace(scan, offset=max(page.total - len(page.keys), 1), streak=further)
    if max(times) < scan.until:  # the newest call, not the oldest: one old call may have come late
        return begin
    interval = max((max(times) - min(times)) / len(times), _MOMENT)
    back = int(max((min(times) - scan.until) / interval, 0) * _SEEK_MARGIN) + len(page.keys)
    return replace(scan, offset=max(page.offset - back, 0), streak=further)


def _is_crowded(scan: OrderedScan, page: PageSeen) -> bool:
    """Return whether the calls of one instant at a page's end leave no room for another on any page."""
    return page.last_ties + 2 > scan.widest


def _overlap(scan: OrderedScan, page: PageSeen, *, joined: bool = False) -> int:
    """Return how many items the next page repeats: calls of the last instant too, fewer of a short page.

    Behind a page that joined, that is one more than the calls of its last instant, if pages are wide enough.
    """
    overlap = min(OVERLAP + page.last_ties - 1, len(page.keys) // 2)
    if joined and page.last_ties > 1 and not _is_crowded(scan, page):
        return max(overlap, page.last_ties + 1)
    return overlap


def _joins(scan: OrderedScan, page: PageSeen) -> bool:
    """Return whether a page begins within the run and shows two of its last calls there.

    One call alone, or one behind calls that are not of the run, may have moved there. The page has to show all calls of
    the very last call's instant. At the list's head nothing can be hidden before a page.
    """
    run = scan.run
    if not run.tail:
        return True
    if page.offset == 0:
        return not set(run.tail).isdisjoint(page.keys)
    if len(_part_in_run(scan, page).intersection(run.tail)) < min(_MIN_WITNESSES, len(run.tail), len(page.keys)):
        return False
    return not page.unseen or run.crowded or run.edge is None or page.times[:1] != (run.edge,)


def _part_in_run(scan: OrderedScan, page: PageSeen) -> set[str]:
    """Return the keys at a page's beginning that lie within the run.

    Of a resumed run only the last calls are known: they come behind others of it, and if the list is not newest first,
    new calls do not push them on, so that further on they can only have moved.
    """
    if not scan.run.only_tail_known:
        return set(takewhile(lambda key: key not in page.unseen, page.keys))
    pushed = scan.order is Order.NEWEST
    return set(page.keys if pushed else page.keys[: max(scan.run.end - page.offset, 0)])


def _walk(scan: OrderedScan, page: PageSeen) -> OrderedScan:
    """Read one page on the way to the end of the list."""
    keys, run, streak = set(page.keys), scan.run, scan.streak
    if not keys:
        return _walk_empty(scan, page.total)
    joins = _joins(scan, page)
    if not joins and not (scan.empty == _EMPTY_BEFORE_SKIP and page.unseen):
        return _search(scan, page)
    end = page.offset + len(page.keys)
    ended = page.keys[-1:] == run.tail[-1:] and scan.size == page.total  # whatever is shown behind the end
    last = len(page.keys) < max(scan.widest, 2) or end == page.total or ended
    ends_here = last and not page.unseen and run.tail[-1] in keys
    joined = replace(
        scan,
        accepted=frozenset(keys),
        size=scan.size + len(page.unseen),
        # Behind a page that brings nothing comes the next one: this may be the end of the list.
        offset=max(end - _overlap(scan, page, joined=True), 0) if page.unseen else end,
        empty=0,
        run=Run(
            tail=(*(key for key in run.tail if key not in keys), *page.keys)[-OVERLAP:],
            end=end,
            edge=page.times[-1] if page.times else None,
            crowded=_is_crowded(scan, page),
            partial=run.partial,
            gap=run.gap or not joins,
        ),
        streak=Streak(
            joined=streak.joined + 1 if page.unseen else 0,
            end_shown=streak.end_shown + 1 if ends_here else 0,
            detours=0 if page.unseen else streak.detours + 1,
        ),
    )
    if joined.until and joined.order is Order.NEWEST and max(page.known_times, default=joined.until) < joined.until:
        return _to_head(joined, Ending.WATERMARK)
    return _at_end(joined)


def _walk_empty(scan: OrderedScan, total: int | None) -> OrderedScan:
    """Read an empty page: the list's end if the run was just seen to end there, else a passing fault or a gap.

    If there are items behind a page that stays empty, the list continues there, with a gap that nothing can close.
    """
    streak = replace(scan.streak, joined=0)
    if streak.end_shown or not scan.run.tail:
        return _at_end(replace(scan, streak=replace(streak, end_shown=streak.end_shown + 1)))
    scan = replace(scan, streak=streak)
    behind = scan.offset + scan.limit
    if scan.empty == _EMPTY_BEFORE_SKIP:
        return _step_back(replace(scan, empty=0), scan.offset - scan.limit)
    if scan.empty and total is not None and total <= behind:
        return _step_back(replace(scan, empty=0), scan.offset)
    is_last_try = scan.empty + 1 == _EMPTY_BEFORE_SKIP
    return replace(scan, empty=scan.empty + 1, offset=behind if is_last_try else scan.offset)


def _at_end(scan: OrderedScan) -> OrderedScan:
    """End the walk once the end was shown often enough; in a mixed list, only if as many calls as counted were seen."""
    if scan.streak.end_shown < END_SHOWN:
        return scan
    if scan.run.partial:  # later calls come to this end
        return replace(scan, ending=Ending.WATERMARK)
    if (scan.order is Order.NONE or not scan.size) and scan.size < (scan.total or 0):
        return replace(scan, ending=Ending.NOT_JOINED)
    return _to_head(scan, Ending.END)


def _search(scan: OrderedScan, page: PageSeen) -> OrderedScan:
    """Search for the run's last calls, of which a page showed none, at the place to which the list has shifted."""
    streak = replace(scan.streak, end_shown=0, joined=0)
    scan = replace(scan, empty=0, streak=streak, chain_breaks=scan.chain_breaks + 1)
    detour = replace(streak, detours=streak.detours + 1)
    if not page.unseen:  # the list grew before this place
        return replace(scan, offset=page.offset + len(page.keys) - _overlap(scan, page), streak=detour)
    grown = (page.total or 0) - (scan.total or 0) if scan.total is not None else 0
    if grown >= max(_stride(len(page.keys)), 1):  # so many new calls at once push the run's end off the page
        return replace(scan, offset=page.offset + grown, streak=detour)
    return _step_back(scan, page.offset)


def _step_back(scan: OrderedScan, offset: int) -> OrderedScan:
    """Go back in the list, further each time."""
    if offset == 0:
        return replace(scan, ending=Ending.NOT_JOINED)
    streak = scan.streak
    step = _stride(scan.widest or scan.limit) << streak.steps_back
    further = replace(streak, end_shown=0, detours=streak.detours + 1, steps_back=streak.steps_back + 1)
    return replace(scan, offset=max(offset - step, 0), streak=further)


def _to_head(scan: OrderedScan, goal: Ending) -> OrderedScan:
    """Start reading the head: in a list that is newest first, calls that came during the walk are there."""
    return replace(scan, phase=Phase.HEAD, offset=0, empty=0, streak=Streak(), head=HeadRounds(goal))


def _read_head(scan: OrderedScan, page: PageSeen) -> OrderedScan:
    """Read one page of a round that leads from the head to the run; a round that brings nothing ends the scan."""
    keys, shown = frozenset(page.keys), scan.head.keys
    if not keys and scan.size and scan.empty + 1 < END_SHOWN:  # it may be a passing fault
        return replace(scan, empty=scan.empty + 1)
    scan = replace(scan, empty=0)
    if shown and keys and shown.isdisjoint(keys):  # calls vanished between two pages of the round
        streak = replace(scan.streak, detours=scan.streak.detours + 1)
        return replace(_next_round(scan, frozenset()), streak=streak)
    end = page.offset + len(keys)
    brought = shown | page.unseen
    if keys and end != page.total and not _reaches_run(scan, page):
        offset = end - len(keys) // 2 if page.unseen - shown else end
        return replace(scan, offset=offset, head=replace(scan.head, keys=brought))
    if not brought:
        return replace(scan, ending=scan.head.goal)
    is_last_round = scan.head.count + 1 >= MAX_ROUNDS
    return replace(_next_round(scan, brought), ending=scan.head.goal if is_last_round else None)


def _reaches_run(scan: OrderedScan, page: PageSeen) -> bool:
    """Return whether a page ends with calls of the run; fewer may have moved there, above others that did too."""
    count = max(min(OVERLAP, scan.widest // 2), scan.widest // 4, 1)
    return len(page.keys) >= count and page.unseen.isdisjoint(page.keys[-count:])


def _next_round(scan: OrderedScan, accepted: frozenset[str]) -> OrderedScan:
    head = HeadRounds(scan.head.goal, scan.head.count + 1)
    return replace(scan, accepted=accepted, size=scan.size + len(accepted), offset=0, head=head)
