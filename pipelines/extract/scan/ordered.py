"""The decision of a scan: given what the pages showed, what to ask next, or why the scan ended.

The API lists calls by offset, in an order it does not promise, while calls are added and removed. A list that shifts
between two requests hides calls from whoever steps on by the page's length, and nothing in the answers says so. Here a
scan grows a *run*: an unbroken part of the list, from its head to as far as is proven. A page belongs to the run only
if it shows one of the run's last calls; until it does, the scan looks for the place where it does.

Pure: no request is made here, no clock is read, and what is known is in two small values.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from pipelines.extract.scan.state import (
    MOMENT,
    OVERLAP,
    Ending,
    Order,
    OrderedScan,
    PageSeen,
    Phase,
    observe,
    stride_of,
)

MAX_DETOURS = 30
"""Pages in a row that may bring the run no further."""
MAX_ROUNDS = 10
"""How often the head is read again at most; calls that come even later are for the next scan."""
END_SHOWN = 3
"""Pages in a row that have to show the end of the list before it is believed."""
_PROBED = 3
"""Empty pages in a row behind which a look is taken at what lies further on."""
_WITNESSES = 2
"""Of the run's last calls, those that a page has to show."""
_SEEK_FURTHER = 1.25
"""By how much more than its pages suggest a scan seeks back in a list that is oldest first."""


def advance(scan: OrderedScan, shown: PageSeen) -> OrderedScan:
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
    if after.hole and after.ending is not None and after.ending.complete:
        after = replace(after, ending=Ending.HOLE)
    if after.ending is None and after.max_pages is not None and after.pages >= after.max_pages:
        after = replace(after, ending=Ending.LIMITED)
    return replace(after, total=shown.total if shown.total is not None else after.total)


def _seek(scan: OrderedScan, shown: PageSeen) -> OrderedScan:
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
    if max(times) < scan.until:  # all of it: one old call may have come late
        return begin
    apart = max((max(times) - min(times)) / len(times), MOMENT)
    back = int(max((min(times) - scan.until) / apart, 0) * _SEEK_FURTHER) + len(shown.keys)
    return replace(scan, offset=max(shown.offset - back, 0), detours=scan.detours + 1)


def _crowded(scan: OrderedScan, shown: PageSeen) -> bool:
    """Whether the calls of one instant at a page's end leave no room for another on any page."""
    return shown.last_ties + 2 > scan.widest


