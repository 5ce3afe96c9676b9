"""What an interrupted sync leaves and how the next resumes; merging its small files fails without failing the sync."""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta

import pytest

from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.scan.state import Ending
from pipelines.lake import layout, raw, state
from pipelines.lake.maintenance import compaction
from pipelines.lake.maintenance.expire_versions import expire
from pipelines.lake.storage import Storage
from pipelines.simulator import SimulatedApi
from pipelines.simulator.messages import error
from tests.support.extraction import call, last_scan, raw_rows, synced
from tests.support.simulated import simulated_api, small_world
from tests.support.small_lake import SmallLake

CALLS = 900


def down_after(pages: int, status: int = 500):
    """Return an API that answers so many pages and then no more."""
    return lambda request, respond: respond(request) if request.number <= pages else error(status, "down")


def ids(world) -> set[str]:
    return {json.loads(item)["id"] for item in world.items()}


def landed_ids(storage: Storage) -> set[str]:
    return {row["call_id"] for row in raw_rows(storage)}


def assert_resumed_to_the_end(report, storage: Storage, world) -> None:
    assert (report.resumed, report.complete) == (True, True)
    assert landed_ids(storage) == ids(world)


def interrupted_sync(storage: Storage, api: SimulatedApi, pages: int = 5) -> None:
    """Run a sync that ends after some pages because the API is down; the API is up again afterwards."""
    api.faults.append(down_after(len(api.requests) + pages))
    with pytest.raises(ChorusCallsError):
        synced(storage, api, retry_seconds=0)
    api.faults.clear()
    api.requests.clear()


def test_an_api_that_goes_down_leaves_what_was_read_and_says_incomplete(storage):
    world = small_world(calls=CALLS)
    with (
        simulated_api(world, faults=[down_after(5)]) as api,
        pytest.raises(ChorusCallsError, match=r"incomplete.*offset 450.*answered 500") as failed,
    ):
        synced(storage, api, retry_seconds=0)
    assert failed.value.exit_code == 1
    assert len(landed_ids(storage)) == 460
    assert (last_scan(storage)["complete"], last_scan(storage)["ending"]) == (False, "failed")
    assert last_scan(storage)["calls_new"] == 460


def test_the_next_sync_resumes_from_the_checkpoint(storage):
    world = small_world(calls=CALLS)
    with simulated_api(world) as api:
        interrupted_sync(storage, api)
        report = synced(storage, api)
        assert api.requests[0].offset == 450
    assert_resumed_to_the_end(report, storage, world)
    assert report.calls_new == len(ids(world)) - 460
    assert len(raw_rows(storage)) == len(ids(world))


@pytest.mark.slow
def test_new_calls_since_the_checkpoint_are_found_too(storage):
    world = small_world(calls=CALLS, days=3)
    with simulated_api(world) as api:
        interrupted_sync(storage, api)
        world.advance(days=1)
        assert len(ids(world)) > CALLS + 200
        report = synced(storage, api)
    assert_resumed_to_the_end(report, storage, world)


@pytest.mark.slow
def test_it_starts_again_if_the_checkpoint_is_not_found_in_the_list(storage):
    world = small_world(calls=CALLS)
    with simulated_api(world) as api:
        interrupted_sync(storage, api)
        for item in world.items()[430:470]:
            world.delete(json.loads(item)["id"])
        report = synced(storage, api)
    assert not report.resumed
    assert report.complete
    assert ids(world) <= landed_ids(storage)


@pytest.mark.slow
def test_a_resumed_scan_moves_the_watermark_to_where_it_had_begun(storage):
    world = small_world(calls=CALLS)
    newest = max(json.loads(item)["createdAt"] for item in world.items())
    with simulated_api(world) as api:
        interrupted_sync(storage, api)
        world.advance(hours=12)
        synced(storage, api)
        journal = json.loads(storage.read(layout.SCAN))
        assert journal["frontier"][:19] == newest[:19]
        assert journal["cut"] is None
        assert synced(storage, api).mode == "incremental"


