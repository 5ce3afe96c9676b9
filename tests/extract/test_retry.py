from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from pipelines.extract.retry import backoff, retry_after

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Wed, 04 Mar 2026 12:00:45 GMT", 45.0),
        ("Wed, 04 Mar 2026 11:59:00 GMT", None),
        ("Wed, 99 Mar 2026 11:59:00 GMT", None),
    ],
)
def test_the_wait_that_the_api_asks_for(header, seconds):
    assert retry_after(header, NOON) == seconds


def test_waits_without_advice_grow_within_bounds_and_differ():
    runs = [list(islice(backoff(), 12)) for _ in range(50)]
    for run in runs:
        assert all(0 <= wait <= min(0.5 * 2**turn, 30) for turn, wait in enumerate(run))
    assert len({run[5] for run in runs}) > 1
    assert max(run[8] for run in runs) > 15
