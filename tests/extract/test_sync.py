"""A sync over HTTP: every call lands once, in any order of the list, for one account, and its state keeps its keys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.scan.ordered import OrderedScan
from pipelines.extract.scan.state import Checkpoint, Ending, Order
from pipelines.extract.sync import PageProgress, sync
from pipelines.extract.sync_state import SyncState
from pipelines.lake import layout, state
from pipelines.lake.state import FORMAT
from pipelines.lake.storage import LakeBusyError
from pipelines.simulator.faults import Clamp, EmptyPage, RateLimit, parse_faults
from tests.support.extraction import (
    START_DATE,
    call,
    client_of,
    files_outside_state,
    landed_payloads,
    listed,
    raw_rows,
    scans,
    synced,
)
from tests.support.simulated import simulated_api, small_world


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_every_call_of_the_api_lands_as_it_was_sent(storage, order):
    world = small_world(calls=450, days=3)
    with simulated_api(world, order=order) as api:
        report = synced(storage, api)
    assert landed_payloads(storage) == listed(world)
    assert report.complete
    assert report.ending is Ending.END
    assert report.order is {"newest": Order.NEWEST, "oldest": Order.OLDEST}[order]
    assert (report.mode, report.calls_new, report.calls_seen) == ("full", len(listed(world)), len(listed(world)))
    assert report.total_start == report.total_end == len(listed(world))
    assert report.changed_days == sorted({row["call_date"] for row in raw_rows(storage)})


def test_a_second_sync_of_the_same_calls_writes_nothing_outside_state(storage, tmp_path):
    with simulated_api(small_world()) as api:
        synced(storage, api)
        before = files_outside_state(tmp_path / "lake")
        landed = storage.read(layout.LANDED)
        for full in (False, True):
            report = synced(storage, api, full=full)
            assert report.changed_days == []
            assert report.calls_unchanged == report.calls_seen > 0
    assert files_outside_state(tmp_path / "lake") == before
    assert storage.read(layout.LANDED) == landed


@pytest.mark.slow
def test_an_incremental_sync_reads_what_may_be_new_and_no_more(storage):
    world = small_world(calls=1_500, days=30)
    with simulated_api(world) as api:
        synced(storage, api)
        world.advance(hours=5)
        api.requests.clear()
        report = synced(storage, api, lookback_hours=48)
    assert (report.mode, report.ending) == ("incremental", Ending.WATERMARK)
    assert report.calls_new > 0
    assert len(api.requests) == report.pages <= 6
    assert listed(world).keys() == landed_payloads(storage).keys()


def test_what_changed_within_the_lookback_is_found(storage):
    world = small_world(calls=300, days=10)
    with simulated_api(world) as api:
        synced(storage, api)
        items = [json.loads(item) for item in world.items()]
        young = next(item for item in items if item["createdAt"] < "2026-03-03T20")
        old = next(item for item in items if item["createdAt"] < "2026-02-26")
        for item in (young, old):
            world.replace(item["id"], {**item, "status": "corrected"})
        assert synced(storage, api, lookback_hours=24).calls_changed == 1
        assert synced(storage, api, lookback_hours=24, full=True).calls_changed == 1
    assert landed_payloads(storage) == listed(world)


@pytest.mark.slow
def test_the_watermark_moves_with_each_complete_scan(storage):
    world = small_world(calls=300, days=10)
    with simulated_api(world) as api:
        for hours in (0, 30, 30):
            world.advance(hours=hours)
            report = synced(storage, api, lookback_hours=1)
            newest = max(json.loads(item)["createdAt"] for item in world.items())
            watermark = json.loads(storage.read(layout.SCAN))["frontier"]
            assert datetime.fromisoformat(watermark) == datetime.fromisoformat(newest)
    assert report.mode == "incremental"
    assert landed_payloads(storage).keys() == listed(world).keys()


def test_calls_that_come_and_go_during_the_scan(storage):
    world = small_world(calls=900)
    there = list(listed(world))
    gone: set[str] = set()
    came: set[str] = set()

    def drift(request, respond):
        if request.number % 2:
            name = there[(request.number * 37) % len(there)]
            if name not in gone:
                world.delete(name)
                gone.add(name)
            came.add(f"late-{request.number}")
            world.insert({**json.loads(call()), "id": f"late-{request.number}", "createdAt": "2026-03-04T16:30:00Z"})
        return respond(request)

    with simulated_api(world, faults=[drift]) as api:
        report = synced(storage, api)
    landed = landed_payloads(storage).keys()
    assert report.complete
    assert set(there) - gone <= landed
    assert len(came - landed) <= 1  # what came with the last request is for the next sync


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("fault", [Clamp(limit=40), EmptyPage(every=4), RateLimit(every=3, wait=0)])
def test_odd_answers_cost_no_call(storage, fault, monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.rate_limit._FIRST_WAIT", 0.01)
    world = small_world(calls=450)
    with simulated_api(world, faults=[fault]) as api:
        assert synced(storage, api).complete
    assert landed_payloads(storage) == listed(world)


def test_items_that_are_no_calls_are_rejected_once_and_stop_nothing(storage):
    items = [call(f"call-{n}") for n in range(3)] + [b"null", call(None), b'{"id": "x", "cost": NaN}', b"nonsense"]
    with simulated_api(items=items) as api:
        report = synced(storage, api)
        again = synced(storage, api, full=True)
    assert (report.calls_new, report.items_rejected, report.calls_seen) == (3, 4, 7)
    assert (again.calls_new, again.items_rejected, again.changed_days) == (0, 4, [])
    assert len(raw_rows(storage, "rejected")) == 4


def test_an_account_without_calls(storage):
    with simulated_api(items=[]) as api:
        report = synced(storage, api)
    assert (report.complete, report.calls_seen, report.total_end) == (True, 0, 0)
    assert raw_rows(storage) == []


def test_a_limited_sync_says_so_and_the_next_one_resumes(storage):
    world = small_world(calls=700)
    with simulated_api(world) as api:
        report = synced(storage, api, max_pages=3)
        assert (report.ending, report.complete, report.pages) == (Ending.LIMITED, False, 3)
        assert len(raw_rows(storage)) == 280
        rest = synced(storage, api)
    assert rest.resumed
    assert rest.complete
    assert landed_payloads(storage) == listed(world)


def test_progress_is_reported_after_each_page(storage):
    reported: list[PageProgress] = []
    with simulated_api(small_world(calls=250)) as api:
        report = synced(storage, api, on_page=reported.append)
    assert [one.pages for one in reported] == list(range(1, report.pages + 1))
    assert [one.seen for one in reported] == sorted(one.seen for one in reported)
    assert reported[-1].seen == reported[-1].total == report.calls_seen


def test_each_scan_leaves_a_record(storage):
    with simulated_api(small_world()) as api:
        first = synced(storage, api)
        second = synced(storage, api)
    record = scans(storage)
    assert record["mode"].to_list() == ["full", "incremental"]
    assert record["complete"].to_list() == [True, True]
    assert record["ending"].to_list() == [str(first.ending), str(second.ending)]
    assert record["order"].to_list() == ["newest first"] * 2
    assert record["calls_new"].to_list() == [first.calls_new, 0]
    assert record["calls_unchanged"].to_list() == [0, second.calls_seen]
    assert record["requests"].to_list() == [first.requests, second.requests]
    assert record["started_at"].dtype == pl.Datetime("us", "UTC")
    assert (record["finished_at"] > record["started_at"]).all()


def test_one_sync_at_a_time(storage):
    with (
        simulated_api(small_world()) as api,
        client_of(api.url) as client,
        storage.lock("sync"),
        pytest.raises(LakeBusyError) as busy,
    ):
        sync(storage, client, start_date=START_DATE)
    assert busy.value.exit_code == 1
    assert "Another process" in busy.value.message
    assert api.requests == []


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_far_from_the_apis_stops_the_sync_before_anything_lands(storage, hours):
    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(hours=hours)

    with simulated_api(small_world(), clock=clock) as api, pytest.raises(ChorusCallsError, match="clock"):
        synced(storage, api)
    assert raw_rows(storage) == []


def test_a_call_dated_ahead_does_not_move_the_watermark_past_now(storage):
    tomorrow = (state.now() + timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
    with simulated_api(items=[call("z", createdAt=tomorrow), call("a")]) as api:
        synced(storage, api)
    watermark = datetime.fromisoformat(json.loads(storage.read(layout.SCAN))["frontier"])
    assert watermark <= state.now()


NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
FILE = {
    "format": FORMAT,
    "order": "newest first",
    "frontier": "2026-03-04T12:00:00Z",
    "full_scan_at": "2026-03-04T12:00:00Z",
    "cut": {
        "started_at": "2026-03-04T12:00:00Z",
        "newest": "2026-03-04T12:00:00Z",
        "head": ["c9"],
        "tail": ["c1", "c0"],
        "end": 190,
        "pages": 2,
        "size": 190,
        "rising": 0,
        "falling": 188,
        "total": 1000,
        "edge": "2026-03-04T12:00:00Z",
    },
}
CHECKPOINT = Checkpoint(
    NOON, NOON, ["c9"], ["c1", "c0"], end=190, pages=2, size=190, rising=0, falling=188, total=1000, edge=NOON
)


def test_the_keys_of_the_file_stay():
    written = SyncState(order=Order.NEWEST, watermark=NOON, full_scan_at=NOON, checkpoint=CHECKPOINT)
    assert json.loads(msgspec.json.encode(written)) == FILE


def test_a_checkpoint_without_the_time_of_its_last_call_is_resumed():
    del (saved := json.loads(json.dumps(FILE)))["cut"]["edge"]
    checkpoint = msgspec.json.decode(json.dumps(saved), type=SyncState).checkpoint
    assert checkpoint == msgspec.structs.replace(CHECKPOINT, edge=None)
    scan = OrderedScan.resume(checkpoint)
    assert (scan.offset, scan.run.tail, scan.size) == (180, ("c1", "c0"), 190)


def test_a_call_of_another_account_stops_the_sync(storage):
    with simulated_api(items=[call("a")]) as api:
        synced(storage, api)
    with (
        simulated_api(items=[call("b", organizationId="org-2")]) as api,
        pytest.raises(ChorusCallsError, match=r"org-2.*CHORUS_LAKE"),
    ):
        synced(storage, api)
    assert [row["call_id"] for row in raw_rows(storage)] == ["a"]


@pytest.mark.parametrize("workers", [1, 8])
def test_calls_of_another_account_in_the_first_sync_stop_it(storage, workers):
    world = small_world(calls=450, days=2)
    with (
        simulated_api(world, faults=parse_faults("other_account:every=1:after=3")) as api,
        pytest.raises(ChorusCallsError, match=r"incomplete.*org_of_somebody_else.*CHORUS_LAKE"),
    ):
        synced(storage, api, workers=workers)
    assert b"org_of_somebody_else" not in b"".join(row["payload"].encode() for row in raw_rows(storage))
    assert len(raw_rows(storage)) == 280
    with simulated_api(world) as api:
        assert synced(storage, api).complete


def test_an_account_may_have_several_organisations(storage):
    first = [call(f"call-{number:03}", organizationId=f"org-{number % 2}") for number in range(150)]
    with simulated_api(items=first) as api:
        assert synced(storage, api).complete
        assert synced(storage, api, full=True).complete
    with (
        simulated_api(items=[*first, call("other", organizationId="org-2")]) as api,
        pytest.raises(ChorusCallsError, match="org-2"),
    ):
        synced(storage, api, full=True)
    assert {row["call_id"] for row in raw_rows(storage)} == {f"call-{number:03}" for number in range(150)}


def test_a_list_that_is_oldest_first_is_read_from_its_end(storage):
    world = small_world(calls=1_500, days=30)
    with simulated_api(world, order="oldest") as api:
        assert synced(storage, api).mode == "full"
        world.advance(hours=5)
        api.requests.clear()
        report = synced(storage, api, lookback_hours=48)
    assert (report.mode, report.order, report.ending) == ("incremental", Order.OLDEST, Ending.WATERMARK)
    assert report.calls_new > 0
    assert len(api.requests) == report.pages <= 10
    assert landed_payloads(storage).keys() == listed(world).keys()


@pytest.mark.slow
def test_a_list_that_has_turned_round_since_the_last_scan_is_read_whole(storage):
    world = small_world(calls=450, days=9)
    for order in ("newest", "oldest", "newest"):
        with simulated_api(world, order=order) as api:
            world.advance(hours=5)
            report = synced(storage, api)
            assert report.complete
            assert landed_payloads(storage).keys() == listed(world).keys()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 8])
def test_a_list_in_another_order_at_each_request_is_read_until_that_brings_nothing_new(storage, workers):
    world = small_world(calls=1_200)
    with simulated_api(world, order="shuffled") as api:
        report = synced(storage, api, workers=workers)
        assert landed_payloads(storage).keys() == listed(world).keys()
        assert (report.ending, report.order) == (Ending.SETTLED, Order.NONE)
        assert synced(storage, api).mode == "full"


@pytest.mark.slow
def test_a_list_without_order_that_shows_fewer_calls_than_it_counts_is_not_complete(storage):
    world = small_world(calls=300)
    hidden = json.loads(world.items()[0])["id"]

    def hide(request, respond):
        answer = respond(request)
        body = json.loads(answer.body)
        body["data"] = [item for item in body["data"] if item["id"] != hidden]
        return replace(answer, body=json.dumps(body).encode())

    with (
        simulated_api(world, order="shuffled", faults=[hide]) as api,
        pytest.raises(ChorusCallsError, match=r"incomplete: the list has no stable order"),
    ):
        synced(storage, api)
    assert len(landed_payloads(storage)) == len(listed(world)) - 1
    assert scans(storage)["complete"].to_list() == [False]


@pytest.mark.slow
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_fetched_at_the_same_time_land_the_same_calls(storage, order):
    world = small_world(calls=2_000, days=9)
    with simulated_api(world, order=order) as api:
        report = synced(storage, api, workers=8)
        assert report.complete
        assert landed_payloads(storage) == listed(world)
        assert len(raw_rows(storage)) == len(listed(world))
        assert report.requests == len(api.requests) <= 2_000 / 90 + 8
