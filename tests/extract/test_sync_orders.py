"""Lists in every order the API may keep: what a sync asks for, and what it calls complete."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.scan.state import Ending, Order
from pipelines.lake.storage import Storage
from tests.support.extraction import landed_payloads, listed, raw_rows, scans, synced
from tests.support.simulated import simulated_api, small_world
from tests.support.small_lake import SmallLake


@pytest.fixture
def storage(tmp_path) -> Storage:
    return SmallLake(tmp_path / "lake").storage


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