def _overlap(shown: PageSeen) -> int:
    """By how many items the next page reaches back: over calls of the same instant too, less in short pages."""
    return min(OVERLAP + shown.last_ties - 1, len(shown.keys) // 2)


def _reach(scan: OrderedScan, shown: PageSeen) -> int:
    """The same behind a page that joined: at least to before the calls of its last instant, where pages are so wide."""
    alone = shown.last_ties == 1 or _crowded(scan, shown)
    return _overlap(shown) if alone else max(_overlap(shown), shown.last_ties + 1)


def _joins(scan: OrderedScan, shown: PageSeen) -> bool:
    """Whether a page begins within the run and shows two of its last calls there.

    One alone, or one behind calls that are not of the run, may have moved there. Of the very last call's instant it has
    to show all. At the list's head nothing can be hidden before a page.
    """
    if not scan.tail:
        return True
    if shown.offset == 0:
        return not set(scan.tail).isdisjoint(shown.keys)
    begins = _beginning(scan, shown)
    if len(begins.intersection(scan.tail)) < min(_WITNESSES, len(scan.tail), len(shown.keys)):
        return False
    return not shown.unseen or scan.crowded or scan.edge is None or shown.times[:1] != (scan.edge,)


def _beginning(scan: OrderedScan, shown: PageSeen) -> set[str]:
    """The part of a page that lies within the run.

    Of a run that was resumed the last calls alone are known: they stand behind others of it, and where the list is not
    newest first, new calls do not push them on, so that further on they can only have moved.
    """
    if not scan.blind:
        return set(takewhile(lambda key: key not in shown.unseen, shown.keys))
    pushed = scan.order is Order.NEWEST
    return set(shown.keys if pushed else shown.keys[: max(scan.end - shown.offset, 0)])


def _walk(scan: OrderedScan, shown: PageSeen) -> OrderedScan:
    """One page on the way to the end of the list."""
    keys = set(shown.keys)
    if not keys:
        return _walk_empty(scan, shown.total)
    joins = _joins(scan, shown)
    if not joins and not (scan.empty == _PROBED and shown.unseen):
        return _search(scan, shown)
    end = shown.offset + len(shown.keys)
    ended = shown.keys[-1:] == scan.tail[-1:] and scan.size == shown.total  # whatever is shown behind the end
    last = len(shown.keys) < max(scan.widest, 2) or end == shown.total or ended
    ends_here = last and not shown.unseen and scan.tail[-1] in keys
    joined = replace(
        scan,
        accepted=frozenset(keys),
        size=scan.size + len(shown.unseen),
        tail=(*(key for key in scan.tail if key not in keys), *shown.keys)[-OVERLAP:],
        edge=shown.times[-1] if shown.times else None,
        crowded=_crowded(scan, shown),
        blind=False,
        hole=scan.hole or not joins,
        end=end,
        # Where a page brings nothing, the next one lies behind it: this may be the end of the list.
        offset=max(end - _reach(scan, shown), 0) if shown.unseen else end,
        end_shown=scan.end_shown + 1 if ends_here else 0,
        empty=0,
        detours=0 if shown.unseen else scan.detours + 1,
        steps_back=0,
        joined=scan.joined + 1 if shown.unseen else 0,
    )
    if joined.until and joined.order is Order.NEWEST and max(shown.known_times, default=joined.until) < joined.until:
        return _to_head(joined, Ending.WATERMARK)
    return _at_end(joined)


def _walk_empty(scan: OrderedScan, total: int | None) -> OrderedScan:
    """A page without items shows the end only where the run was just seen to end there; it may be a lapse, or a hole.

    Where items stand behind a page that stays empty, the list goes on there, with a gap that nothing can close.
    """
    scan = replace(scan, joined=0)
    if scan.end_shown or not scan.tail:
        return _at_end(replace(scan, end_shown=scan.end_shown + 1))
    behind = scan.offset + scan.limit
    if scan.empty == _PROBED:
        return _step_back(replace(scan, empty=0), scan.offset - scan.limit)
    if scan.empty and total is not None and total <= behind:
        return _step_back(replace(scan, empty=0), scan.offset)
    return replace(scan, empty=scan.empty + 1, offset=behind if scan.empty + 1 == _PROBED else scan.offset)


def _at_end(scan: OrderedScan) -> OrderedScan:
    """The end is reached once it was shown often enough; in a mixed list, only if nothing lacks in number."""
    if scan.end_shown < END_SHOWN:
        return scan
    if scan.partial:  # what comes later stands at this end
        return replace(scan, ending=Ending.WATERMARK)
    if (scan.order is Order.NONE or not scan.size) and scan.size < (scan.total or 0):
        return replace(scan, ending=Ending.NOT_JOINED)
    return _to_head(scan, Ending.END)


def _search(scan: OrderedScan, shown: PageSeen) -> OrderedScan:
    """A page without any of the run's last calls: look for them where the list has shifted to."""
    scan = replace(scan, end_shown=0, empty=0, joined=0, breaks=scan.breaks + 1)
    if not shown.unseen:  # the list grew before this place
        return replace(scan, offset=shown.offset + len(shown.keys) - _overlap(shown), detours=scan.detours + 1)
    grown = (shown.total or 0) - (scan.total or 0) if scan.total is not None else 0
    if grown >= max(stride_of(len(shown.keys)), 1):  # so many at once would have pushed the run's end off the page
        return replace(scan, offset=shown.offset + grown, detours=scan.detours + 1)
    return _step_back(scan, shown.offset)


def _step_back(scan: OrderedScan, offset: int) -> OrderedScan:
    """Go back in the list, further each time."""
    if offset == 0:
        return replace(scan, ending=Ending.NOT_JOINED)
    step = stride_of(scan.widest or scan.limit) << scan.steps_back
    return replace(
        scan, offset=max(offset - step, 0), end_shown=0, detours=scan.detours + 1, steps_back=scan.steps_back + 1
    )


def _to_head(scan: OrderedScan, goal: Ending) -> OrderedScan:
    """The way is walked; what came in the meantime stands at the head of a list that is newest first."""
    return replace(scan, phase=Phase.HEAD, goal=goal, offset=0, detours=0, empty=0, round=frozenset())


def _head(scan: OrderedScan, shown: PageSeen) -> OrderedScan:
    """One page of a round that leads from the head to the run; a round that brings nothing ends the scan."""
    keys = frozenset(shown.keys)
    if not keys and scan.size and scan.empty + 1 < END_SHOWN:  # it may be a lapse
        return replace(scan, empty=scan.empty + 1)
    scan = replace(scan, empty=0)
    if scan.round and keys and scan.round.isdisjoint(keys):  # calls vanished between two pages of the round
        return replace(_next_round(scan, frozenset()), detours=scan.detours + 1)
    end = shown.offset + len(keys)
    if keys and end != shown.total and not _leads_to_run(scan, shown):
        ahead = end - len(keys) // 2 if shown.unseen - scan.round else end
        return replace(scan, round=scan.round | shown.unseen, offset=ahead)
    brought = scan.round | shown.unseen
    if not brought:
        return replace(scan, ending=scan.goal)
    over = scan.goal if scan.rounds + 1 >= MAX_ROUNDS else None
    return replace(_next_round(scan, accepted=brought), ending=over)


def _leads_to_run(scan: OrderedScan, shown: PageSeen) -> bool:
    """Whether a page ends with calls of the run; fewer may have moved there, above others that did too."""
    count = max(min(OVERLAP, scan.widest // 2), scan.widest // 4, 1)
    return len(shown.keys) >= count and shown.unseen.isdisjoint(shown.keys[-count:])


def _next_round(scan: OrderedScan, accepted: frozenset[str]) -> OrderedScan:
    return replace(
        scan, accepted=accepted, size=scan.size + len(accepted), offset=0, round=frozenset(), rounds=scan.rounds + 1
    )
