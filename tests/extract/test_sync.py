from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.scan.state import Ending, Order
from pipelines.extract.sync import PageProgress, sync
from pipelines.lake import layout, state
from pipelines.lake.storage import LakeBusyError, Storage
from pipelines.simulator.faults import Clamp, EmptyPage, RateLimit
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
from tests.support.small_lake import SmallLake


@pytest.fixture
def storage(tmp_path) -> Storage:
    return SmallLake(tmp_path / "lake").storage


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
def test_the_frontier_moves_with_each_complete_scan(storage):
    world = small_world(calls=300, days=10)
    with simulated_api(world) as api:
        for hours in (0, 30, 30):
            world.advance(hours=hours)
            report = synced(storage, api, lookback_hours=1)
            newest = max(json.loads(item)["createdAt"] for item in world.items())
            frontier = json.loads(storage.read(layout.SCAN))["frontier"]
            assert datetime.fromisoformat(frontier) == datetime.fromisoformat(newest)
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


def test_a_call_dated_ahead_does_not_move_the_frontier_past_now(storage):
    tomorrow = (state.now() + timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
    with simulated_api(items=[call("z", createdAt=tomorrow), call("a")]) as api:
        synced(storage, api)
    frontier = datetime.fromisoformat(json.loads(storage.read(layout.SCAN))["frontier"])
    assert frontier <= state.now()
