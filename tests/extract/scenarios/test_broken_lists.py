"""Lists with wrong pages or totals, or that move while they are read: no call is skipped, or the sync is incomplete."""

from __future__ import annotations

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.scan.state import Ending
from pipelines.simulator.faults import parse_faults
from tests.support.extraction import landed_ids, last_scan, listed_ids, synced
from tests.support.simulated import simulated_api, small_world

pytestmark = pytest.mark.matrix(quick=1)

WORLD = small_world(calls=450, days=3)
IDS = listed_ids(WORLD)
QUIET = 9
"""Requests for the list where nothing is wrong: six pages, its end twice more, and its head."""


def scanned(storage, faults, **options):
    with simulated_api(WORLD, faults=parse_faults(faults)) as api:
        report = synced(storage, api, **options)
    assert report.complete
    assert landed_ids(storage) == IDS
    return report


def refused(storage, faults, words, **options):
    """Run a sync that has to end incomplete, saying so in these words; returns the record of its scan."""
    with (
        simulated_api(WORLD, faults=parse_faults(faults)) as api,
        pytest.raises(ChorusCallsError, match=rf"^The sync is incomplete: [^\n]*{words}[^\n]*$") as failed,
    ):
        synced(storage, api, **options)
    assert failed.value.exit_code == 1
    scan = last_scan(storage)
    assert not scan["complete"]
    return scan


@pytest.mark.parametrize("workers", [1, 8])
def test_07_a_list_in_another_order_for_each_request_is_read_until_nothing_is_missing(storage, workers):
    report = scanned(storage, "order:form=shuffled", workers=workers)
    assert report.ending is Ending.SETTLED


@pytest.mark.slow
@pytest.mark.parametrize("form", ["large", "null"])
def test_07_where_the_number_of_calls_does_not_prove_it_such_a_list_is_incomplete(storage, form):
    scan = refused(storage, f"total:form={form},order:form=shuffled", "no stable order")
    assert scan["pages"] < 200


@pytest.mark.parametrize("limit", [50, 7])
def test_09_an_api_that_gives_less_than_was_asked_for_is_followed_at_its_pace(storage, limit):
    report = scanned(storage, f"clamp:limit={limit}")
    assert report.requests <= len(IDS) // (limit - min(10, limit // 2)) + 10


def test_10_calls_beyond_what_was_asked_for_are_kept(storage):
    assert scanned(storage, "more:count=20").requests <= QUIET


@pytest.mark.parametrize("form", ["null", "text", "negative", "fraction", "missing", "no_pagination"])
def test_11_a_total_that_is_none_is_done_without(storage, form):
    report = scanned(storage, f"total:form={form}")
    assert (report.total_start, report.total_end) == (None, None)
    assert report.requests <= QUIET + 2


@pytest.mark.parametrize(
    ("form", "said"), [("small", len(IDS) // 2), ("large", len(IDS) * 2 + 100), ("zero", 0), ("changing", None)]
)
def test_12_a_total_that_is_not_true_neither_ends_the_list_nor_prolongs_it(storage, form, said):
    report = scanned(storage, f"total:form={form}")
    assert report.requests <= QUIET + 3
    assert report.calls_seen == len(IDS)
    assert report.total_end == said or said is None


@pytest.mark.slow
@pytest.mark.parametrize("form", ["small", "large", "zero"])
def test_12_the_sync_says_that_the_total_is_not_true(program, serve, form):
    serve(WORLD, faults=parse_faults(f"total:form={form}"))
    code, out, err = program("sync", "--no-build")
    assert code == 0
    assert "full scan complete" in out
    (line,) = [line for line in err.splitlines() if line.startswith("Warning")]
    assert f"showed {len(IDS)} " in line


@pytest.mark.slow
@pytest.mark.parametrize("faults", ["", "insertions:every=2:count=3", "deletions:every=2:count=3"])
def test_12_of_a_total_that_is_true_nothing_is_said(program, serve, faults):
    serve(small_world(calls=250, days=2), faults=parse_faults(faults))
    code, _, err = program("sync", "--no-build")
    assert code == 0
    assert "Warning" not in err


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("faults", ["empty_page:every=1:after=3:times=1", "empty_page:every=3"])
def test_13_an_empty_page_once_is_no_end(storage, faults, workers):
    assert scanned(storage, faults, workers=workers).requests <= 3 * QUIET


@pytest.mark.parametrize("place", [120, 350])
def test_13_a_hole_that_stays_costs_what_is_in_it_and_the_sync_says_so(storage, place):
    scan = refused(storage, f"empty_page:every=1:place={place}", "hole")
    assert scan["requests"] <= 2 * QUIET
    missing = set(IDS) - set(landed_ids(storage))
    assert 0 < len(missing) <= 100
    with simulated_api(WORLD) as api:
        assert synced(storage, api).complete
    assert landed_ids(storage) == IDS


@pytest.mark.parametrize(("missing", "workers"), [(7, 1), (60, 8), (99, 1)])
def test_14_a_short_page_in_the_middle_hides_nothing(storage, missing, workers):
    assert scanned(storage, f"short_page:every=3:missing={missing}", workers=workers).requests <= 3 * QUIET


def test_15_the_last_page_again_and_again_is_no_loss(storage):
    assert scanned(storage, "repeat_last").requests <= QUIET + 2


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 8])
def test_15_an_api_that_ignores_the_offset_is_found_out(storage, workers):
    scan = refused(storage, "ignore_offset", "repeats its pages", workers=workers)
    assert scan["requests"] <= 120
    assert len(landed_ids(storage)) == 100


