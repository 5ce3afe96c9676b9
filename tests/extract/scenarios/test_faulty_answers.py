"""Answers with status 200 that show no page, or show it oddly: never taken for the end of the list."""

from __future__ import annotations

import tracemalloc

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.sync import sync
from tests.support.extraction import CALLS, START_DATE, call, client_of, faulty, raw_rows
from tests.support.simulated import simulated_api

NO_PAGES = ["html", *(f"odd_body:form={form}" for form in ("empty", "null", "list", "object", "error"))]
CUT = ["truncated", "broken_chunk", "wrong_length:form=long", "wrong_length:form=short"]
BAD_GZIP = [f"bad_gzip:form={form}" for form in ("corrupt", "cut", "plain")]


@pytest.mark.parametrize("fault", [*NO_PAGES, *CUT, *BAD_GZIP])
def test_22_23_24_what_shows_no_page_is_asked_for_again(fault):
    with faulty(f"{fault}:every=1:times=2") as (api, client):
        page = client.page(0)
    assert (page.items, page.total) == (CALLS, 30)
    assert (len(api.requests), client.requests, client.retries) == (3, 3, 2)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("html", "not JSON"),
        ("odd_body:form=empty", "answered with nothing"),
        ("odd_body:form=null", "not JSON"),
        ("odd_body:form=list", "another shape"),
        ("odd_body:form=object", "without 'data'"),
        ("odd_body:form=error", "without 'data'"),
        ("truncated", "truncated"),
        ("broken_chunk", "broke in the middle"),
        ("wrong_length:form=long", "broke in the middle"),
        ("wrong_length:form=short", "truncated"),
        ("bad_gzip:form=corrupt", "not be decompressed"),
        ("bad_gzip:form=cut", ""),
        ("bad_gzip:form=plain", "not be decompressed"),
    ],
)
def test_22_23_24_what_never_shows_a_page_fails_and_says_why(fault, said):
    with (
        faulty(f"{fault}:every=1", retry_seconds=0.05) as (_, client),
        pytest.raises(ChorusCallsError, match=rf"no page at offset 20 .*{said}.*CHORUS_RETRY_SECONDS"),
    ):
        client.page(20)


def test_23_what_a_server_sends_behind_a_page_that_it_called_shorter_is_not_the_next_page():
    with faulty("wrong_length:form=short:every=2") as (_, client):
        assert [client.page(offset, 10).items for offset in (0, 10, 20)] == [CALLS[:10], CALLS[10:20], CALLS[20:]]


@pytest.mark.slow
def test_24_a_bomb_is_not_unpacked_into_memory():
    with faulty("bomb:mb=60:every=1", max_body_mb=1) as (_, client):
        tracemalloc.start()
        try:
            with pytest.raises(ChorusCallsError, match=r"larger than 1 MB.*CHORUS_MAX_BODY_MB"):
                client.page(0)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 12_000_000


LARGE = [call(f"call-{number}", summary="long " * 60_000) for number in range(20)]


def test_34_where_a_page_is_too_large_fewer_calls_are_asked_for_and_all_come():
    with faulty("clamp:limit=100", items=LARGE, max_body_mb=1) as (api, client):
        items: list[bytes] = []
        while len(items) < len(LARGE):
            page = client.page(len(items))
            assert (page.limit, len(page.items)) == (3, min(3, len(LARGE) - len(items)))
            items += page.items
    assert items == LARGE
    assert [asked.limit for asked in api.requests] == [100, 50, 25, 12, 6, *[3] * 7]
    assert client.retries == 0


def test_34_full_pages_are_asked_for_again_once_calls_are_small():
    with faulty("clamp:limit=100", items=[*LARGE[:4], *CALLS], max_body_mb=1) as (_, client):
        limits = [client.page(offset).limit for offset in (0, 4, 4, 4, 4, 4, 4)]
    assert limits == [3, 3, 6, 12, 24, 48, 96]


def test_34_a_call_that_is_too_large_alone_is_named_by_its_place():
    items = [*CALLS[:5], call("huge", summary="long " * 300_000)]
    with faulty("clamp:limit=100", items=items, max_body_mb=1) as (_, client):
        assert client.page(0, 5).items == CALLS[:5]
        with pytest.raises(ChorusCallsError, match="A page of 2 calls at offset 4 is larger than 1 MB"):
            client.page(4)


@pytest.mark.slow
def test_34_large_calls_land(storage):
    with simulated_api(items=LARGE) as api, client_of(api.url, max_body_mb=1) as client:
        assert sync(storage, client, start_date=START_DATE).complete
    assert sorted(row["payload"].encode() for row in raw_rows(storage)) == sorted(LARGE)


def test_38_numbers_of_any_length_come_as_they_were_sent():
    items = [
        b'{"id": %b, "cost": 0.123456789012345678901234567890}' % number for number in (b"9007199254740993", b"1" * 30)
    ]
    with faulty("clamp", items=items) as (_, client):
        assert client.page(0).items == items


@pytest.mark.parametrize(
    "fault", ["byte_order_mark", *(f"content_type:form={form}" for form in ("wrong", "missing", "charset"))]
)
def test_39_odd_wrapping_costs_the_client_no_try(fault):
    with faulty(fault) as (_, client):
        assert client.page(0).items == CALLS
        assert client.retries == 0


def test_36_39_a_text_that_is_no_utf8_costs_no_other_call():
    with faulty("bad_utf8:every=1") as (_, client):
        items = client.page(0).items
    assert b"\xff\xfe" in items[0]
    assert items[1:] == CALLS[1:]
