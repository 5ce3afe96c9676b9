"""Answers that refuse, for good or until later, and connections that break, hang or lead elsewhere."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.http.client import PageUnavailableError
from pipelines.extract.http.rate_limit import StoppedError
from pipelines.extract.http.response import is_certificate_error
from pipelines.simulator import Response
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


@pytest.mark.parametrize("fault", ["trickle:seconds=0.05", "slow:seconds=600"])
def test_25_an_answer_that_takes_too_long_is_ended_and_asked_for_again(fault, monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.client._REQUEST_SECONDS", 0.3)
    with faulty(f"{fault}:every=1:times=1") as (_, client):
        assert client.page(0).items == CALLS
        assert client.retries == 1


def test_25_an_answer_that_always_takes_too_long_fails_and_says_so(monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.client._REQUEST_SECONDS", 0.2)
    with (
        faulty("trickle:seconds=0.05:every=1", retry_seconds=0) as (_, client),
        pytest.raises(ChorusCallsError, match="came too slowly"),
    ):
        client.page(0)


@pytest.mark.parametrize("fault", ["refused", "disconnect", "reset"])
def test_26_a_connection_that_breaks_is_made_again(fault):
    with faulty(f"{fault}:every=1:times=2") as (_, client):
        assert client.page(0).items == CALLS
        assert client.retries == 2


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_26_an_api_that_is_not_there_is_asked_again_then_named(host):
    with (
        client_of(f"http://{host}:{closed_port()}/v1", retry_seconds=0.05) as client,
        pytest.raises(ChorusCallsError, match="could not be reached"),
    ):
        client.page(0)
    assert client.retries >= 1


def test_26_tls_that_fails_in_passing_is_tried_again():
    with (
        simulated_api(items=CALLS) as api,
        client_of(api.url.replace("http:", "https:"), retry_seconds=0.05) as client,
        pytest.raises(ChorusCallsError, match="no encrypted connection"),
    ):
        client.page(0)
    assert client.retries >= 1


def test_26_an_untrusted_certificate_is_distinguished_from_other_errors():
    refused = requests.exceptions.SSLError("no")
    refused.__context__ = OSError("outer")
    assert not is_certificate_error(refused)
    refused.__context__.__cause__ = ssl.SSLCertVerificationError("no")
    assert is_certificate_error(refused)


def test_27_a_redirect_within_the_server_is_followed_and_keeps_the_page():
    with faulty("redirect:form=same") as (api, client):
        assert client.page(10, 5).items == CALLS[10:15]
    assert [(asked.offset, asked.limit) for asked in api.requests] == [(10, 5)] * 2
    assert api.requests[1].path.startswith("/v1/calls/?")
    assert (client.requests, client.retries) == (2, 0)


def test_27_a_redirect_that_drops_the_query_shows_no_other_page():
    def moved(request, respond):
        return respond(request) if "/calls/" in request.path else Response(301, b"", {"Location": "/v1/calls/"})

    with simulated_api(items=CALLS, faults=[moved]) as api, client_of(api.url) as client:
        assert client.page(10, 5).items == CALLS[10:15]


def test_27_redirects_in_a_circle_end():
    with faulty("redirect:form=circle") as (api, client):
        with pytest.raises(ChorusCallsError, match="in a circle"):
            client.page(0)
        assert len(api.requests) <= 10


def test_27_the_key_goes_nowhere_else():
    with simulated_api(items=CALLS) as other, simulated_api(items=CALLS) as api, client_of(api.url) as client:
        for location in (f"{other.url}/calls", f"//{other.url.removeprefix('http://')}/calls"):
            api.faults = [lambda _request, _respond, to=location: Response(302, b"", {"Location": to})]
            with pytest.raises(ChorusCallsError, match=rf"redirects to {other.url[:-3]}.*CHORUS_API_URL"):
                client.page(0)
        assert other.requests == []
        assert client.requests == 2


@pytest.mark.parametrize("form", ["host", "https"])
def test_27_a_redirect_to_another_host_or_scheme_fails_at_once(form):
    with faulty(f"redirect:form={form}") as (_, client):
        with pytest.raises(ChorusCallsError, match="which is not requested"):
            client.page(0)
        assert client.requests == 1


@pytest.mark.parametrize("location", ["http://[", "mailto:someone@example.com", "file:///etc/hosts", "http://:99999/"])
def test_27_a_redirect_to_no_address_fails_at_once(location):
    with simulated_api(items=CALLS, faults=[lambda _q, _r: Response(302, b"", {"Location": location})]) as api:
        with client_of(api.url) as client, pytest.raises(ChorusCallsError, match="which is not requested"):
            client.page(0)
        assert len(api.requests) == 1


def test_27_the_body_of_a_redirect_is_not_read():
    large = Response(302, b" " * 30_000_000, {"Location": "http://elsewhere.invalid/", "Content-Encoding": "identity"})
    with simulated_api(items=CALLS, faults=[lambda _q, _r: large]) as api, client_of(api.url) as client:
        tracemalloc.start()
        try:
            with pytest.raises(ChorusCallsError, match="which is not requested"):
                client.page(0)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 10_000_000


@pytest.mark.parametrize("ending", ["stop", "close"])
@pytest.mark.parametrize("fault", ["slow:seconds=600", "trickle:seconds=600", "server_error"])
def test_a_stop_ends_what_all_threads_wait_for(fault, ending, monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.rate_limit._FIRST_WAIT", 1_000)
    asked = threading.Semaphore(0)

    def count(request, respond):
        asked.release()
        return respond(request)

    with faulty(f"{fault}:every=1", retry_seconds=3_600) as (api, client), ThreadPoolExecutor(8) as pool:
        api.faults.insert(0, count)
        waiting = [pool.submit(client.page, 10 * number) for number in range(8)]
        for _ in waiting:
            assert asked.acquire(timeout=60)
        getattr(client, ending)()
        assert [type(one.exception(timeout=60)) for one in waiting] == [StoppedError] * 8
        with pytest.raises(StoppedError):
            client.page(0)
    assert len(api.requests) == 8