def test_15_one_that_does_so_where_there_is_only_one_page_loses_nothing(storage):
    world = small_world(calls=60, days=1)
    with simulated_api(world, faults=parse_faults("ignore_offset")) as api:
        assert synced(storage, api).complete
    assert landed_ids(storage) == listed_ids(world)


@pytest.mark.slow
def test_16_pages_that_go_in_circles_are_found_out(storage):
    scan = refused(storage, "cycle:calls=200", "repeats its pages")
    assert scan["requests"] <= 120
    assert len(landed_ids(storage)) == 200


"""Requests for the list where nothing moves: six pages, its end twice more, and its head."""


def scanned_moving(storage, faults, *, order="newest", calls=450, **options):
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
    report, landed, before, after = scanned_moving(storage, "insertions:every=2:count=3:times=4", workers=workers)
    assert landed == after
    assert report.calls_new == report.calls_seen == report.total_end == len(before) + 12


@pytest.mark.parametrize("count", [101, 230])
def test_02_a_burst_larger_than_a_page_leads_on_and_not_back(storage, count):
    report, landed, before, after = scanned_moving(storage, f"insertions:every=3:count={count}:times=1")
    assert landed == after
    assert len(after) == len(before) + count
    assert report.requests <= QUIET + 3 * (1 + count // 50)


@pytest.mark.parametrize(("count", "workers"), [(1, 1), (9, 8), (10, 1), (101, 1), (101, 8)])
def test_03_calls_that_vanish_before_the_place_of_reading_hide_no_other(storage, count, workers):
    report, landed, before, after = scanned_moving(
        storage, f"deletions:every=4:count={count}:times=2:after=1", calls=700, workers=workers
    )
    assert after <= landed
    assert len(after) == len(before) - 2 * count
    assert report.requests <= 40


def test_04_calls_that_come_at_the_end_are_followed(storage):
    report, landed, before, after = scanned_moving(storage, "insertions:every=2:count=30:times=4", order="oldest")
    assert landed == after
    assert report.total_end == len(after) == len(before) + 120


@pytest.mark.parametrize("workers", [1, 8])
def test_05_as_many_that_come_as_go_are_noticed_although_the_total_stays(storage, workers):
    report, landed, before, after = scanned_moving(
        storage, "insertions:every=2:count=15:times=4,deletions:every=2:count=15:times=4", workers=workers
    )
    assert after <= landed
    assert report.total_start == report.total_end == len(before) == len(after)
    assert before != after


@pytest.mark.parametrize(("first", "then"), [("newest", "oldest"), ("oldest", "newest")])
@pytest.mark.parametrize("pages", [2, 5])
def test_06_a_list_that_reverses_its_order_is_read_again(storage, first, then, pages):
    _, landed, _, after = scanned_moving(storage, f"order:form={then}:after={pages}", order=first)
    assert landed == after


def test_08_calls_of_the_same_minute_may_swap_places(storage):
    report, landed, _, after = scanned_moving(storage, "order:form=ties")
    assert landed == after
    assert report.requests <= 2 * QUIET
