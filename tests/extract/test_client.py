"""The HTTP client retries what may pass, follows the rate limit, and reads every form of a page."""

from __future__ import annotations

import gzip
import socket
import traceback
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.http.response import NotAPageError, parse_body
from pipelines.simulator import Response
from pipelines.simulator.messages import error
from tests.support.extraction import call, client_of
from tests.support.simulated import KEY, simulated_api

ITEMS = [call(f"call-{number}") for number in range(5)]
SECRET = "sk_live_must_never_show"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.rate_limit._FIRST_WAIT", 0.01)


def answering(*answers: Response):
    """Give these answers one after the other, then the real ones."""
    left = list(answers)
    return lambda request, respond: left.pop(0) if left else respond(request)


def always(answer: Response):
    return lambda _request, _respond: answer


def test_a_page_is_asked_for_as_documented():
    now = datetime(2026, 3, 4, 10, tzinfo=UTC)
    with simulated_api(items=ITEMS, clock=lambda: now) as api, client_of(api.url) as client:
        page = client.page(2, 2)
        [asked] = api.requests
    assert (page.offset, page.items, page.total, page.date) == (2, ITEMS[2:4], 5, now)
    assert (asked.offset, asked.limit) == (2, 2)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept-encoding"] == "gzip"


def test_a_compressed_page_is_unpacked():
    items = [call(f"call-{number}", summary="word " * 500) for number in range(20)]
    with simulated_api(items=items) as api, client_of(api.url) as client:
        assert client.page(0).items == items


@pytest.mark.parametrize(
    "answer",
    [
        error(429, "Too many requests").with_headers(Retry_After="0"),
        error(500, "no"),
        error(503, "no"),
        error(408, "no"),
        Response(200, b"<html>Just a moment...</html>"),
        Response(200, b""),
        Response(200, b'{"data": [{"id": "a"}, {"id'),
        Response(200, b"{}"),
        Response(200, b"{" * 100, sent_bytes=50),
        Response(200, b"not gzip at all", {"Content-Encoding": "gzip"}),
        Response(200, gzip.compress(b'{"data": []}' * 100)[:40], {"Content-Encoding": "gzip"}),
    ],
    ids=["429", "500", "503", "408", "html", "empty", "cut", "other", "broken-off", "no-gzip", "cut-gzip"],
)
def test_a_transient_error_is_retried(answer):
    with simulated_api(items=ITEMS, faults=[answering(answer, answer)]) as api, client_of(api.url) as client:
        assert client.page(0).items == ITEMS
        assert (client.requests, client.retries) == (3, 2)


def test_a_connection_that_the_server_closed_is_made_again():
    with simulated_api(items=ITEMS) as api, client_of(api.url) as client:
        client.page(0)
        api._server.close_connections()
        assert client.page(0).items == ITEMS


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_not_tried_again(status):
    with simulated_api(items=ITEMS, faults=[always(error(status, "no"))]) as api, client_of(api.url) as client:
        with pytest.raises(KeyRefusedError) as refused:
            client.page(0)
        assert client.requests == 1
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("status", [400, 402, 404, 410, 418, 304, 204])
def test_an_answer_that_will_stay_so_ends_it_at_once_and_says_what_to_check(status):
    with simulated_api(items=ITEMS, faults=[always(Response(status, b""))]) as api, client_of(api.url) as client:
        with pytest.raises(ChorusCallsError, match=f"{status}.*Check CHORUS_API_URL"):
            client.page(0)
        assert len(api.requests) == 1


def test_trying_ends_when_its_time_is_used_up():
    with (
        simulated_api(items=ITEMS, faults=[always(error(500, "no"))]) as api,
        client_of(api.url, retry_seconds=0.2) as client,
    ):
        with pytest.raises(ChorusCallsError, match=r"offset 3 .*answered 500.*CHORUS_RETRY_SECONDS"):
            client.page(3)
        assert client.requests == client.retries + 1 >= 2


def test_without_time_to_try_again_a_page_is_asked_for_once():
    with (
        simulated_api(items=ITEMS, faults=[always(error(500, "no"))]) as api,
        client_of(api.url, retry_seconds=0) as client,
    ):
        with pytest.raises(ChorusCallsError):
            client.page(0)
        assert len(api.requests) == 1


