"""Answers that refuse: for good, or until later."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.http.client import PageUnavailableError
from pipelines.simulator.messages import error
from tests.support.extraction import CALLS, client_of, faulty
from tests.support.simulated import simulated_api


def test_28_a_key_that_is_replaced_in_the_middle_ends_it_at_once():
    with faulty("rotated_key") as (api, client):
        assert [client.page(offset, 10).items for offset in (0, 10, 20)] == [CALLS[:10], CALLS[10:20], CALLS[20:]]
        with pytest.raises(KeyRefusedError):
            client.page(0)
        assert (len(api.requests), client.retries) == (4, 0)


@pytest.mark.parametrize(("code", "said"), [(404, "knows no calls"), (400, "does not accept"), (418, "shows no page")])
def test_29_what_will_stay_so_ends_it_at_once_in_clear_words(code, said):
    with faulty(f"status:code={code}:every=1:after=1") as (api, client):
        client.page(0)
        with pytest.raises(ChorusCallsError, match=rf"{code}: it {said}.*CHORUS_API_URL.*{re.escape(api.url)}/calls"):
            client.page(10)
        assert len(api.requests) == 2


def test_29_no_permission_is_a_refused_key():
    with faulty("status:code=403:every=1") as (api, client):
        with pytest.raises(KeyRefusedError):
            client.page(0)
        assert len(api.requests) == 1


@pytest.mark.parametrize("said", ["wait=0.2", "wait=0", "form=garbage", "form=absent"])
@pytest.mark.parametrize("fault", ["rate_limit", "unavailable"])
def test_30_however_a_limit_is_said_the_page_comes(fault, said):
    with faulty(f"{fault}:{said}:every=1:times=2") as (_, client):
        assert client.page(0).items == CALLS
        assert client.retries == 2


def test_30_a_date_is_waited_for():
    with faulty("rate_limit:wait=1:form=date:every=1:times=1") as (_, client):
        began = time.monotonic()
        assert client.page(0).items == CALLS
        assert time.monotonic() - began >= 1


def test_30_one_thread_that_has_to_wait_makes_all_wait():
    arrivals: list[float] = []
    refused = threading.Event()

    def limited(request, respond):
        arrivals.append(time.monotonic())
        if request.number > 1:
            return respond(request)
        refused.set()
        return error(429, "Too many requests").with_headers(Retry_After="0.6")

    with (
        simulated_api(items=CALLS, faults=[limited]) as api,
        client_of(api.url) as client,
        ThreadPoolExecutor(9) as pool,
    ):
        first = pool.submit(client.page, 0)
        assert refused.wait(60)
        while client._rate._paused_until == 0:  # until the client has read the response
            time.sleep(0.01)
        others = [pool.submit(client.page, 0) for _ in range(8)]
        assert {len(one.result(60).items) for one in (first, *others)} == {30}
    assert len(arrivals) == 10
    assert min(arrivals[1:]) - arrivals[0] >= 0.6


@pytest.mark.slow
@pytest.mark.parametrize("form", ["seconds", "epoch"])
def test_30_a_reported_quota_is_never_exceeded_by_one_thread(form):
    with faulty(f"quota:limit=3:seconds=0.3:form={form}") as (api, client):
        for offset in range(8):
            assert client.page(offset, 1).items == [CALLS[offset]]
    assert {asked.status for asked in api.requests} == {200}


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("fault", ["rate_limit", "unavailable"])
def test_31_a_wait_beyond_the_budget_stops_at_once_and_says_when_to_come_back(fault, form):
    with faulty(f"{fault}:wait=3600:form={form}:every=1", retry_seconds=30) as (api, client):
        with pytest.raises(
            PageUnavailableError, match=r"asked to wait 3600 s, longer than CHORUS_RETRY_SECONDS"
        ) as failed:
            client.page(0)
        assert failed.value.reason == f"it answered {api.requests[0].status} and asked to wait 3600 s"
        when = datetime.fromisoformat(re.search(r"after (.*) UTC", failed.value.message)[1]).replace(tzinfo=UTC)
        assert timedelta(minutes=50) < when - datetime.now(UTC) <= timedelta(hours=1)
        with pytest.raises(ChorusCallsError, match="Try again after"):  # nor does any other thread ask
            client.page(10)
        assert len(api.requests) == 1


def test_32_many_refusals_in_a_row_are_counted_by_time():
    with faulty("rate_limit:form=absent:every=1:times=6") as (_, client):
        assert client.page(0).items == CALLS
        assert client.retries == 6


@pytest.mark.parametrize("hours", [-5, 5])
def test_33_a_date_is_meant_by_the_apis_own_clock(hours):
    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(hours=hours)

    def down(_request, _respond):
        until = clock() + timedelta(minutes=30)
        return error(503, "Down").with_headers(Retry_After=until.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    with (
        simulated_api(items=CALLS, faults=[down], clock=clock) as api,
        client_of(api.url) as client,
        pytest.raises(ChorusCallsError, match=r"asked to wait (1799|1800|1801) s"),
    ):
        client.page(0)


def test_33_the_apis_clock_is_shown_as_it_is():
    with faulty("skewed_clock:hours=5") as (_, client):
        date = client.page(0).date
    assert date is not None
    assert timedelta(hours=4) < date - datetime.now(UTC) < timedelta(hours=6)


@pytest.mark.slow
def test_a_client_is_shared_by_64_threads():
    with faulty("server_error:every=9,rate_limit:every=11:wait=0.05") as (api, client), ThreadPoolExecutor(64) as pool:
        pages = list(pool.map(lambda offset: client.page(offset % 30, 1), range(128)))
    assert [page.items for page in pages] == [[CALLS[number % 30]] for number in range(128)]
    assert client.requests == len(api.requests) == 128 + client.retries
