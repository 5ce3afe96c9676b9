"""The last part of a scan: the head of the list is read until it brings nothing new."""

from __future__ import annotations

from msgspec.structs import replace

from pipelines.extract.scan.ordered import OrderedScan, Phase, Run
from pipelines.extract.scan.state import Ending
from tests.support.changing_list import Reader


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
