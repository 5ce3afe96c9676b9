"""Scans of an ordered list without an API: the next page, pages that mislead, the head, and the report."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from pipelines.extract.scan.ordered import OrderedScan, Phase, Run, Streak
from pipelines.extract.scan.state import Ending, Order, PageSeen
from pipelines.extract.scan.unordered import UnorderedScan
from pipelines.extract.scan_report import FULL, ScanReport
from tests.support.changing_list import NOON, Reader


@pytest.fixture
def reader() -> Reader:
    """A scan that has read the first two pages of a long list."""
    reading = Reader()
    reading.show(range(100), 1000)
    reading.show(range(90, 190), 1000)
    return reading


def test_a_scan_begins_at_the_head_and_each_page_reaches_back_over_the_last_one(reader):
    assert OrderedScan().offset == 0
    assert (reader.scan.offset, reader.scan.run.end) == (180, 190)


def test_it_steps_by_what_it_got_not_by_what_it_asked_for():
    reading = Reader()
    assert reading.show(range(50)).offset == 40
    assert reading.show(range(40, 90)).offset == 80
    assert reading.show(range(80, 86)).offset == 86  # a short page that brings nothing
    assert reading.show(range(86, 92)).offset < 92


@pytest.mark.parametrize("vanished", [1, 5, 8])
def test_fewer_calls_vanish_than_pages_overlap(reader, vanished):
    after = reader.show(range(180 + vanished, 280 + vanished))
    assert after.accepted
    assert after.offset == 270


def test_the_scan_steps_back_for_calls_that_vanished_before_the_page(reader):
    assert reader.show(range(195, 295)).offset == 90
    assert not reader.scan.accepted
    after = reader.show(range(105, 205))
    assert "190" in after.accepted
    assert after.offset == 180


def test_it_steps_back_further_each_time_until_pages_join():
    reading = Reader(OrderedScan(offset=4990, run=Run(tuple(map(str, range(4990, 5000))), 5000)))
    assert [reading.show(range(start, start + 100)).offset for start in (5500, 5410, 5230)] == [4900, 4720, 4360]


def test_new_calls_at_the_head_only_repeat_what_is_known(reader):
    after = reader.show(range(130, 230))
    assert after.offset == 270
    assert len(after.accepted) == 100


def test_a_burst_larger_than_a_page_leads_forward(reader):
    after = reader.show(range(20, 120))
    assert after.offset == 270
    assert not reader.show(range(110, 130)).ending


def test_if_the_list_grew_by_a_known_number_it_searches_there_first():
    reading = Reader(OrderedScan(offset=180, run=Run(("188", "189"), 190), total=1000))
    assert reading.show(range(60, 160), total=1120).offset == 300


def test_ties_that_swap_do_not_part_pages(reader):
    page = [187, 185, 189, 186, 188, *range(191, 200), 190, *range(200, 280)]
    assert reader.show(page).offset == 180 + len(page) - 10


def test_the_end_is_shown_three_times():
    reading = Reader()
    reading.show(range(100), 150)
    assert reading.show(range(90, 150), 150).offset == 140
    assert reading.show(range(140, 150), 150).offset == 150
    assert reading.show([], 150).offset == 150
    after = reading.show([], 150)
    assert (after.phase, after.offset, after.ending) == (Phase.HEAD, 0, None)
    assert reading.show(range(100), 150).ending is Ending.END


def test_an_empty_page_in_the_middle_is_asked_for_again_and_no_end(reader):
    assert reader.show([]).offset == 180
    assert reader.show(range(180, 280)).offset == 270


def test_it_steps_back_from_an_empty_page_that_stays_with_nothing_behind_it(reader):
    assert [reader.show([]).offset for _ in range(4)] == [180, 180, 280, 90]
    assert reader.show(range(105, 190)).phase is Phase.WALK


def test_nothing_is_read_behind_the_reported_end_of_the_list(reader):
    assert [reader.show([], 250).offset for _ in range(2)] == [180, 90]


def test_calls_behind_an_empty_page_that_stays_are_read_and_the_scan_is_incomplete(reader):
    for _ in range(3):
        reader.show([])
    assert reader.show(range(280, 380)).offset == 370
    assert reader.show(range(370, 400), 400).ending is None
    while reader.scan.ending is None:
        reader.show(range(100) if reader.scan.phase is Phase.HEAD else range(390, 400), 400)
    assert reader.scan.ending is Ending.GAP
    assert not Ending.GAP.complete
    assert not Ending.GAP.proven


def test_a_run_that_is_shown_behind_an_empty_page_has_no_gap(reader):
    for _ in range(3):
        reader.show([])
    assert not reader.show(range(90, 190)).run.gap


def test_an_empty_list_is_complete():
    reading = Reader()
    for _ in range(4):
        reading.show([], 0)
    assert reading.scan.ending is Ending.END


def test_a_list_of_one_call_is_complete():
    reading = Reader()
    for page in ([0], [], [], [0], [], [], [0]):
        assert reading.scan.ending is None
        reading.show(page, 1)
    assert reading.scan.ending is Ending.END


def test_an_api_that_ignores_the_offset_is_detected():
    reading = Reader()
    while reading.scan.ending is None:
        reading.show(range(100), 1000)
    assert reading.scan.ending is Ending.REPEATED
    assert reading.scan.pages < 50


def test_pages_that_repeat_in_a_circle_are_detected():
    reading = Reader()
    while reading.scan.ending is None:
        reading.show(range(100) if reading.scan.pages % 2 else range(200, 300))
    assert reading.scan.ending in {Ending.NOT_JOINED, Ending.REPEATED}
    assert reading.scan.pages < 50


def test_pages_that_never_join_end_the_scan(reader):
    fresh = iter(range(10_000, 100_000, 100))
    while reader.scan.ending is None:
        start = next(fresh)
        reader.show(range(start, start + 100))
    assert reader.scan.ending is Ending.NOT_JOINED
    assert not reader.scan.ending.complete


def test_an_incremental_scan_ends_behind_its_boundary():
    reading = Reader(OrderedScan(until=NOON - timedelta(minutes=150)))
    reading.show(range(100), 1000)
    assert reading.show(range(90, 190), 1000).phase is Phase.WALK  # part of the page is younger
    after = reading.show(range(180, 280), 1000)
    assert (after.phase, after.offset) == (Phase.HEAD, 0)
    assert reading.show(range(100), 1000).ending is Ending.WATERMARK


def test_an_incremental_scan_does_not_stop_in_a_list_that_is_not_newest_first():
    reading = Reader(OrderedScan(until=NOON))
    reading.show(range(1000, 900, -1), 1000)
    assert reading.scan.order is Order.OLDEST
    assert reading.scan.phase is Phase.WALK


def test_a_number_of_pages_limits_a_scan():
    reading = Reader(OrderedScan(max_pages=2))
    assert reading.show(range(100)).ending is None
    after = reading.show(range(90, 190))
    assert after.ending is Ending.LIMITED
    assert not after.ending.complete


@pytest.mark.parametrize(
    ("minutes", "order"),
    [
        (range(50), Order.NEWEST),
        (range(50, 0, -1), Order.OLDEST),
        ([1, 1, 2, 2, 3], Order.NEWEST),
        ([5, 3, 8, 1, 9, 2, 4, 1], Order.NONE),
        ([1, 1, 1], Order.NONE),
        ([], Order.NONE),
    ],
)
def test_the_order_is_observed(minutes, order):
    keys = tuple(map(str, range(len(minutes))))
    times = tuple(NOON - timedelta(minutes=minute) for minute in minutes)
    assert OrderedScan().after(PageSeen(0, keys, frozenset(keys), times)).order is order


def test_totals_are_those_of_the_first_and_the_last_page(reader):
    after = reader.show(range(180, 280), 990)
    assert (after.total_start, after.total) == (1000, 990)


def at_the_head() -> Reader:
    return Reader(OrderedScan(phase=Phase.HEAD, run=Run(("499",)), size=500, falling=400), range(500))


def test_a_quiet_head_ends_the_scan():
    assert at_the_head().show(range(100)).ending is Ending.END


def test_the_head_is_read_until_it_brings_nothing_new():
    reading = at_the_head()
    assert reading.show(range(-3, 97)).offset == 0
    assert reading.scan.ending is None
    assert reading.scan.size == 503
    assert reading.show(range(-5, 95)).ending is None
    assert reading.show(range(-5, 95)).ending is Ending.END


def test_a_head_with_more_than_a_page_of_new_calls_is_read_down_to_the_run():
    reading = at_the_head()
    assert reading.show(range(-130, -30)).offset == 50
    assert not reading.scan.accepted
    assert reading.show(range(-80, 20)).offset == 100
    assert reading.show(range(-30, 70)).offset == 0
    assert len(reading.scan.accepted) == 130
    assert reading.show(range(-130, -30)).ending is Ending.END


def test_a_round_of_the_head_whose_pages_do_not_join_begins_again():
    reading = at_the_head()
    reading.show(range(-300, -200))
    after = reading.show(range(-150, -50))
    assert (after.offset, after.accepted, after.head.keys) == (0, frozenset(), frozenset())


def test_a_head_that_never_rests_ends_after_some_rounds():
    reading = at_the_head()
    for number in range(1, 40):
        if reading.show(range(-number, 100 - number)).ending:
            break
    assert reading.scan.ending is Ending.END
    assert number == 10


def test_a_scan_that_ends_with_its_last_allowed_page_is_complete():
    reading = at_the_head()
    reading.scan = replace(reading.scan, max_pages=1)
    assert reading.show(range(100)).ending is Ending.END


def page(offset, numbers, known=(), total=None, minutes=None) -> PageSeen:
    """A page of a list that is newest first: call 0 is the newest, and each a minute older than the one before."""
    keys = tuple(map(str, numbers))
    times = tuple(NOON - timedelta(minutes=minute) for minute in minutes or numbers)
    return PageSeen(offset, keys, frozenset(keys) - {str(number) for number in known}, times, total)


def walking(**known) -> OrderedScan:
    """Return a scan that has seen calls 0 to 189, in pages of a hundred."""
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


BEGAN = datetime(2026, 3, 4, 12, tzinfo=UTC)


def report(**facts) -> ScanReport:
    given = {"order": Order.NEWEST, "ending": Ending.END, "pages": 12, "calls_seen": 1_100, "calls_new": 1_000}
    return ScanReport(FULL, BEGAN, **{**given, "calls_changed": 5, "seconds": 1.23456, **facts})


def test_the_facts_are_json_values():
    facts = report(requests=13, total_start=1_100, total_end=1_100, changed_days=[date(2026, 3, 4)]).as_dict()
    assert facts == {
        "mode": "full",
        "order": "newest first",
        "ending": "reached the end of the list",
        "complete": True,
        "resumed": False,
        "pages": 12,
        "requests": 13,
        "calls_seen": 1_100,
        "calls_new": 1_000,
        "calls_changed": 5,
        "calls_unchanged": 95,
        "calls_deleted": 0,
        "calls_moved": 0,
        "items_rejected": 0,
        "total_start": 1_100,
        "total_end": 1_100,
        "changed_days": ["2026-03-04"],
        "seconds": 1.235,
    }


def test_the_sentence_names_what_happened_and_how_long_it_took():
    assert report().sentence() == "full scan complete: 12 pages, 1,100 calls seen, 1,000 new, 5 changed (1.2 s)"


def test_the_sentence_names_deletions_and_the_reason_of_an_incomplete_scan():
    sentence = report(ending=Ending.LIMITED, calls_deleted=1, calls_moved=2, items_rejected=3).sentence()
    assert sentence == (
        "full scan limited to a number of pages: 12 pages, 1,100 calls seen, 1,000 new, 5 changed, 1 deleted, "
        "2 moved to another day, 3 rejected (1.2 s)"
    )
