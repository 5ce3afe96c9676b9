"""Answers that show no page, refuse or never end: tried again, or the sync is incomplete and says why."""

from __future__ import annotations

import tracemalloc

import pytest

from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.sync import sync
from pipelines.simulator.faults import parse_faults
from tests.support.extraction import (
    CALLS,
    START_DATE,
    call,
    client_of,
    faulty,
    landed_ids,
    last_scan,
    listed_ids,
    raw_rows,
    synced,
)
from tests.support.simulated import simulated_api, small_world

WORLD = small_world(calls=350, days=3)
IDS = listed_ids(WORLD)
NO_PAGES = [
    "html",
    *(f"odd_body:form={form}" for form in ("empty", "null", "list", "object", "error")),
    "truncated",
    "broken_chunk",
    *(f"wrong_length:form={form}" for form in ("long", "short")),
    *(f"bad_gzip:form={form}" for form in ("corrupt", "cut", "plain")),
]
BROKEN = ["refused", "disconnect", "reset", "server_error"]
BUSY = ["rate_limit:wait=0", "rate_limit:form=garbage", "rate_limit:form=absent", "unavailable:wait=0"]


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("fault", [*NO_PAGES, *BROKEN, *BUSY])
def test_22_23_24_26_30_what_passes_costs_no_call(storage, fault):
    with simulated_api(WORLD, faults=parse_faults(f"{fault}:every=3")) as api:
        report = synced(storage, api, workers=8, retry_seconds=30)
    assert report.complete
    assert report.retries >= 2
    assert landed_ids(storage) == IDS


def incomplete(storage, faults, words, error=ChorusCallsError, **options):
    """Run a sync that reads three pages and ends incomplete in these words, and the next, which resumes."""
    with (
        simulated_api(WORLD, faults=parse_faults(faults)) as api,
        pytest.raises(error, match=rf"^The sync is incomplete: [^\n]*{words}[^\n]*$") as failed,
    ):
        synced(storage, api, **{"retry_seconds": 0.05, **options})
    assert last_scan(storage)["ending"] == "failed"
    assert len(landed_ids(storage)) == 280  # three pages, each of which reaches back over the one before
    with simulated_api(WORLD) as api:
        report = synced(storage, api)
    assert (report.complete, report.resumed) == (True, True)
    assert landed_ids(storage) == IDS
    return failed.value


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("fault", ["html", "odd_body:form=error", "truncated", "bad_gzip:form=corrupt", *BROKEN])
def test_22_23_24_26_what_stays_is_never_taken_for_the_end(storage, fault):
    assert incomplete(storage, f"{fault}:every=1:after=3", "no page at offset 270").exit_code == 1


@pytest.mark.matrix(quick=3)
def test_25_a_body_that_comes_byte_by_byte_is_given_up_and_asked_for_again(storage, monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.client._REQUEST_SECONDS", 0.3)
    with simulated_api(WORLD, faults=parse_faults("trickle:seconds=0.05:every=1:after=2:times=1")) as api:
        report = synced(storage, api)
    assert (report.complete, report.retries) == (True, 1)
    assert landed_ids(storage) == IDS


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("form", ["host", "https", "circle"])
def test_27_a_list_that_is_sent_elsewhere_ends_the_sync(storage, form):
    assert incomplete(storage, f"redirect:form={form}:after=3", "CHORUS_API_URL").exit_code == 1


@pytest.mark.matrix(quick=3)
def test_27_one_that_stays_within_the_server_is_followed(storage):
    with simulated_api(WORLD, faults=parse_faults("redirect:form=same")) as api:
        assert synced(storage, api).complete
    assert landed_ids(storage) == IDS


@pytest.mark.matrix(quick=3)
def test_28_a_key_that_is_replaced_in_the_middle_is_reported_as_such(storage):
    assert incomplete(storage, "rotated_key", "refused the key", KeyRefusedError).exit_code == 3


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize(("code", "error"), [(403, KeyRefusedError), (404, ChorusCallsError)])
def test_29_an_error_that_no_retry_can_fix_ends_the_sync_at_once(storage, code, error):
    incomplete(storage, f"status:code={code}:every=1:after=3", "CHORUS_API_URL", error, retry_seconds=600)


@pytest.mark.matrix(quick=3)
def test_31_a_long_wait_ends_the_sync_with_the_time_to_come_back(storage):
    faults = "unavailable:wait=3600:every=1:after=3"
    assert "Try again after" in incomplete(storage, faults, "wait 3600 s", retry_seconds=30).message


@pytest.mark.matrix(quick=3)
@pytest.mark.slow
def test_32_many_refusals_in_a_row_are_waited_out(storage):
    with simulated_api(WORLD, faults=parse_faults("rate_limit:form=absent:every=1:after=2:times=6")) as api:
        report = synced(storage, api, retry_seconds=30)
    assert (report.complete, report.retries) == (True, 6)
    assert landed_ids(storage) == IDS


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("form", ["ahead", "behind"])
def test_33_a_clock_that_is_hours_off_stops_the_sync_before_anything_lands(storage, form):
    with (
        simulated_api(WORLD, faults=parse_faults(f"skewed_clock:form={form}")) as api,
        pytest.raises(ChorusCallsError, match=r"incomplete.*Set the clock"),
    ):
        synced(storage, api)
    assert landed_ids(storage) == []


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("faults", ["byte_order_mark", *(f"content_type:form={form}" for form in ("wrong", "missing"))])
def test_39_odd_wrapping_is_no_obstacle(storage, faults):
    with simulated_api(WORLD, faults=parse_faults(faults)) as api:
        assert synced(storage, api).complete
    assert landed_ids(storage) == IDS


@pytest.mark.parametrize("fault", NO_PAGES)
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
