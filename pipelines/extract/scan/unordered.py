"""Reading a list that has no order: from beginning to end, again and again, until that brings nothing new.

Where each request may find other neighbours, pages cannot be joined, and no single reading proves anything. Readings
that bring nothing new any more, and as many calls as the API says there are, are the best that can be had; that is not
proof enough to mark calls deleted, nor to read less the next time.

Pure, like `advance.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.extract.scan.state import Ending, Observed, PageSeen, observe

MAX_PASSES = 40
"""Of a list that is shuffled for each request, every pass misses a third of what is left: 25 find all of millions."""
QUIET_PASSES = 2
"""Passes in a row that have to bring nothing new."""
_VAIN = 10
"""Such passes after which calls that the API counts but does not show are no longer looked for, or none is expected."""
_LAPSES = 2
"""Empty pages in a row that are no end yet, where there should be items: of the second one, those behind it."""
_BEYOND = 30
"""Pages behind the known end that may go on showing items."""


@dataclass(frozen=True)
class UnorderedScan(Observed):
    """Passes over a list so far, and what is asked next.

    Attributes:
        offset: What to ask for next.
        ending: Why there is nothing more to ask; None while there is.
        accepted: What the last page added; there are `size` different keys by now.
        number: Of the present pass.
        brought: New keys in the present pass.
        quiet: Passes in a row that brought none.
        empty: How many of the last pages were empty where they should not be.
        grew: Whether the API ever said that there are more calls than before; `fell` is the same for fewer.
    """

    offset: int = 0
    limit: int = 100
    max_pages: int | None = None
    ending: Ending | None = None
    accepted: frozenset[str] = frozenset()
    size: int = 0
    number: int = 1
    brought: int = 0
    quiet: int = 0
    empty: int = 0
    grew: bool = False
    fell: bool = False

    def ahead(self, most: int) -> list[int]:
        """Return the offsets asked for next, the first included, as far as they can be foretold."""
        width, end = self.widest, self.total or 0
        more = range(self.offset + width, end, width) if width and not self.empty else ()
        return [self.offset, *more][:most]


def advance_unordered(passes: UnorderedScan, shown: PageSeen) -> UnorderedScan:
    """Return the passes after one more page."""
    difference = (shown.total or 0) - (passes.total or 0) if None not in {shown.total, passes.total} else 0
    after = replace(
        observe(passes, shown),
        grew=passes.grew or difference > 0,
        fell=passes.fell or difference < 0,
        accepted=frozenset(shown.keys),
        size=passes.size + len(shown.unseen),
        brought=passes.brought + len(shown.unseen),
        total=shown.total if shown.total is not None else passes.total,
    )
    after = _on(after, shown)
    if after.ending is None and after.max_pages is not None and after.pages >= after.max_pages:
        return replace(after, ending=Ending.LIMITED)
    return after


def _on(passes: UnorderedScan, shown: PageSeen) -> UnorderedScan:
    if shown.keys:
        beyond = max(passes.total or 0, passes.size) + _BEYOND * passes.widest
        if shown.offset > beyond and not shown.unseen:
            return replace(passes, ending=Ending.REPEATED)
        if not shown.unseen and shown.offset >= passes.size == passes.total:  # whatever is shown behind the end
            return _next_pass(passes)
        return replace(passes, offset=shown.offset + len(shown.keys), empty=0)
    if shown.offset < (passes.total or 0) and passes.empty < _LAPSES:  # it may be a lapse, or a hole
        return replace(passes, offset=passes.offset + passes.limit * passes.empty, empty=passes.empty + 1)
    return _next_pass(passes)


def _next_pass(passes: UnorderedScan) -> UnorderedScan:
    quiet = 0 if passes.brought else passes.quiet + 1
    after = replace(passes, offset=0, number=passes.number + 1, brought=0, quiet=quiet, empty=0)
    totals = (passes.total_start, passes.total)
    # Where calls came and others went, the number of those that were seen says less.
    enough = _VAIN if passes.grew and passes.fell else QUIET_PASSES
    if quiet >= enough and all(total is not None and passes.size >= total for total in totals):
        return replace(after, ending=Ending.SETTLED)
    return replace(after, ending=Ending.UNSETTLED) if quiet == _VAIN or passes.number == MAX_PASSES else after
