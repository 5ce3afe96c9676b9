"""The end of a sync merges a day's small raw files; what goes wrong with that does not make a sync incomplete."""

from __future__ import annotations

import json
import logging
from datetime import date

import polars as pl
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, raw, state
from pipelines.lake.maintenance import compaction
from pipelines.lake.storage import Storage
from pipelines.simulator import SimulatedApi
from pipelines.simulator.messages import error
from tests.support.extraction import call, raw_rows, synced
from tests.support.simulated import simulated_api, small_world
from tests.support.small_lake import SmallLake

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


def last_scan(storage):
    return pl.read_parquet(storage.address(layout.SCANS)).row(-1, named=True)


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
