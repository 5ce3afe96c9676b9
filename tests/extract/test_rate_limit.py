"""The limiter of requests, by a clock that only waiting moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from itertools import islice

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.http.rate_limit import (
    RateLimiter,
    StoppedError,
    advised_wait,
    backoff,
    rate_limit_reset,
    retry_after,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
EPOCH = int(NOON.timestamp())


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


def limiter_of(clock, **settings):
    given = {"per_second": None, "max_wait": 120, **settings}
    return RateLimiter(stopping=clock, clock=lambda: clock.now, **given)


def test_turns_keep_to_the_allowed_rate(clock):
    limiter = limiter_of(clock, per_second=4)
    assert [limiter.acquire() - 100 for _ in range(4)] == [0, 0.25, 0.5, 0.75]
    clock.now += 10
    assert [limiter.acquire() - 110.75 for _ in range(2)] == [0, 0.25]


def test_without_a_rate_no_thread_waits(clock):
    limiter = limiter_of(clock)
    assert {limiter.acquire() for _ in range(5)} == {100}


def test_a_pause_applies_to_all_threads_and_is_never_shortened(clock):
    limiter = limiter_of(clock)
    limiter.pause(30)
    limiter.pause(5)
    assert 130 <= limiter.acquire() <= 131


def test_a_longer_wait_than_there_is_patience_ends_it_at_once_and_says_when_to_come_back(clock):
    limiter = limiter_of(clock, max_wait=120)
    limiter.pause(3600)
    with pytest.raises(ChorusCallsError, match=r"36\d\d s.*CHORUS_RETRY_SECONDS.*Try again after 20\d\d-.* UTC"):
        limiter.acquire()
    assert clock.now == 100


def test_a_wait_as_long_as_the_patience_is_waited_for(clock):
    limiter = limiter_of(clock, max_wait=30)
    limiter.pause(30)
    assert limiter.acquire() >= 130


def test_the_pace_halves_once_for_what_many_threads_did_at_once_and_comes_back(clock):
    limiter = limiter_of(clock)
    asked = [limiter.acquire() for _ in range(10)]
    clock.now += 1
    for moment in asked:
        limiter.slow_down(moment)
    assert limiter.acquire() == 101
    assert limiter.acquire() == pytest.approx(101.02)
    limiter.slow_down(clock.now)
    limiter.acquire()
    before = clock.now
    assert limiter.acquire() - before == pytest.approx(0.04)
    for _ in range(20):
        limiter.speed_up()
    limiter.acquire()
    before = clock.now
    assert limiter.acquire() == before


def test_a_pace_never_becomes_a_stop(clock):
    limiter = limiter_of(clock)
    for _ in range(50):
        limiter.slow_down(limiter.acquire())
    before = clock.now
    assert limiter.acquire() - before <= 2


@pytest.mark.parametrize("waiting", [lambda limiter: limiter.acquire(), lambda limiter: limiter.wait(60)])
def test_a_stop_ends_every_wait(waiting):
    stopping = threading.Event()
    limiter = RateLimiter(per_second=None, max_wait=120, stopping=stopping)
    limiter.pause(100)
    ended = []

    def wait():
        with pytest.raises(StoppedError):
            waiting(limiter)
        ended.append(True)

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    stopping.set()
    for thread in threads:
        thread.join(timeout=30)
    assert len(ended) == 8


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, 366 * 86_400),
        ("Wed, 04 Mar 2026 12:00:45 GMT", 45.0),
        ("Wed, 04 Mar 2026 11:59:00 GMT", None),
        ("Wed, 99 Mar 2026 11:59:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
    ],
)
def test_the_wait_that_the_api_asks_for(header, seconds):
    assert retry_after(header, NOON) == seconds


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [
        ("0", "30", 30.0),
        ("0", str(EPOCH + 30), 30.0),
        ("0", str((EPOCH + 30) * 1000), 30.0),
        ("0", str(EPOCH - 30), None),
        ("0", "0", None),
        ("0", "soon", None),
        ("0", None, None),
        ("1", "30", None),
        ("many", "30", None),
        (None, "30", None),
    ],
)
def test_how_long_no_request_is_left(remaining, reset, seconds):
    headers = {"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset}
    given = {name: value for name, value in headers.items() if value is not None}
    assert rate_limit_reset(given, NOON) == seconds


def test_retry_after_is_asked_first_and_the_limit_where_it_says_nothing():
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}
    assert advised_wait({**limit, "Retry-After": "7"}, NOON) == 7
    assert advised_wait({**limit, "Retry-After": "0"}, NOON) == 30
    assert advised_wait({}, NOON) is None


def test_waits_without_advice_grow_within_bounds_and_differ():
    runs = [list(islice(backoff(), 12)) for _ in range(50)]
    for run in runs:
        assert all(0 <= wait <= min(0.5 * 2**turn, 30) for turn, wait in enumerate(run))
    assert len({run[5] for run in runs}) > 1
    assert max(run[8] for run in runs) > 15
