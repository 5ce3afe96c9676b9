"""The decision of a scan, page by page, without an API: what is asked next, and why a scan ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.extract.scan.ordered import OrderedScan, Phase, Run
from pipelines.extract.scan.state import Ending, Order, PageSeen
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
