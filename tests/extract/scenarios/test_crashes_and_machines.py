"""Processes that die, machines that are in trouble, and syncs that meet: what landed is kept, and nothing is mixed."""

from __future__ import annotations

import errno
import os
import signal
import stat
import threading
from pathlib import Path

import dagster as dg
import pytest

from assets.instance.in_process_runs import run_extract
from pipelines.extract import sync as extraction
from pipelines.lake import disk
from pipelines.settings import load_settings
from pipelines.workspace import open_workspace
from tests.support.dagster_runs import step_failures
from tests.support.extraction import landed_ids, last_scan, listed_ids
from tests.support.faulty_disk import NEEDS_SPACE, Fault, FaultyDisk
from tests.support.killed_runs import Run
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

CALLS = 450
PAGES = 4
"""Pages that are shown before the API stops answering."""
WAIT = 60


class Holding:
    """An API that shows some pages and then lets every request wait until it is released."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.on = threading.Event()

    def __call__(self, request, respond):
        if request.number > PAGES:
            self.reached.set()
            while not (self.on.wait(0.05) or request.stopping.is_set()):
                pass
        return respond(request)


@pytest.fixture
def world():
    return small_world(calls=CALLS, days=3)


@pytest.fixture
def holding(serve, world):
    """The API over the world, which waits after some pages."""
    hold = Holding()
    serve(world, faults=[hold])
    return hold


@pytest.fixture
def running(program, holding, monkeypatch):
    """A process that syncs, one page after the other, and that the API lets wait."""
    monkeypatch.setenv("CHORUS_WORKERS", "1")
    monkeypatch.setattr(extraction, "_LOCK_WAIT_SECONDS", 0)
    run = Run(program.lake.parent, {})
    try:
        run.begin("sync")
        assert holding.reached.wait(WAIT), run.said()
        yield run
    finally:
        run.close()


def storage():
    return open_workspace(load_settings()).storage


def assert_whole_now(program, world):
    assert set(landed_ids(storage())) == set(listed_ids(world))
    program.assert_tables_are_the_oracles()


def assert_whole(program, world):
    """Assert that every call has landed once and is in the tables, as if nothing had happened."""
    assert landed_ids(storage()) == listed_ids(world)
    program.assert_tables_are_the_oracles()


def test_43_a_sync_that_is_killed_in_the_middle_is_no_obstacle_and_costs_nothing(program, world, running, holding):
    running.kill()
    holding.on.set()
    assert program.sync()["scan"]["complete"]
    assert_whole(program, world)


@pytest.mark.parametrize("stopped_by", [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_43_a_sync_that_is_stopped_keeps_what_it_read_and_is_resumed(program, world, running, holding, stopped_by):
    number, code = stopped_by
    os.kill(running.pid, number)
    assert running.ends_within(WAIT), running.said()
    assert running.code() == code, running.said()
    assert "Traceback" not in running.said()
    kept = landed_ids(storage())
    assert len(kept) >= PAGES * 90
    assert set(kept) < set(listed_ids(world))
    assert last_scan(storage())["ending"] == "interrupted"
    holding.on.set()
    scan = program.sync()["scan"]
    assert (scan["complete"], scan["resumed"]) == (True, True)
    assert scan["calls_new"] == len(listed_ids(world)) - len(kept)
    assert_whole(program, world)


@pytest.fixture
def synced(program, serve, world):
    """A lake of the world, before some of its calls changed."""
    serve(world)
    program.sync()
    world.advance(hours=3)
    return program


def assert_refused_in_words(program, words):
    code, out, err = program("sync")
    assert (code, out) == (1, "")
    assert words in err
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if not line.startswith("Fetching")]) <= 2


def test_44_a_full_disk_leaves_everything_as_it_was(synced, world):
    before = synced.rows()
    with pytest.MonkeyPatch.context() as monkeypatch:
        FaultyDisk(Fault.FULL).take_over(monkeypatch)
        assert_refused_in_words(synced, os.strerror(errno.ENOSPC))
    assert synced.rows() == before
    synced.sync()
    assert_whole_now(synced, world)


def test_44_so_does_a_lake_that_can_only_be_read(synced, world):
    def refuse(path: Path, *_: object):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    before = synced.rows()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in {*NEEDS_SPACE, "rename", "remove", "protect"} & set(vars(disk)):
            monkeypatch.setattr(disk, name, refuse)
        assert_refused_in_words(synced, os.strerror(errno.EROFS))
    assert synced.rows() == before
    synced.sync()
    assert_whole_now(synced, world)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_44_and_one_whose_folders_are_somebody_elses(synced):
    folders = [synced.lake, *(path for path in synced.lake.rglob("*") if path.is_dir())]
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in folders}
    for folder in folders:
        folder.chmod(0o500)
    try:
        assert_refused_in_words(synced, os.strerror(errno.EACCES))
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)
    assert synced.sync()["scan"]["complete"]


def test_45_of_two_syncs_the_second_is_refused_and_the_first_ends_as_if_alone(program, world, running, holding):
    assert_refused_in_words(program, "Another process is working on the lake")
    holding.on.set()
    assert running.ends_within(WAIT)
    assert running.code() == 0, running.said()
    assert_whole(program, world)


def test_45_also_where_one_of_them_runs_in_dagster(program, world, running, holding):
    with dg.DagsterInstance.ephemeral() as instance:
        refused = run_extract(instance)
        assert not refused.success
        (words,) = step_failures(refused).values()
        assert "Another process is working on the lake" in words
        holding.on.set()
        assert running.ends_within(WAIT)
        assert running.code() == 0, running.said()
        assert run_extract(instance).success
    assert_whole(program, world)
