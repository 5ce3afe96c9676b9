"""Building days, in one process and in several: complete versions are used again, and a bad day costs itself alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, raw, state
from pipelines.lake.versions import fingerprint, read_audit
from pipelines.materialize import day as day_module
from pipelines.materialize import days as build_module
from pipelines.materialize import days as days_module
from pipelines.materialize import processes
from pipelines.materialize.day import VersionBuilder, plan_builds
from pipelines.materialize.days import build_days
from pipelines.quality import CHECKS_VERSION
from pipelines.quality.check import CheckResult
from tests.oracle.compare import assert_same_tables
from tests.oracle.tables import expected_lake
from tests.support.json_text import to_json
from tests.support.lakes import FIRST_LANDING, land, oracle_shaping, place, published_rows, version_rows, workspace
from tests.support.simulated import small_world


@pytest.fixture(scope="module")
def landed():
    """The calls of some days, by day."""
    return place(item.decode() for item in small_world(calls=60, days=5).items())


@pytest.fixture
def lake(tmp_path, landed, monkeypatch):
    monkeypatch.setattr(processes, "_processors", lambda: 1)
    opened = workspace(tmp_path / "lake")
    land(opened, landed)
    return opened


def manifest(lake):
    return state.load_manifest(lake.storage).value


def files(lake):
    """Return every file of a version, with what distinguishes it from one written again."""
    paths = (lake.storage.root / file.path for file in lake.storage.list("days"))
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_processes_side_by_side_build_what_one_does(tmp_path, landed, monkeypatch):
    days, rows, reports = sorted(landed), [], []
    for name, processors in (("one", 1), ("two", 2)):
        monkeypatch.setattr(processes, "_processors", lambda processors=processors: processors)
        opened = workspace(tmp_path / name)
        land(opened, landed)
        notified = []
        reports.append(build_days(opened, days, on_day=notified.append))
        assert sorted(notified) == days
        rows.append({day: published_rows(opened, day) for day in days})
    assert len(days) >= 4  # so that another process is started
    assert rows[0] == rows[1]
    assert reports[0].rows == reports[1].rows
    assert reports[0].built == reports[1].built == days
    for day, expected in expected_lake(landed, {}, oracle_shaping(opened)).items():
        assert_same_tables(rows[1][day], expected)


def test_a_complete_version_is_used_again(lake, landed):
    days = sorted(landed)
    first = build_days(lake, days[:2])
    before = files(lake)
    second = build_days(lake, days)
    assert (second.built, second.reused) == (days[2:], days[:2])
    assert (second.published.published, second.published.already) == (days[2:], days[:2])
    assert {path: found for path, found in files(lake).items() if path in before} == before
    third = build_days(lake, days)
    assert (third.built, third.reused, third.published.already) == ([], days, days)
    assert third.rows == second.rows
    assert first.rows["calls"] < third.rows["calls"]
    assert manifest(lake).generation == 2


def test_a_version_that_lacks_a_file_is_built_again(lake, landed):
    day = min(landed)
    build_days(lake, [day])
    rows = published_rows(lake, day)
    (lake.storage.root / layout.table_file(day, manifest(lake).days[day].version, "calls")).unlink()
    assert build_days(lake, [day]).built == [day]
    assert published_rows(lake, day) == rows


def test_new_calls_make_a_day_and_the_one_after_it_new(lake, landed):
    days = sorted(landed)
    build_days(lake, days)
    before = {day: published.version for day, published in manifest(lake).days.items()}
    land(lake, {days[0]: landed[days[0]][:1]}, name="again")
    report = build_days(lake, days)
    assert report.built == [day for day in days if day in (days[0], days[0] + timedelta(days=1))]
    assert list(manifest(lake).unreferenced) == [layout.version_folder(day, before[day]) for day in report.built]


def refusing(patch, *days):
    """Let a check fail on some days."""
    judge = day_module.audit

    def refuse(tables):
        found = judge(tables)
        if tables.day not in days:
            return found
        return [*found, CheckResult("sums", "call_metrics_daily", passed=False, rows=1, detail="a call is missing")]

    patch.setattr(day_module, "audit", refuse)


def test_a_failing_check_refuses_one_day_only(lake, landed, monkeypatch):
    days = sorted(landed)
    bad = days[1]
    refusing(monkeypatch, bad)
    report = build_days(lake, days)
    assert report.built == days
    assert report.published.published == [day for day in days if day != bad]
    assert [verdict.detail for verdict in report.published.refused[bad]] == ["a call is missing"]
    assert bad not in manifest(lake).days
    assert not (lake.storage.root / layout.link_file(bad, "calls")).exists()


def test_a_refused_day_is_published_once_newer_checks_find_it_good(lake, landed, monkeypatch):
    bad = min(landed)
    with pytest.MonkeyPatch.context() as patch:
        refusing(patch, bad)
        build_days(lake, [bad])
    assert build_days(lake, [bad]).published.published == []
    assert build_days(lake, [bad], recheck=True).published.published == []  # the checks are the same
    monkeypatch.setattr(build_module, "CHECKS_VERSION", CHECKS_VERSION + 1)
    assert build_days(lake, [bad]).published.published == []
    before = files(lake)
    report = build_days(lake, [bad], recheck=True)
    assert (report.built, report.reused, report.published.published) == ([], [bad], [bad])
    changed = {path.name for path, found in files(lake).items() if before[path] != found}
    assert changed <= {layout.AUDIT}


def test_a_build_that_dies_leaves_no_version_that_counts(lake, landed):
    day = min(landed)

    def fail(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_module, "audit", fail)
        with pytest.raises(KeyboardInterrupt):
            build_days(lake, [day])
    version = fingerprint(state.load_landed(lake.storage).value, day, lake.table_settings)
    assert read_audit(lake.storage, day, version) is None
    assert manifest(lake).days == {}
    assert build_days(lake, [day]).published.published == [day]


def test_days_are_published_as_they_come_the_newest_first(lake, landed, monkeypatch):
    monkeypatch.setattr(build_module, "BATCH", 2)
    days = sorted(landed)
    states = []
    publish = build_module.publish

    def publish_and_note(*arguments):
        published = publish(*arguments)
        states.append(sorted(manifest(lake).days))
        return published

    monkeypatch.setattr(build_module, "publish", publish_and_note)
    report = build_days(lake, days)
    assert states == [days[-2:], days[-4:], *([days] if len(days) > 4 else [])]
    assert report.built == report.published.published == days
    assert manifest(lake).generation == len(states)
    assert build_days(lake, days).published.already == days
    assert manifest(lake).generation == len(states) - 1


def test_no_days(lake):
    report = build_days(lake, [])
    assert (report.built, report.reused, report.published.published, report.rows) == ([], [], [], {})


def test_a_day_that_has_not_landed_is_an_empty_day(lake, landed):
    empty = max(landed) + timedelta(days=30)
    audit = VersionBuilder(lake.storage, lake.flatten_settings, state.load_landed(lake.storage).value).build(
        empty, "a" * 24
    )
    assert audit.passed
    assert set(audit.rows.values()) == {0}


def test_a_build_that_loses_a_call_is_refused(lake, landed, monkeypatch):
    day = min(landed)
    now = state.load_landed(lake.storage).value
    read = raw.read_day
    monkeypatch.setattr(raw, "read_day", lambda *asked: (rows.slice(1) for rows in read(*asked)))
    audit = VersionBuilder(lake.storage, lake.flatten_settings, now).build(day, "b" * 24)
    assert {verdict.check: verdict.rows for verdict in audit.failed} == {"calls_as_landed": 1}


def test_what_lands_during_a_build_belongs_to_the_next_version(lake, landed):
    day = min(landed)
    planned_from = state.load_landed(lake.storage).value
    planned = plan_builds(lake, [day], state.Manifest(), planned_from)[day]
    changed = json.loads(landed[day][0].payload) | {"status": "failed", "endedReason": None}
    land(lake, place([json.dumps(changed)], FIRST_LANDING + timedelta(hours=1)), name="later")
    audit = VersionBuilder(lake.storage, lake.flatten_settings, planned_from).build(day, planned.version)
    assert audit.passed
    assert version_rows(lake, day, planned.version)["calls"] == rows_of(landed, lake, day)["calls"]
    assert build_days(lake, [day]).published.published == [day]
    assert published_rows(lake, day)["calls"] != rows_of(landed, lake, day)["calls"]


def rows_of(landed, lake, day):
    return expected_lake(landed, {}, oracle_shaping(lake))[day]


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
def six_days(tmp_path):
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


@pytest.mark.slow
def test_days_come_out_of_several_processes_as_out_of_one(six_days, processors, tmp_path):
    processors(3)
    heard = []
    report = build_days(six_days, DAYS, on_day=heard.append)
    assert report.published.published == report.built == sorted(heard) == DAYS

    processors(1)
    alone = workspace(tmp_path / "alone")
    land(alone, place(call(f"call {number}", day) for number, day in enumerate(DAYS)))
    assert build_days(alone, DAYS).rows == report.rows
    for day in DAYS:
        assert published_rows(alone, day) == published_rows(six_days, day)


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize("batch", [2, 31])
@pytest.mark.parametrize("bad", [DAYS[1], DAYS[-1]], ids=["of one process", "of the other"])
def test_a_day_that_cannot_be_built_keeps_no_other_from_being_published(six_days, processors, monkeypatch, bad, batch):
    processors(2)
    monkeypatch.setattr(days_module, "BATCH", batch)
    spoil(six_days, bad)
    heard = []
    with pytest.raises(ChorusCallsError, match=rf"{bad} could not be built.*[Pp]arquet") as failure:
        build_days(six_days, DAYS, on_day=heard.append)
    assert failure.value.__cause__ is not None
    assert sorted(state.load_manifest(six_days.storage).value.days) == [day for day in DAYS if day != bad]
    assert sorted(heard) == DAYS


def test_a_process_that_dies_ends_the_build(six_days, processors, monkeypatch):
    processors(2)
    monkeypatch.setattr(processes, "_start", sys.exit)  # any function that a new process can import
    landed = state.load_landed(six_days.storage).value
    plans = [plan_builds(six_days, DAYS, state.Manifest(), landed)]
    with pytest.raises(BrokenProcessPool):
        list(processes.build_versions(six_days.storage, six_days.flatten_settings, plans, landed))


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
