"""The pace of requests, by a clock that only waiting moves."""

from __future__ import annotations

import threading

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.http.rate_limit import RateLimiter, StoppedError


class Clock(threading.Event):
    """An event whose waits pass at once and move the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def wait(self, timeout=None):
        self.now += timeout
        return self.is_set()


@pytest.fixture
def clock():
    return Clock()


def pace_of(clock, **settings):
    given = {"per_second": None, "patience": 120, **settings}
    return RateLimiter(stopping=clock, clock=lambda: clock.now, **given)


def test_turns_keep_to_the_allowed_rate(clock):
    pace = pace_of(clock, per_second=4)
    assert [pace.await_turn() - 100 for _ in range(4)] == [0, 0.25, 0.5, 0.75]
    clock.now += 10
    assert [pace.await_turn() - 110.75 for _ in range(2)] == [0, 0.25]


def test_without_a_rate_nobody_waits(clock):
    pace = pace_of(clock)
    assert {pace.await_turn() for _ in range(5)} == {100}


def test_what_one_was_told_holds_for_all_and_is_never_cut_short(clock):
    pace = pace_of(clock)
    pace.hold(30)
    pace.hold(5)
    assert 130 <= pace.await_turn() <= 131


def test_a_longer_wait_than_there_is_patience_ends_it_at_once_and_says_when_to_come_back(clock):
    pace = pace_of(clock, patience=120)
    pace.hold(3600)
    with pytest.raises(ChorusCallsError, match=r"36\d\d s.*CHORUS_RETRY_SECONDS.*Come back after 20\d\d-.* UTC"):
        pace.await_turn()
    assert clock.now == 100


def test_a_wait_as_long_as_the_patience_is_waited_for(clock):
    pace = pace_of(clock, patience=30)
    pace.hold(30)
    assert pace.await_turn() >= 130


def test_the_pace_halves_once_for_what_many_threads_did_at_once_and_comes_back(clock):
    pace = pace_of(clock)
    asked = [pace.await_turn() for _ in range(10)]
    clock.now += 1
    for moment in asked:
        pace.slow_down(moment)
    assert pace.await_turn() == 101
    assert pace.await_turn() == pytest.approx(101.02)
    pace.slow_down(clock.now)
    pace.await_turn()
    before = clock.now
    assert pace.await_turn() - before == pytest.approx(0.04)
    for _ in range(20):
        pace.speed_up()
    pace.await_turn()
    before = clock.now
    assert pace.await_turn() == before


def test_a_pace_never_becomes_a_stop(clock):
    pace = pace_of(clock)
    for _ in range(50):
        pace.slow_down(pace.await_turn())
    before = clock.now
    assert pace.await_turn() - before <= 2


@pytest.mark.parametrize("waiting", [lambda pace: pace.await_turn(), lambda pace: pace.wait(60)])
def test_a_stop_ends_every_wait(waiting):
    stopping = threading.Event()
    pace = RateLimiter(per_second=None, patience=120, stopping=stopping)
    pace.hold(100)
    ended = []

    def wait():
        with pytest.raises(StoppedError):
            waiting(pace)
        ended.append(True)

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    stopping.set()
    for thread in threads:
        thread.join(timeout=30)
    assert len(ended) == 8
