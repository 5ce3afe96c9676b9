"""Which runs hold which days back, and for how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from dagster import DagsterRunStatus
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import PRIORITY_TAG, RUN_FAILURE_REASON_TAG
from dagster._core.test_utils import create_run_for_test

from assets import anomaly_checks, tables
from assets.automation import stale_days as due
from assets.instance.in_process_runs import run_job
from assets.partitions import ONE_DAY, days_of, range_tags
from tests.support.dagster_runs import materialize_alone, unfinished_run

DAY = date(2026, 3, 1)


class Runs:
    """An instance that knows of failed runs alone, none of which came to its first step."""

    def __init__(self):
        self.ends = []

    def get_run_records(self, wanted):
        if wanted.updated_after is None:
            return []
        return [self._record(end) for end in self.ends if end > wanted.updated_after]

    def get_run_step_stats(self, run_id):
        assert run_id == "failed"
        return []

    @staticmethod
    def _record(end):
        tags = {**range_tags(DAY, DAY), RUN_FAILURE_REASON_TAG: RunFailureReason.STEP_FAILURE.value}
        run = SimpleNamespace(tags=tags, run_id="failed", root_run_id=None)
        return SimpleNamespace(dagster_run=run, end_time=end.timestamp(), update_timestamp=end)


def test_pauses_grow_to_six_hours_and_stay_there(land, workspace):
    land(str(DAY))
    runs, now, pauses = Runs(), datetime(2026, 9, 1, tzinfo=UTC), []
    for _ in range(30):
        runs.ends.append(now)
        minutes = next(
            n
            for n in (*(1 << k for k in range(9)), 360)
            if due.due_days(runs, workspace, now=now + timedelta(minutes=n, seconds=1)).spans
        )
        assert due.due_days(runs, workspace, now=now + timedelta(minutes=minutes, seconds=-1)).spans == []
        pauses.append(minutes)
        now += timedelta(minutes=minutes, seconds=1)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[360] * 21]


def build(instance):
    return run_job("build_days", instance=instance, partition_range=(DAY, DAY))


@pytest.mark.slow
def test_a_warning_that_crashes_holds_no_later_change_back(land, instance, workspace, monkeypatch):
    monkeypatch.setattr(anomaly_checks, "unusual_days", lambda *_: 1 / 0)
    for _ in range(3):
        land(str(DAY))
        assert due.due_days(instance, workspace).spans == [(DAY, DAY)]
        assert not build(instance).success


def test_a_run_that_builds_no_core_tables_holds_no_change_back(land, instance, workspace):
    land(str(DAY))
    for _ in range(3):  # its core tables are missing
        assert not materialize_alone(instance, str(DAY), "call_metrics_daily").success
    assert due.due_days(instance, workspace).spans == [(DAY, DAY)]


def test_what_fails_in_its_first_step_waits(land, instance, workspace, monkeypatch):
    land(str(DAY))
    monkeypatch.setattr(tables, "load_manifest", lambda *_: 1 / 0)
    assert not build(instance).success
    assert due.due_days(instance, workspace).paused == {DAY}


@pytest.mark.parametrize("days", [3, 31])
def test_a_range_that_waits_in_the_queue_holds_no_recent_day(land, instance, workspace, days):
    today = datetime.now(UTC).date()
    land(str(today), str(today - timedelta(days=2)))
    first = str(today - timedelta(days=days - 1))
    unfinished_run(instance, first, str(today), DagsterRunStatus.NOT_STARTED)
    assert due.due_days(instance, workspace).spans == [(today, today)]
    tags = {**range_tags(date.fromisoformat(first), today), PRIORITY_TAG: "1"}
    create_run_for_test(instance, "build_days", status=DagsterRunStatus.NOT_STARTED, tags=tags)
    assert due.due_days(instance, workspace).spans == [], "the sensor's own runs overtake others"


@pytest.mark.parametrize(("text", "days"), [("2026-03-01", [DAY]), ("2026-3-1", [DAY]), ("yesterday", []), ("", [])])
def test_the_day_of_a_run_is_understood_as_dagster_does(text, days):
    assert days_of({ONE_DAY: text}) == days


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.CANCELED])
@pytest.mark.parametrize("text", ["2026-3-1", "yesterday"])
def test_a_day_that_somebody_wrote_otherwise_stops_no_tick(land, instance, tick, status, text):
    land("2026-03-05")
    create_run_for_test(instance, "build_days", status=status, tags={ONE_DAY: text})
    assert tick() == [("2026-03-05", "2026-03-05")]
