"""Which runs keep which stale days waiting, and for how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from assets import checks, tables
from assets._dagster import FAILURE_REASON_TAG, PRIORITY_TAG, STEP_FAILURE
from assets.automation import stale_days
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
        tags = {**range_tags(DAY, DAY), FAILURE_REASON_TAG: STEP_FAILURE}
        run = SimpleNamespace(tags=tags, run_id="failed", root_run_id=None)
        return SimpleNamespace(dagster_run=run, end_time=end.timestamp(), update_timestamp=end)


def test_the_backoff_grows_to_six_hours_and_stays_there(land, workspace):
    land(str(DAY))
    runs, now, backoffs = Runs(), datetime(2026, 9, 1, tzinfo=UTC), []
    for _ in range(30):
        runs.ends.append(now)
        minutes = next(
            n
            for n in (*(1 << k for k in range(9)), 360)
            if stale_days.build_queue(runs, workspace, now=now + timedelta(minutes=n, seconds=1)).spans
        )
        assert stale_days.build_queue(runs, workspace, now=now + timedelta(minutes=minutes, seconds=-1)).spans == []
        backoffs.append(minutes)
        now += timedelta(minutes=minutes, seconds=1)
    assert backoffs == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[360] * 21]


def build(instance):
    return run_job("build_days", instance=instance, partition_range=(DAY, DAY))


@pytest.mark.slow
def test_an_anomaly_check_that_crashes_delays_no_later_change(land, instance, workspace, monkeypatch):
    monkeypatch.setattr(checks, "daily_anomalies", lambda *_: 1 / 0)
    for _ in range(3):
        land(str(DAY))
        assert stale_days.build_queue(instance, workspace).spans == [(DAY, DAY)]
        assert not build(instance).success


def test_a_run_that_builds_no_core_tables_delays_no_change(land, instance, workspace):
    land(str(DAY))
    for _ in range(3):  # its core tables are missing
        assert not materialize_alone(instance, str(DAY), "call_metrics_daily").success
    assert stale_days.build_queue(instance, workspace).spans == [(DAY, DAY)]


def test_a_day_that_failed_in_the_first_step_backs_off(land, instance, workspace, monkeypatch):
    land(str(DAY))
    monkeypatch.setattr(tables, "load_manifest", lambda *_: 1 / 0)
    assert not build(instance).success
    assert stale_days.build_queue(instance, workspace).backing_off == {DAY}


@pytest.mark.parametrize("days", [3, 31])
def test_a_queued_range_delays_no_recent_day(land, instance, workspace, days):
    today = datetime.now(UTC).date()
    land(str(today), str(today - timedelta(days=2)))
    first = str(today - timedelta(days=days - 1))
    unfinished_run(instance, first, str(today), DagsterRunStatus.NOT_STARTED)
    assert stale_days.build_queue(instance, workspace).spans == [(today, today)]
    tags = {**range_tags(date.fromisoformat(first), today), PRIORITY_TAG: "1"}
    create_run_for_test(instance, "build_days", status=DagsterRunStatus.NOT_STARTED, tags=tags)
    assert stale_days.build_queue(instance, workspace).spans == [], "the sensor's own runs overtake others"


@pytest.mark.parametrize(("text", "days"), [("2026-03-01", [DAY]), ("2026-3-1", [DAY]), ("yesterday", []), ("", [])])
def test_the_day_of_a_run_is_parsed_as_dagster_does(text, days):
    assert days_of({ONE_DAY: text}) == days


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.CANCELED])
@pytest.mark.parametrize("text", ["2026-3-1", "yesterday"])
def test_a_day_in_another_format_fails_no_tick(land, instance, tick, status, text):
    land("2026-03-05")
    create_run_for_test(instance, "build_days", status=status, tags={ONE_DAY: text})
    assert tick() == [("2026-03-05", "2026-03-05")]
