"""What the API brings after an erasure, and erasures while syncs and builds run."""

from __future__ import annotations

import json
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
from tests.support.erasure_account import GONE, NUMBER, encoded, everything, item, leg, texts_of, traces

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("account")]

ITEMS = everything()


@pytest.fixture
def rows(program, account):  # noqa: ARG001 - the lake has to be there first
    """The rows after the customer was forgotten."""
    assert program("forget", "--number", NUMBER)[0] == 0
    return program.rows()


def sync(program, serve, *new, order="newest", options=("--full",)):
    serve(items=encoded([*ITEMS, *new]), order=order)
    return program.sync(*options)


def holds(program, *names):
    """Return whether any file of the lake has one of these ids."""
    return {(place, column) for place, column, text in texts_of(program.lake) if any(name in text for name in names)}


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("options", [(), ("--full",)])
def test_a_new_call_does_not_land_nor_its_children(program, serve, rows, order, options):
    new = [
        item("newcomer", "2026-03-07T23:59:00Z", customerNumber="+1 555 010 0123", transferCalls=[leg("its-leg")]),
        item("child-of-newcomer", "2026-03-08T00:01:00Z", parentCallId="newcomer"),
        item("grandchild-of-newcomer", "2026-03-08T00:02:00Z", parentCallId="child-of-newcomer"),
    ]
    for _ in range(2):
        sync(program, serve, *new, order=order, options=options)
        assert program.rows() == rows
        assert holds(program, "newcomer", "its-leg") == set()
    assert json.loads((program.lake / "state/erased.json").read_bytes())["pending"] is None


def test_a_child_that_landed_before_its_parent_was_seen_is_removed(program, serve, rows):
    child = item("early-child", "2026-03-07T13:01:00Z", parentCallId="newcomer")
    sync(program, serve, child)
    assert program.rows() != rows
    code, _, err = run_sync(program, serve, child, item("newcomer", "2026-03-07T13:00:00Z", customerNumber=NUMBER))
    assert code == 0
    assert "An erasure is listed and not finished; finishing it." in err
    assert program.rows() == rows
    assert holds(program, "early-child", "newcomer") == set()


def run_sync(program, serve, *new):
    serve(items=encoded([*ITEMS, *new]))
    return program("sync", "--full")


def test_a_call_whose_number_turns_out_to_be_the_customers_goes(program, serve, rows):
    sync(program, serve, item("turncoat", "2026-03-07T13:00:00Z", customerNumber=None))
    assert holds(program, "turncoat")
    report = sync(program, serve, item("turncoat", "2026-03-07T13:00:00Z", customerNumber=NUMBER))
    assert report["scan"]["calls_deleted"] == 0
    assert program.rows() == rows
    assert holds(program, "turncoat") == set()


@pytest.mark.usefixtures("rows")
def test_a_new_leg_goes_and_the_item_that_it_is(program, serve):
    call = item("caller", "2026-03-07T13:00:00Z", transferCalls=[leg("bad-leg", NUMBER), leg("good-leg")])
    child = item("bad-leg", "2026-03-07T13:01:00Z", parentCallId="caller", customerNumber=None)
    again = item("caller", "2026-03-07T13:00:00Z", transferCalls=[leg("bad-leg", None), leg("good-leg")])
    for new in ([call, child], [call, child], [again, child]):
        report = sync(program, serve, *new)
        assert holds(program, "bad-leg") == set()
        assert holds(program, "good-leg")
    assert (report["scan"]["calls_new"], report["scan"]["calls_changed"]) == (0, 0)
    program.assert_tables_are_the_oracles()


def test_the_journal_of_an_interrupted_scan_names_nobody(program, serve, rows):
    fillers = [item(f"filler-{number:03}", f"2026-02-{1 + number // 10:02}T10:00:00Z") for number in range(250)]
    serve(items=encoded([*fillers, *ITEMS]))
    assert program.sync("--full", "--max-pages", "1")["scan"]["ending"] == "limited to a number of pages"
    journal = (program.lake / "state/scan.json").read_text()
    assert json.loads(journal)["cut"]["head"]
    assert not any(name in journal for name in GONE)
    assert program.sync("--full")["scan"]["resumed"]
    assert {day: program.rows()[day] for day in rows} == rows


def test_a_journal_that_names_the_customer_is_cleaned(program, serve):
    newest = [item(f"newer-{number:03}", "2026-03-08T10:00:00Z", customerNumber=NUMBER) for number in range(150)]
    serve(items=encoded([*ITEMS, *newest]))
    program.sync("--full", "--max-pages", "1")
    assert "newer-149" in (program.lake / "state/scan.json").read_text()
    assert program("forget", "--number", NUMBER)[0] == 0
    assert holds(program, "newer-") == set()
    report = program.sync("--full")["scan"]
    assert (report["complete"], report["resumed"], report["calls_new"]) == (True, False, 0)


REPOSITORY = Path(__file__).resolve().parents[2]


def unwanted(program):
    """Return where the customer still is, beside what others said."""
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

    def notify(line):
        said.append(line)
        waits.set()

    workspace = open_workspace(load_settings())
    one = threading.Thread(target=forget, args=(workspace, read_request(NUMBER, None), notify))
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