def test_it_can_be_interrupted_again_and_again(storage):
    world = small_world(calls=CALLS)
    with simulated_api(world) as api:
        for _ in range(3):
            interrupted_sync(storage, api, pages=3)
        report = synced(storage, api)
    assert_resumed_to_the_end(report, storage, world)


@pytest.mark.slow
def test_an_interrupted_full_scan_does_not_block_incremental_ones(storage):
    world = small_world(calls=CALLS, days=9)
    with simulated_api(world) as api:
        synced(storage, api)
        api.faults.append(down_after(len(api.requests) + 5))
        with pytest.raises(ChorusCallsError):
            synced(storage, api, retry_seconds=0, full=True)
        api.faults.clear()
        world.advance(hours=3)
        assert synced(storage, api).mode == "incremental"
        assert landed_ids(storage) == ids(world)
        assert synced(storage, api, full=True).resumed


def test_a_failed_incremental_scan_leaves_the_watermark(storage):
    world = small_world(calls=CALLS, days=9)
    with simulated_api(world) as api:
        synced(storage, api)
        watermark = json.loads(storage.read(layout.SCAN))["frontier"]
        world.advance(days=2)
        interrupted_sync(storage, api, pages=1)
        assert json.loads(storage.read(layout.SCAN))["frontier"] == watermark
        report = synced(storage, api)
    assert (report.mode, report.ending) == ("incremental", Ending.WATERMARK)
    assert landed_ids(storage) == ids(world)


def test_a_key_that_is_revoked_midway_is_reported_as_such(storage):
    with (
        simulated_api(small_world(calls=CALLS), faults=[down_after(3, 401)]) as api,
        pytest.raises(KeyRefusedError, match=r"incomplete.*refused the key") as refused,
    ):
        synced(storage, api)
    assert refused.value.exit_code == 3
    assert len(landed_ids(storage)) == 280


def test_ctrl_c_keeps_what_was_read(storage):
    def interrupt(progress):
        if progress.pages == 4:
            raise KeyboardInterrupt

    world = small_world(calls=CALLS)
    with simulated_api(world) as api:
        with pytest.raises(KeyboardInterrupt):
            synced(storage, api, on_page=interrupt)
        assert len(landed_ids(storage)) == 370
        assert last_scan(storage)["ending"] == "interrupted"
        assert synced(storage, api).resumed
    assert landed_ids(storage) == ids(world)


class DiedError(BaseException):
    """Simulates a process that ends between two steps."""


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("step", ["files written", "landed, no journal"])
def test_a_process_that_dies_between_two_steps_leaves_nothing_double(storage, monkeypatch, step):
    world = small_world(calls=CALLS)
    real = state.commit

    def commit(storage, kept):
        if step == "files written" and kept.path == layout.LANDED:
            raise DiedError
        real(storage, kept)
        if kept.path == layout.LANDED:
            raise DiedError

    with simulated_api(world) as api:
        monkeypatch.setattr(state, "commit", commit)
        with pytest.raises(DiedError):
            synced(storage, api)
        assert storage.list("raw")
        monkeypatch.setattr(state, "commit", real)
        assert synced(storage, api).complete
    assert landed_ids(storage) == ids(world)
    assert len(raw_rows(storage)) == len(ids(world))
    expire(storage, timedelta(days=1))
    counted = sum(len(day.calls) for day in state.load_landed(storage).value.days.values())
    assert len(storage.list("raw")) == counted


def test_a_scan_that_had_reached_its_end_is_not_resumed(storage, monkeypatch):
    real = state.commit

    def commit(storage, kept):
        if kept.path == layout.SCAN and kept.value.checkpoint is None:
            raise DiedError
        real(storage, kept)

    world = small_world(calls=60)  # so few pages that only the last save would keep a place
    with simulated_api(world) as api:
        monkeypatch.setattr(state, "commit", commit)
        with pytest.raises(DiedError):
            synced(storage, api)
        monkeypatch.setattr(state, "commit", real)
        newest = json.loads(world.items()[0])
        world.replace(newest["id"], {**newest, "metadata": {"changed": True}})
        report = synced(storage, api, full=True)
    assert not report.resumed
    assert report.calls_changed == 1


