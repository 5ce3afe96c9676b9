"""Building days side by side: every day once and the same as alone, and no hanging where something goes wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.materialize import days as days_module
from pipelines.materialize import processes
from pipelines.materialize.day import plan_builds
from pipelines.materialize.days import build_days
from tests.support.json_text import to_json
from tests.support.lakes import land, place, published_rows, workspace

DAYS = [date(2026, 3, 1) + timedelta(days=number) for number in range(6)]


KILLED = """
import os, signal
from pipelines.materialize.processes import _worker
from pipelines.lake.state import Landed
with _worker(None, None, Landed()) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def call(call_id: str, day: date) -> str:
    created = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).isoformat()
    return to_json({"id": call_id, "createdAt": created, "status": "completed", "transferCalls": [{"id": "leg"}]})


@pytest.fixture
def lake(tmp_path):
    opened = workspace(tmp_path / "lake")
    land(opened, place(call(f"call {number}", day) for number, day in enumerate(DAYS)))
    return opened


@pytest.fixture
def processors(monkeypatch):
    return lambda count: monkeypatch.setattr(processes, "_processors", lambda: count)


def spoil(opened, day: date) -> None:
    (file,) = Path(opened.storage.address(layout.raw_folder("calls", day))).iterdir()
    file.chmod(0o600)
    file.write_bytes(b"no parquet")


def test_days_come_out_of_several_processes_as_out_of_one(lake, processors, tmp_path):
    processors(3)
    heard = []
    report = build_days(lake, DAYS, on_day=heard.append)
    assert report.published.published == report.built == sorted(heard) == DAYS

    processors(1)
    alone = workspace(tmp_path / "alone")
    land(alone, place(call(f"call {number}", day) for number, day in enumerate(DAYS)))
    assert build_days(alone, DAYS).rows == report.rows
    for day in DAYS:
        assert published_rows(alone, day) == published_rows(lake, day)


@pytest.mark.parametrize("batch", [2, 31])
@pytest.mark.parametrize("bad", [DAYS[1], DAYS[-1]], ids=["of one process", "of the other"])
def test_a_day_that_cannot_be_built_keeps_no_other_from_being_published(lake, processors, monkeypatch, bad, batch):
    processors(2)
    monkeypatch.setattr(days_module, "BATCH", batch)
    spoil(lake, bad)
    heard = []
    with pytest.raises(ChorusCallsError, match=rf"{bad} could not be built.*[Pp]arquet") as failure:
        build_days(lake, DAYS, on_day=heard.append)
    assert failure.value.__cause__ is not None
    assert sorted(state.load_manifest(lake.storage).value.days) == [day for day in DAYS if day != bad]
    assert sorted(heard) == DAYS


def test_a_process_that_dies_ends_the_build(lake, processors, monkeypatch):
    processors(2)
    monkeypatch.setattr(processes, "_start", sys.exit)  # any function that a new process can import
    landed = state.load_landed(lake.storage).value
    with pytest.raises(BrokenProcessPool):
        list(
            processes.build_versions(
                lake.storage, lake.flatten_settings, [plan_builds(lake, DAYS, state.Manifest(), landed)], landed
            )
        )


def test_the_processes_of_a_killed_build_end_too():
    # The other process has its standard output from the killed one, so reading that comes to its end with the last.
    ended = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert int(ended.stdout)


def test_an_idle_process_takes_days_that_others_have_not_begun():
    work = processes.WorkQueue([[(day, "version") for day in DAYS]], 2)
    taken = taken_by(work, 1)
    assert sorted(taken) == DAYS
    assert taken[:3] == DAYS[3:]


def test_the_next_batch_begins_when_the_last_day_of_the_one_before_is_taken():
    work = processes.WorkQueue(
        [[(day, "version") for day in batch] for batch in (DAYS[4:], [], DAYS[1:4], DAYS[:1])], 2
    )
    assert work.processes == 2
    assert [work.take(0), work.take(1)] == [(DAYS[4], "version"), (DAYS[5], "version")]
    taken = taken_by(work, 0)
    assert (set(taken[:3]), taken[3:]) == (set(DAYS[1:4]), DAYS[:1])
    assert work.take(1) is None


def taken_by(work: processes.WorkQueue, number: int) -> list[date]:
    taken = []
    while (after := work.take(number)) is not None:
        taken.append(after[0])
    return taken


def test_a_worker_imports_neither_settings_nor_http_nor_duckdb():
    program = (
        "import sys, pipelines.materialize.processes\n"
        "print(*sorted({'pydantic', 'requests', 'duckdb', 'click'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
