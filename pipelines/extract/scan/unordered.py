"""Scan a list that has no order: read it from beginning to end, again and again, until that brings nothing new.

Where each request may find other neighbours, pages cannot be joined, and no single pass proves anything. The best
evidence there can be is passes that bring nothing new and as many calls as the API counts. That is not proof enough to
mark calls deleted, nor to read less the next time.
"""

from __future__ import annotations

from msgspec.structs import replace

from pipelines.extract.scan.state import Ending, PageSeen, ScanState

MAX_PASSES = 40
"""If a list is shuffled for each request, every pass misses a third of what is left: 25 passes find all of millions."""
QUIET_PASSES = 2
"""Passes in a row that have to bring nothing new."""
_MAX_QUIET_PASSES = 10
"""Such passes after which the scan stops looking for calls that the API counts but does not show."""
_MAX_EMPTY = 2
"""Empty pages in a row that do not end a pass, where items are expected: the second one is skipped."""
_MAX_PAGES_BEYOND = 30
"""Pages behind the known end that may still show items."""


class UnorderedScan(ScanState, frozen=True):
    """Passes over a list so far, and what to ask for next.

    Attributes:
        pass_number: The number of the present pass, from 1.
        new_in_pass: New keys in the present pass.
        quiet_passes: Passes in a row that brought no new key.
        grew: Whether the API ever reported more calls than before; `shrank` is the same for fewer.
    """

    pass_number: int = 1
    new_in_pass: int = 0
    quiet_passes: int = 0
    grew: bool = False
    shrank: bool = False

    def next_offsets(self, most: int) -> list[int]:
        """Return the offsets of the next pages, up to the end of the list."""
        width, end = self.widest, self.total or 0
        more = range(self.offset + width, end, width) if width and not self.empty else ()
        return [self.offset, *more][:most]

    def after(self, page: PageSeen) -> UnorderedScan:
        """Return the scan after one more page."""
        total = self.total if page.total is None else page.total
        change = 0 if total is None or self.total is None else total - self.total
        scan = replace(
            self.observe(page),
            grew=self.grew or change > 0,
            shrank=self.shrank or change < 0,
            accepted=frozenset(page.keys),
            size=self.size + len(page.unseen),
            new_in_pass=self.new_in_pass + len(page.unseen),
            total=total,
        )
        return _decide(scan, page).limited()


def _decide(scan: UnorderedScan, page: PageSeen) -> UnorderedScan:
    total = scan.total or 0
    if page.keys:
        if page.offset > max(total, scan.size) + _MAX_PAGES_BEYOND * scan.widest and not page.unseen:
            return replace(scan, ending=Ending.REPEATED)
        if not page.unseen and page.offset >= scan.size == scan.total:  # whatever is shown behind the end
            return _next_pass(scan)
        return replace(scan, offset=page.offset + len(page.keys), empty=0)
    if page.offset < total and scan.empty < _MAX_EMPTY:  # it may be a passing fault, or a gap
        return replace(scan, offset=scan.offset + scan.limit * scan.empty, empty=scan.empty + 1)
    return _next_pass(scan)


def _next_pass(scan: UnorderedScan) -> UnorderedScan:
    quiet = 0 if scan.new_in_pass else scan.quiet_passes + 1
    after = replace(scan, offset=0, pass_number=scan.pass_number + 1, new_in_pass=0, quiet_passes=quiet, empty=0)
    totals = (scan.total_start, scan.total)
    # Where calls came and others went, the number of those that were seen says less.
    enough = _MAX_QUIET_PASSES if scan.grew and scan.shrank else QUIET_PASSES
    if quiet >= enough and all(total is not None and scan.size >= total for total in totals):
        return replace(after, ending=Ending.SETTLED)
    is_over = quiet == _MAX_QUIET_PASSES or scan.pass_number == MAX_PASSES
    return replace(after, ending=Ending.UNSETTLED) if is_over else after
