from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from pipelines.extract.http.rate_limit import advised_wait, backoff, rate_limit_reset, retry_after

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
EPOCH = int(NOON.timestamp())


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
