"""Lists that move while they are read: whatever comes, goes or changes places meanwhile, no call is skipped."""

from __future__ import annotations

import pytest

from pipelines.simulator.faults import parse_faults
from tests.support.extraction import landed_ids, listed_ids, synced
from tests.support.simulated import simulated_api, small_world

pytestmark = pytest.mark.matrix(quick=1)

QUIET = 9
"""Requests for the list where nothing moves: six pages, its end twice more, and its head."""


def scanned(storage, faults, *, order="newest", calls=450, **options):
    """A first sync of a world that moves: what it said, what landed, and what the world listed before and after."""
    world = small_world(calls=calls, days=3)
    before = set(listed_ids(world))
    with simulated_api(world, order=order, faults=parse_faults(faults)) as api:
        report = synced(storage, api, **options)
    after = set(listed_ids(world))
    assert report.complete
    landed = landed_ids(storage)
    assert len(landed) == len(set(landed))  # nothing landed twice
    assert (before & after) <= set(landed)  # nothing skipped
    return report, set(landed), before, after


@pytest.mark.parametrize("workers", [1, 8])
def test_01_fewer_calls_than_a_page_that_come_at_the_head_are_read_at_the_end(storage, workers):
    report, landed, before, after = scanned(storage, "insertions:every=2:count=3:times=4", workers=workers)
    assert landed == after
    assert report.calls_new == report.calls_seen == report.total_end == len(before) + 12


@pytest.mark.parametrize("count", [101, 230])
def test_02_a_burst_larger_than_a_page_leads_on_and_not_back(storage, count):
    report, landed, before, after = scanned(storage, f"insertions:every=3:count={count}:times=1")
    assert landed == after
    assert len(after) == len(before) + count
    assert report.requests <= QUIET + 3 * (1 + count // 50)


@pytest.mark.parametrize(("count", "workers"), [(1, 1), (9, 8), (10, 1), (101, 1), (101, 8)])
def test_03_calls_that_vanish_before_the_place_of_reading_hide_no_other(storage, count, workers):
    report, landed, before, after = scanned(
        storage, f"deletions:every=4:count={count}:times=2:after=1", calls=700, workers=workers
    )
    assert after <= landed
    assert len(after) == len(before) - 2 * count
    assert report.requests <= 40


def test_04_calls_that_come_at_the_end_are_followed(storage):
    report, landed, before, after = scanned(storage, "insertions:every=2:count=30:times=4", order="oldest")
    assert landed == after
    assert report.total_end == len(after) == len(before) + 120


@pytest.mark.parametrize("workers", [1, 8])
def test_05_as_many_that_come_as_go_are_noticed_although_the_total_stays(storage, workers):
    report, landed, before, after = scanned(
        storage, "insertions:every=2:count=15:times=4,deletions:every=2:count=15:times=4", workers=workers
    )
    assert after <= landed
    assert report.total_start == report.total_end == len(before) == len(after)
    assert before != after


@pytest.mark.parametrize(("first", "then"), [("newest", "oldest"), ("oldest", "newest")])
@pytest.mark.parametrize("pages", [2, 5])
def test_06_a_list_that_reverses_its_order_is_read_again(storage, first, then, pages):
    _, landed, _, after = scanned(storage, f"order:form={then}:after={pages}", order=first)
    assert landed == after


def test_08_calls_of_the_same_minute_may_swap_places(storage):
    report, landed, _, after = scanned(storage, "order:form=ties")
    assert landed == after
    assert report.requests <= 2 * QUIET
