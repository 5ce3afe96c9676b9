"""Passes over a list that has no order: when they end, and what they call complete."""

from __future__ import annotations

from random import Random

import pytest

from pipelines.extract.scan.state import Ending, PageSeen
from pipelines.extract.scan.unordered import MAX_PASSES, UnorderedScan


def passes_over(calls, *, shuffle=True, seed=0, total=len, max_pages=None, clamp=100, lapses=()):
    """Read a list that is in another order at each request; returns the passes and the keys seen."""
    random, seen = Random(seed), set()
    passes = UnorderedScan(max_pages=max_pages)
    while passes.ending is None:
        assert passes.pages < 10_000
        assert passes.next_offsets(4)[0] == passes.offset
        view = list(calls)
        if shuffle:
            random.shuffle(view)
        page = [] if passes.pages in lapses else view[passes.offset : passes.offset + clamp]
        keys = tuple(map(str, page))
        unseen = frozenset(key for key in keys if key not in seen)
        passes = passes.after(PageSeen(passes.offset, keys, unseen, (), total(calls)))
        seen |= passes.accepted
    return passes, seen


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("clamp", [100, 30])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1_500])
def test_a_list_shuffled_at_each_request_is_seen_whole(count, clamp):
    for seed in range(3):
        passes, seen = passes_over(range(count), seed=seed, clamp=clamp)
        assert passes.ending is Ending.SETTLED
        assert len(seen) == passes.size == count


def test_a_list_that_keeps_its_order_takes_a_pass_and_two_that_bring_nothing():
    passes, _ = passes_over(range(1_000), shuffle=False)
    assert passes.ending is Ending.SETTLED
    assert passes.pass_number - 1 == 3
    assert passes.pages == 3 * 11


@pytest.mark.parametrize("total", [lambda calls: len(calls) + 1, lambda _: None])
def test_without_as_many_calls_as_the_api_says_there_are_nothing_is_called_complete(total):
    passes, seen = passes_over(range(300), total=total)
    assert passes.ending is Ending.UNSETTLED
    assert not passes.ending.complete
    assert len(seen) == 300


def test_a_list_that_never_settles_ends_after_some_passes():
    passes, seen = UnorderedScan(), 0
    while passes.ending is None:
        keys = () if passes.offset else tuple(str(seen + number) for number in range(50))
        seen += len(keys)
        passes = passes.after(PageSeen(passes.offset, keys, frozenset(keys), (), 50))
    assert passes.ending is Ending.UNSETTLED
    assert passes.pass_number == MAX_PASSES + 1


def test_an_empty_page_in_the_middle_is_asked_for_again():
    passes, seen = passes_over(range(500), shuffle=False, lapses=(2,))
    assert passes.ending is Ending.SETTLED
    assert len(seen) == 500
    assert passes.pages == 3 * 6 + 1


def test_an_api_that_ignores_the_offset_is_detected():
    passes = UnorderedScan()
    keys = tuple(map(str, range(100)))
    while passes.ending is None:
        unseen = frozenset(keys) if not passes.pages else frozenset()
        passes = passes.after(PageSeen(passes.offset, keys, unseen, (), 200))
    assert passes.ending is Ending.REPEATED
    assert passes.pages < 50


def test_a_number_of_pages_limits_passes():
    passes, _ = passes_over(range(500), max_pages=3)
    assert (passes.ending, passes.pages) == (Ending.LIMITED, 3)


def test_pages_are_prefetched_up_to_the_end():
    passes = UnorderedScan().after(PageSeen(0, tuple(map(str, range(100))), frozenset(), (), 350))
    assert passes.next_offsets(8) == [100, 200, 300]
    assert passes.next_offsets(2) == [100, 200]