@pytest.mark.parametrize("wait", ["3600", "date"])
def test_a_longer_wait_than_allowed_ends_the_requests_at_once(wait):
    now = datetime(2026, 3, 4, 10, tzinfo=UTC)
    header = (now + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT") if wait == "date" else wait
    answer = error(503, "later").with_headers(Retry_After=header)
    with (
        simulated_api(items=ITEMS, faults=[always(answer)], clock=lambda: now) as api,
        client_of(api.url) as client,
    ):
        with pytest.raises(ChorusCallsError, match="asked to wait 3600 s"):
            client.page(0)
        assert len(api.requests) == 1


def test_a_body_larger_than_allowed_is_not_read_to_its_end():
    bomb = gzip.compress(b" " * 30_000_000)
    answer = Response(200, bomb, {"Content-Encoding": "gzip"})
    with (
        simulated_api(items=ITEMS, faults=[always(answer)]) as api,
        client_of(api.url, max_body_mb=1) as client,
        pytest.raises(ChorusCallsError, match="larger than 1 MB"),
    ):
        client.page(0)


def test_a_netrc_file_does_not_replace_the_key(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with simulated_api(items=ITEMS) as api, client_of(api.url) as client:
        assert client.page(0).items == ITEMS


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


TROUBLES = {
    "html": Response(200, b"<html>"),
    "302": Response(302, b"", {"Location": f"http://{SECRET}.invalid/?key={SECRET}"}),
    "no address": Response(302, b"", {"Location": f"http://[{SECRET}"}),
    "circle": Response(307, b"", {"Location": f"/v1/calls?key={SECRET}"}),
    "come back": error(429, SECRET).with_headers(Retry_After="3600"),
    "too large": Response(200, b" " * 1_100_000),
    "broken off": Response(200, b" " * 100, sent_bytes=50),
}


@pytest.mark.parametrize(
    "trouble", ["401", "404", "500", *TROUBLES, "unreachable", "bad key", "bad address", "stopped"]
)
def test_the_key_is_in_no_error_and_no_log(trouble, caplog):
    answer = TROUBLES.get(trouble) or error(int(trouble) if trouble.isdigit() else 500, f"Bearer {SECRET}")
    key = f"{SECRET}\n" if trouble == "bad key" else SECRET
    caplog.set_level(0)
    with simulated_api(items=ITEMS, key=SECRET, faults=[always(answer)]) as api:
        url = {"unreachable": f"http://127.0.0.1:{closed_port()}/v1", "bad address": "http://[/v1"}.get(
            trouble, api.url
        )
        with client_of(url, key=key, retry_seconds=0.05, max_body_mb=1) as client:
            if trouble == "stopped":
                client.stop()
            with pytest.raises(ChorusCallsError) as failed:
                client.page(0)
    error_now: BaseException | None = failed.value
    while error_now is not None:
        assert SECRET not in f"{error_now!s} {error_now!r}"
        error_now = error_now.__cause__ or (None if error_now.__suppress_context__ else error_now.__context__)
    assert SECRET not in "".join(traceback.format_exception(failed.value))
    assert SECRET not in caplog.text
    assert SECRET not in repr(vars(client))
    assert SECRET not in repr([vars(part) for part in (client._rate, client._sessions)])
    assert KEY not in failed.value.message


def body(*items: bytes, total: bytes = b"3") -> bytes:
    return b'{"data": [%b], "pagination": {"total": %b, "limit": 100, "offset": 0}}' % (b" ,\n".join(items), total)


GOOD = b'{ "id": "a", "note": "say \\"hi\\", [ok] {}" }'


def test_items_are_given_on_as_they_were_sent():
    listing = parse_body(body(GOOD, b'"text"', b"null", b"12.50"))
    assert listing.items == [GOOD, b'"text"', b"null", b"12.50"]
    assert listing.total == 3


@pytest.mark.parametrize(
    "bad",
    [
        b'{"id": "b", "cost": NaN}',
        b'{"id": "b", "cost": -Infinity}',
        b'{"id": "b", "summary": "half a pair \\ud83d"}',
        b'{"id": "b", "summary": "\xff\xfe]"}',
        b'{"id": "b", "summary": "a raw\nline and \x00"}',
        b'{"id": "b", "deep": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"id": "b", "cost": 01}',
        b"nonsense",
    ],
    ids=["nan", "infinity", "surrogate", "no-utf8", "control", "deep", "number", "word"],
)
def test_an_item_that_is_not_json_by_the_book_costs_its_neighbours_nothing(bad):
    assert parse_body(body(GOOD, bad, GOOD)).items == [GOOD, bad, GOOD]


def test_a_byte_order_mark_and_white_space_are_no_obstacle():
    assert parse_body(b"\xef\xbb\xbf \n" + body(GOOD) + b"\n").items == [GOOD]


@pytest.mark.parametrize(
    ("total", "read"),
    [(b"20", 20), (b"0", 0), (b'"20"', None), (b"null", None), (b"-1", None), (b"2.5", None), (b"NaN", None)],
)
def test_only_a_count_is_taken_for_a_total(total, read):
    assert parse_body(body(total=total)).total == read


def test_a_page_without_pagination_has_no_total():
    listing = parse_body(b'{"data":[{"id":"a"}]}')
    assert (listing.items, listing.total) == ([b'{"id":"a"}'], None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "not JSON"),
        (b"<html>Just a moment...</html>", "not JSON"),
        (b"null", "not JSON"),
        (b"[]", "another shape"),
        (b"{}", "without 'data'"),
        (b'{"error": "no"}', "without 'data'"),
        (b'{"data": {"id": "a"}}', "another shape"),
        (b'{"data": null}', "not JSON"),
        (body(GOOD)[:-1], "truncated"),
        (body(GOOD)[:60], "truncated"),
        (b'{"data": [1]} trailing', "followed by more text"),
        (b'{"data": []}' * 3, "followed by more text"),
        (b'{"data": [NaN]]}', "followed by more text"),
    ],
)
def test_what_is_no_page_is_never_taken_for_an_empty_one(answer, said):
    with pytest.raises(NotAPageError, match=said):
        parse_body(answer)


def test_every_truncation_of_a_page_is_noticed():
    whole = body(GOOD, b'{"id": "b", "cost": NaN}')
    for length in range(len(whole)):
        with pytest.raises(NotAPageError):
            parse_body(whole[:length])
