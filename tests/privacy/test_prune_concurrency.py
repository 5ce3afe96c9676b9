"""Beside syncs, builds and runs: a prune waits for who is at work, and lets nobody begin."""

from __future__ import annotations

import threading

import pytest

from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance import retention as module
from pipelines.lake.publish import Build, read_plan, write_plan
from pipelines.lake.storage import LakeBusyError
from tests.support.old_days import DAYS, SEVEN, clock, days_on_disk, items, lake

pytestmark = pytest.mark.slow

__all__ = ["clock", "items", "lake"]


@pytest.mark.parametrize(("name", "shared", "word"), [("sync", False, "a sync"), ("lake", True, "builds")])
def test_it_waits_for_a_running_sync_or_build(lake, monkeypatch, name, shared, word):
    storage, said = LocalStorage(lake.lake), []
    holding, prune_waits, over = threading.Event(), threading.Event(), threading.Event()

    def hold():
        with storage.lock(name, shared=shared):
            holding.set()
            prune_waits.wait(30)
            over.set()

    def say(line):
        said.append(line)
        prune_waits.set()

    def remove(*arguments):
        assert over.is_set()
        with pytest.raises(LakeBusyError), storage.lock(name, shared=True, wait=0):
            pass
        return real(*arguments)

    real = module.remove_before_floor
    monkeypatch.setattr(module, "remove_before_floor", remove)
    monkeypatch.setattr("pipelines.cli.lake.say", say)
    other = threading.Thread(target=hold)
    other.start()
    assert holding.wait(30)
    assert lake(*SEVEN, "--yes")[0] == 0
    other.join()
    assert said[0].startswith(f"Waiting for {word} to end. Nothing has been changed yet")
    assert days_on_disk(lake) == DAYS[2:]


def test_nobody_begins_while_it_removes(lake, monkeypatch):
    storage, tried = LocalStorage(lake.lake), []

    def meanwhile(*arguments):
        for name, shared in (("sync", False), ("lake", True)):
            with pytest.raises(LakeBusyError), storage.lock(name, shared=shared, wait=0):
                pass
            tried.append(name)
        return real(*arguments)

    real = module.remove_before_floor
    monkeypatch.setattr(module, "remove_before_floor", meanwhile)
    assert lake(*SEVEN, "--yes")[0] == 0
    assert tried == ["sync", "lake"]


def test_a_planned_run_does_not_bring_them_back(lake):
    storage = LocalStorage(lake.lake)
    write_plan(storage, "run", {day: Build("a" * 24, None) for day in (*DAYS[:2], DAYS[4])})
    lake(*SEVEN, "--yes")
    assert list(read_plan(storage, "run")) == [DAYS[4]]
