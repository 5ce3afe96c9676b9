"""The sensor brings a landed change to the catalog without a person, except for days that active runs cover."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from assets import checks, tables
from assets._dagster import FAILURE_REASON_TAG, PRIORITY_TAG, STEP_FAILURE
from assets.automation import stale_days
from assets.instance.in_process_runs import run_job
from assets.partitions import ONE_DAY, days_of, range_tags
from assets.sensors import MAX_ACTIVE_RUNS
from pipelines.lake import layout, state
from pipelines.lake.publish import write_plan
from pipelines.materialize.day import plan_builds
from pipelines.materialize.days import build_days as build_on_command_line
from tests.support.dagster_runs import (
    CORE_AND_MARTS,
    days_after,
    failed_run,
    materialize_alone,
    materialized,
    newest,
    run_stale_days,
    unfinished_run,
)


def test_an_empty_lake_waits(tick, workspace):
    assert tick() == "Nothing has landed yet."
    assert workspace.storage.size(layout.LAKE) is None, "a lake without calls may still get other settings"


def test_stale_days_are_asked_for_in_spans_newest_first(tick, land):
    land("2026-03-01", "2026-03-02", "2026-03-05")
    assert tick() == [("2026-03-05", "2026-03-05"), ("2026-03-01", "2026-03-02")]


def test_after_the_build_only_a_change_is_asked_for(tick, land, instance):
    land("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04")
    run_job("build_days", instance=instance, partition_range=(date(2026, 3, 1), date(2026, 3, 4)))
    assert tick() == "Every landed day is published as it is."
    land("2026-03-02")
    assert tick() == [("2026-03-02", "2026-03-03")], "a day's legs may be on the day before"


@pytest.mark.slow
def test_a_long_time_is_cut_into_months(tick, land):
    land(*days_after("2026-01-01", 40))
    assert tick() == [("2026-01-10", "2026-02-09"), ("2026-01-01", "2026-01-09")]


def test_days_of_unfinished_runs_are_left_to_them(tick, land, instance):
    land(*days_after("2026-03-01", 6))
    unfinished_run(instance, "2026-03-01", "2026-03-02", DagsterRunStatus.NOT_STARTED)
    unfinished_run(instance, "2026-03-04", "2026-03-04")
    assert tick() == [("2026-03-05", "2026-03-06"), ("2026-03-03", "2026-03-03")]


def test_a_backfill_of_one_day_counts_as_active_too(tick, land, instance):
    land("2026-03-01")
    create_run_for_test(
        instance, job_name="__ASSET_JOB", status=DagsterRunStatus.STARTED, tags={"dagster/partition": "2026-03-01"}
    )
    assert tick() == "1 days are stale: 1 are being built, 0 failed their checks, 0 failed lately and wait."


def test_so_many_runs_at_a_time_and_no_more(tick, land, instance):
    land(*days_after("2026-03-01", 30)[::2])
    for day in days_after("2026-05-01", MAX_ACTIVE_RUNS - 1):
        unfinished_run(instance, day, day)
    assert tick() == [("2026-03-29", "2026-03-29")]


@pytest.mark.slow
def test_a_refused_day_waits_for_a_change(tick, land, instance, fail_check):
    land("2026-03-01", "2026-03-05")
    fail_check("2026-03-05")
    run_job("build_days", instance=instance, partition_range=(date(2026, 3, 1), date(2026, 3, 5)))
    assert tick() == "1 days are stale: 0 are being built, 1 failed their checks, 0 failed lately and wait."
    land("2026-03-05")
    assert tick() == [("2026-03-05", "2026-03-05")]


@pytest.mark.slow
def test_newer_checks_run_again_on_a_refused_day(tick, land, instance, fail_check, monkeypatch):
    land("2026-03-05")
    fail_check("2026-03-05")
    run_job("build_days", instance=instance, partition_range=(date(2026, 3, 5), date(2026, 3, 5)))
    monkeypatch.setattr("assets.automation.stale_days.CHECKS_VERSION", 1_000)
    monkeypatch.setattr("assets.automation.stale_days.FIRST_BACKOFF", timedelta(0))
    assert tick() == [("2026-03-05", "2026-03-05")]


@pytest.mark.slow
def test_a_change_after_the_failure_is_tried_at_once(tick, land, instance, workspace):
    land("2026-03-01")
    plan = plan_builds(workspace, [date(2026, 3, 1)], state.Manifest(), state.load_landed(workspace.storage).value)
    write_plan(workspace.storage, failed_run(instance, "2026-03-01", "2026-03-01").run_id, plan)
    assert tick() == "1 days are stale: 0 are being built, 0 failed their checks, 1 failed lately and wait."
    land("2026-03-01")
    assert tick() == [("2026-03-01", "2026-03-01")]


def test_a_day_later_than_today_waits_for_its_beginning(tick, land):
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    land("2026-03-01", str(tomorrow + timedelta(days=1)))
    assert tick() == [("2026-03-01", "2026-03-01")]


@pytest.mark.slow
def test_days_published_without_dagster_are_reported(tick, land, instance, workspace):
    land("2026-03-01", "2026-03-02")
    build_on_command_line(workspace, [date(2026, 3, 1), date(2026, 3, 2)])
    assert materialized(instance, "catalog") == set()

    assert tick() == "Every landed day is published as it is."
    for asset in ("landed_calls", *CORE_AND_MARTS, "catalog"):
        assert materialized(instance, asset) == {"2026-03-01", "2026-03-02"}
    metadata = newest(instance, "calls", "2026-03-02").metadata
    assert metadata["dagster/partition_row_count"].value == 2
    assert metadata["dagster/uri"].value == (workspace.settings.lake_path / "calls").as_uri()

    event_count = len(instance.fetch_materializations(dg.AssetKey("catalog"), limit=99).records)
    tick()
    assert len(instance.fetch_materializations(dg.AssetKey("catalog"), limit=99).records) == event_count


def test_a_crash_between_commit_and_catalog_is_repaired(tick, land, instance, workspace):
    land("2026-03-01")
    run_job("build_days", instance=instance, partition_range=(date(2026, 3, 1), date(2026, 3, 1)))
    workspace.settings.catalog_path.unlink()
    (workspace.storage.root / layout.link_file(date(2026, 3, 1), "calls")).unlink()
    tick()
    assert workspace.catalog.generation() == 1
    assert workspace.storage.size(layout.link_file(date(2026, 3, 1), "calls"))


def test_other_settings_than_the_lakes_build_nothing(land, tick, monkeypatch):
    land("2026-03-01")
    tick()
    monkeypatch.setenv("CHORUS_TIMEZONE", "Europe/Berlin")
    with pytest.raises(dg.Failure, match=r"timezone.*--accept-settings"):
        tick()


@pytest.mark.slow
def test_in_process_the_same_days_are_built(land, instance, workspace):
    land("2026-03-01", "2026-03-02", "2026-03-09")
    results = run_stale_days(instance)
    assert [result.success for result in results] == [True, True]
    assert sorted(state.load_manifest(workspace.storage).value.days) == [
        date(2026, 3, 1),
        date(2026, 3, 2),
        date(2026, 3, 9),
    ]
    assert run_stale_days(instance) == []


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
