"""Every program takes the lake's locks in one order, so that no two can wait for each other."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from contextlib import contextmanager

import dagster as dg
import pytest

from assets.definitions import defs
from assets.instance.in_process_runs import run_extract
from assets.resources import LakeResource
from assets.sensors import changed_days
from pipelines.lake.local import LocalStorage
from tests.support.dagster_runs import run_stale_days
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

ORDER = ["sync", "lake", "publish", "swap"]


@pytest.fixture
def taken(monkeypatch):
    """Watch who takes which lock; gives the locks that were held together, each as a chain in the order of taking."""
    held = defaultdict(list)
    chains: set[tuple[str, ...]] = set()
    lock = LocalStorage.lock

    @contextmanager
    def watched(storage, name, *, shared=False, wait=None):
        mine = held[threading.get_ident()]
        assert name in ORDER
        assert all(ORDER.index(other) < ORDER.index(name) for other in mine), (mine, name)
        assert name != "lake" or shared or wait is not None, "waits until everybody has left the lake"
        with lock(storage, name, shared=shared, wait=wait):
            mine.append(name)
            chains.add(tuple(mine))
            try:
                yield
            finally:
                mine.remove(name)

    monkeypatch.setattr(LocalStorage, "lock", watched)
    return chains


@pytest.fixture
def world(serve):
    made = small_world(calls=60, days=2)
    serve(made)
    return made


def test_commands_take_locks_in_one_order(program, world, monkeypatch, taken):
    monkeypatch.setenv("CHORUS_KEEP_VERSIONS_HOURS", "0")
    program.sync()
    world.advance(hours=3)
    program.sync("--full")
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    for command in ("build", "build --accept-settings", "build --all --recheck", "catalog", "status", "sync"):
        program(*command.split())
    program("forget", "--number", next(number for number in numbers(program) if number.startswith("+1")))
    (program.lake / "manifest.json").unlink()
    for command in ("doctor", "doctor --repair", "doctor"):
        program(*command.split())
    program("sync", "--full")
    assert {("sync", "lake", "swap"), ("lake", "publish", "swap"), ("sync", "lake", "publish", "swap")} <= taken
    program.assert_tables_are_the_oracles(timezone="Asia/Kolkata")
    assert program("prune", "--older-than", "1d", "--yes")[0] == 0


def numbers(program):
    return (json.loads(payload)["customerNumber"] or "" for payload in program.newest())


def test_dagsters_jobs_take_locks_in_one_order(program, world, taken):
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            assert run_extract(instance, full=True).success
            repository, lake = defs.get_repository_def(), {"lake": LakeResource()}
            changed_days.evaluate_tick(
                dg.build_sensor_context(instance=instance, repository_def=repository, resources=lake)
            )
            assert all(result.success for result in run_stale_days(instance))
            world.advance(hours=3)
    assert {("sync", "lake", "swap"), ("lake", "publish", "swap")} <= taken
    program.assert_tables_are_the_oracles()
