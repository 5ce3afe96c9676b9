"""Connections that break, hang, lead elsewhere, or are ended from here."""

from __future__ import annotations

import socket
import ssl
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from pipelines.errors import ChorusCallsError
from pipelines.extract.http.rate_limit import StoppedError
from pipelines.extract.http.response import is_certificate_error
from pipelines.simulator import Response
from tests.support.extraction import CALLS, client_of, faulty
from tests.support.simulated import simulated_api


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
