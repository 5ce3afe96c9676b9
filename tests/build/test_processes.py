"""Building days side by side: every day once and the same as alone, and no hanging where something goes wrong."""

from __future__ import annotations

import sys
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.build import processes
from pipelines.build.day import plan_builds
from pipelines.build.days import build_days
from pipelines.lake import layout, state
from tests.support.json_text import to_json
from tests.support.lakes import land, place, published_rows, workspace

DAYS = [date(2026, 3, 1) + timedelta(days=number) for number in range(6)]


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


@pytest.mark.parametrize("day", [DAYS[0], DAYS[-1]], ids=["of this process", "of another process"])
def test_an_error_in_one_day_ends_the_build(lake, processors, day):
    processors(2)
    spoil(lake, day)
    with pytest.raises(Exception, match=r"[Pp]arquet"):
        build_days(lake, DAYS)
    assert not state.load_manifest(lake.storage).value.days


def test_a_process_that_dies_ends_the_build(lake, processors, monkeypatch):
    processors(2)
    monkeypatch.setattr(processes, "_open", sys.exit)  # any function that a process started anew can find
    landed = state.load_landed(lake.storage).value
    with pytest.raises(BrokenProcessPool):
        list(processes.build_versions(lake, plan_builds(lake, DAYS, state.Manifest(), landed), landed))


def test_an_idle_process_takes_days_that_others_have_not_begun():
    runs = processes._runs([(day, "version") for day in DAYS], 2)
    taken = []
    while (after := processes._next(runs, 1)) is not None:
        taken.append(after[0])
    assert sorted(taken) == DAYS
    assert taken[:3] == DAYS[3:]
