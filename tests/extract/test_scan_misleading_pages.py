"""Pages that look as if they joined, or as if they were the end, and do not: each was found by the simulated scans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from pipelines.extract.scan.ordered import OrderedScan, Phase, Run, Streak
from pipelines.extract.scan.state import Ending, PageSeen
from pipelines.extract.scan.unordered import UnorderedScan

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def page(offset, numbers, known=(), total=None, minutes=None) -> PageSeen:
    """A page of a list that is newest first: call 0 is the newest, and each a minute older than the one before."""
    keys = tuple(map(str, numbers))
    times = tuple(NOON - timedelta(minutes=minute) for minute in minutes or numbers)
    return PageSeen(offset, keys, frozenset(keys) - {str(number) for number in known}, times, total)


def walking(**known) -> OrderedScan:
    """A scan that has seen calls 0 to 189, in pages of a hundred."""
    run = Run(tuple(map(str, range(180, 190))), 190, NOON - timedelta(minutes=189))
    return OrderedScan(**{"offset": 180, "size": 190, "widest": 100, "falling": 180, "run": run, **known})


def test_a_call_of_the_run_that_moved_on_joins_no_page():
    moved = [*range(300, 340), 185, *range(340, 399)]
    assert not walking().after(page(180, moved, range(190), 1000)).accepted
    alone = [185, *range(300, 399)]
    assert not walking().after(page(180, alone, range(190), 1000)).accepted


def test_calls_of_one_instant_at_the_end_of_a_short_page_do_not_crowd_a_wide_one():
    shown = page(180, range(185, 193), range(190), 1000, minutes=[*range(185, 190), 190, 190, 190])
    after = walking().after(shown)
    assert not after.run.crowded
    assert after.offset < 188 - 3


def test_narrow_pages_do_not_send_a_scan_before_the_beginning():
    run = Run(("188", "189"), 2, NOON - timedelta(minutes=189))
    scan = walking(offset=1, widest=2, run=run, total=1000)
    assert scan.after(page(1, [300, 301], range(190), 995)).offset >= 0


def test_a_list_that_says_it_has_calls_and_shows_none_is_not_complete():
    scan = OrderedScan()
    while scan.ending is None:
        scan = scan.after(page(scan.offset, [], total=500))
    assert not scan.ending.complete


def test_an_empty_and_a_short_page_are_no_quiet_head():
    scan = walking(phase=Phase.HEAD, offset=0)
    for _ in range(2):
        scan = scan.after(page(0, [], total=1000))
        assert scan.ending is None
    scan = scan.after(page(0, range(8), range(190), 1000))
    assert scan.ending is None
    assert scan.after(page(scan.offset, range(100), range(190), 1000)).ending is Ending.END


def test_known_calls_that_moved_to_the_head_do_not_hide_others_below():
    scan = walking(phase=Phase.HEAD, offset=0)
    shown = [150, 151, 500, 152, *range(501, 597)]  # the first ones have moved, and so have calls never seen
    after = scan.after(page(0, shown, range(190), 1000))
    assert after.offset == 50
    assert not after.accepted


def test_an_old_call_at_the_end_of_a_list_that_is_oldest_first_does_not_begin_the_walk():
    until = NOON - timedelta(minutes=400)
    scan = OrderedScan(until=until, phase=Phase.SEEK, rising=99, streak=Streak(detours=1), offset=900, widest=100)
    numbers = [*range(300, 202, -1), 900]
    after = scan.after(page(900, numbers, (), 999))
    assert after.phase is Phase.SEEK
    assert after.offset < 900


def test_a_resumed_run_is_found_behind_calls_of_it_that_are_not_known():
    scan = walking()
    scan = replace(scan, run=replace(scan.run, only_tail_known=True))
    after = scan.after(page(180, range(120, 220), range(180, 190), 1000))
    assert after.accepted
    assert not after.run.only_tail_known


def test_numbers_say_less_where_calls_came_and_went():
    scan = UnorderedScan()
    for total in (9, 10, 9):
        known = range(10) if scan.size else ()
        scan = scan.after(page(0, range(10), known, total))
    assert (scan.grew, scan.shrank) == (True, True)
    quiet = 0
    while scan.ending is None:
        quiet += scan.offset == 0
        scan = scan.after(page(scan.offset, [] if scan.offset else range(10), range(10), 9))
    assert scan.ending is Ending.SETTLED
    assert quiet >= 8
