"""Forget while syncs and builds run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipelines.lake import state
from pipelines.lake.local import LocalStorage
from pipelines.materialize.days import build_days
from pipelines.privacy.forget import forget, read_request
from pipelines.settings import load_settings
from pipelines.workspace import open_workspace
from tests.support.erasure_account import NUMBER, traces

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("account")]
REPOSITORY = Path(__file__).resolve().parents[2]


def unwanted(program):
    """Where the customer still is, beside what others said."""
    return {
        trace
        for trace in traces(program.lake)
        if trace[1] not in ("summary", "extractions", "content", "value") and '"mentions"' not in trace[2]
    }


@pytest.mark.parametrize(
    ("lock", "shared", "who"), [("sync", False, "a sync"), ("lake", True, "builds")], ids=["sync", "builds"]
)
def test_it_waits_for_a_running_sync_or_build_and_says_so(program, lock, shared, who):
    before = program.files()
    said, waits = [], threading.Event()

    def tell(line):
        said.append(line)
        waits.set()

    workspace = open_workspace(load_settings())
    one = threading.Thread(target=forget, args=(workspace, read_request(NUMBER, None), tell))
    with LocalStorage(program.lake).lock(lock, shared=shared):
        one.start()
        assert waits.wait(60)
        assert said == [f"Waiting for {who} to end. Nothing has been changed yet; Ctrl-C leaves all as it is."]
        assert program.files() == before
        assert not (program.lake / "state/erased.json").exists()
    one.join(60)
    assert not one.is_alive()
    assert unwanted(program) == set()


def test_syncs_and_builds_in_flight_bring_nothing_back(program):
    """Each in a process of its own, over and over; whichever comes first, nothing is left in the end."""
    over = threading.Event()
    ended = []

    def work(*words):
        while not over.is_set():
            command = [sys.executable, "-m", "pipelines.cli.main", *words]
            environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
            ended.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=False))

    others = [threading.Thread(target=work, args=words) for words in (("sync", "--full"), ("build", "--all"))]
    for other in others:
        other.start()
    try:
        while len(ended) < 2:
            over.wait(0.1)
        assert program("forget", "--number", NUMBER)[0] == 0
        known = len(ended)
        while len(ended) < known + 2:
            over.wait(0.1)
    finally:
        over.set()
        for other in others:
            other.join()
    assert [done.stderr for done in ended if done.returncode and "Another process" not in done.stderr] == []
    assert program.sync("--full")["scan"]["complete"]
    assert unwanted(program) == set()
    program.assert_tables_are_the_oracles()


def test_a_build_that_chose_its_days_before_an_erasure_publishes_no_day_that_is_gone(program):
    """`build --all` chooses its days before it takes the lock, and an erasure may empty some of them in between."""
    workspace = open_workspace(load_settings())
    chosen = sorted(state.load_landed(workspace.storage).value.days)
    assert program("forget", "--number", NUMBER)[0] == 0
    left = state.load_landed(workspace.storage).value.days.keys()
    assert left < set(chosen)
    build_days(workspace, chosen)
    assert state.load_manifest(workspace.storage).value.days.keys() == left
    program.assert_tables_are_the_oracles()