def test_raw_is_kept_if_the_landing_log_is_lost(storage):
    world = small_world(calls=120)
    with simulated_api(world) as api:
        synced(storage, api)
        world.advance(days=1)
        synced(storage, api)
        files = storage.list("raw")
        storage.delete(layout.LANDED)
        with pytest.raises(ChorusCallsError, match=r"landed.json is missing.*doctor --repair"):
            synced(storage, api)
    assert storage.list("raw") == files
    assert {file.path.split("/")[1] for file in files} == {raw.CALLS}


DAY = date(2026, 3, 4)


class GrowingApi:
    """A simulated API, and a lake that has seven small files of one day from it: one call landed with each sync."""

    def __init__(self, storage: Storage, api: SimulatedApi, world) -> None:
        self.storage, self.api, self.world = storage, api, world
        for _ in range(compaction.MANY - 1):
            self.sync()

    def sync(self):
        """Sync, after one more call was made."""
        self.add()
        return synced(self.storage, self.api, retry_seconds=0)

    def add(self) -> None:
        item = json.loads(call(f"call-{len(self.world.items())}", createdAt=f"{DAY}T10:00:00Z"))
        self.world.insert(item)

    def files(self) -> int:
        return len(state.load_landed(self.storage).value.days[DAY].calls)

    def all_landed(self) -> bool:
        landed = {row["call_id"] for row in raw_rows(self.storage)}
        return landed == {json.loads(item)["id"] for item in self.world.items()}


@pytest.fixture
def growing(tmp_path):
    world = small_world(calls=1, days=1)
    with simulated_api(world) as api:
        yield GrowingApi(SmallLake(tmp_path / "lake").storage, api, world)


def test_the_eighth_small_file_lets_a_sync_merge_them(growing):
    assert growing.files() == 7
    digest = state.load_landed(growing.storage).value.days[DAY].digest
    report = growing.sync()
    assert report.complete
    assert growing.files() == 1
    assert growing.all_landed()
    assert state.load_landed(growing.storage).value.days[DAY].digest != digest  # a call has landed
    growing.sync()
    assert growing.files() == 2
    assert growing.all_landed()


def test_an_incomplete_sync_merges_them_too(growing):
    for number in range(150):
        growing.world.insert({**json.loads(call()), "id": f"late-{number}", "createdAt": f"{DAY}T11:00:00Z"})
    asked = len(growing.api.requests)
    growing.api.faults.append(
        lambda request, respond: respond(request) if request.number <= asked + 1 else error(500, "down")
    )
    with pytest.raises(ChorusCallsError, match="incomplete"):
        synced(growing.storage, growing.api, retry_seconds=0)
    assert growing.files() == 1
    assert len(raw_rows(growing.storage)) > 100


def test_a_full_disk_leaves_the_sync_complete_and_is_reported(growing, monkeypatch, caplog):
    real = raw.write_versions

    def write(*args, **options):
        if options.get("merged"):
            raise OSError(28, "No space left on device")
        return real(*args, **options)

    monkeypatch.setattr(raw, "write_versions", write)
    with caplog.at_level(logging.WARNING):
        assert growing.sync().complete
    assert "No space left" in caplog.text
    assert growing.files() == 8
    assert growing.all_landed()
    monkeypatch.setattr(raw, "write_versions", real)
    assert synced(growing.storage, growing.api).complete
    assert growing.files() == 1


def test_ctrl_c_while_files_are_merged_stops_it_after_a_complete_scan(growing, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(raw, "read_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            growing.sync()
    assert last_scan(growing.storage)["complete"]
    assert growing.files() == 8
    assert growing.all_landed()


def test_ctrl_c_while_pages_are_read_does_not_wait_for_files_to_be_merged(growing):
    def interrupt(_):
        raise KeyboardInterrupt

    growing.add()
    with pytest.raises(KeyboardInterrupt):
        synced(growing.storage, growing.api, on_page=interrupt)
    assert growing.files() == 8
    assert growing.all_landed()
