"""Every way in which a changed day could be forgotten recovers by itself, and pruned days never come back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from assets import sensors, serving, tables
from assets._dagster import PRIORITY_TAG
from assets.automation import stale_days
from assets.definitions import defs
from assets.instance.in_process_runs import run_job
from assets.jobs import MAX_RUNTIME
from assets.partitions import range_tags
from assets.resources import LakeResource
from pipelines.lake import state
from pipelines.lake.identity import require_same_settings
from pipelines.lake.maintenance.retention import raise_floor
from pipelines.materialize.day import CoreBuilder
from pipelines.workflows.prune import prune
from tests.support import lakes
from tests.support.dagster_runs import (
    days_after,
    failed,
    failed_run,
    materialized,
    newest,
    run_stale_days,
    staleness,
    unfinished_run,
)

DAYS = [date(2026, 3, day) for day in range(1, 5)]


@pytest.fixture
def without_backoff(monkeypatch):
    monkeypatch.setattr(stale_days, "FIRST_BACKOFF", timedelta(0))


def build(instance, first=DAYS[0], last=DAYS[0]):
    return run_job("build_days", instance=instance, partition_range=(first, last))


def spans_now(instance, workspace):
    return stale_days.build_queue(instance, workspace).spans


def published(workspace):
    return state.load_manifest(workspace.storage).value.days


def seconds_of_calls(workspace, day=DAYS[0]):
    return {row["duration_seconds"] for row in lakes.published_rows(workspace, day)["calls"]}


def test_what_landed_before_a_crash_is_logged_and_built(tick, land, instance):
    land("2026-03-01")  # and no event was logged
    assert tick() == [("2026-03-01", "2026-03-01")]
    assert materialized(instance, "landed_calls") == {"2026-03-01"}


@pytest.mark.slow
@pytest.mark.parametrize("step", ["reconcile", "sync_landed_events", "build_queue", "sync_published_events"])
def test_a_tick_that_dies_leaves_everything_to_the_next(tick, land, instance, monkeypatch, step):
    land("2026-03-01", "2026-03-02")
    build(instance)
    with monkeypatch.context() as patch:
        patch.setattr(sensors, step, lambda *_, **__: 1 / 0)
        with pytest.raises(Exception, match="division by zero"):
            tick()
    assert tick() == [("2026-03-02", "2026-03-02")]
    assert materialized(instance, "landed_calls") == {"2026-03-01", "2026-03-02"}


@pytest.mark.usefixtures("without_backoff")
def test_the_days_of_a_run_that_was_killed_come_together_once_more(land, instance, workspace):
    land(*days_after("2026-03-01", 4))
    failed_run(instance, "2026-03-01", "2026-03-04")
    assert spans_now(instance, workspace) == [(DAYS[0], DAYS[3])]
    failed_run(instance, "2026-03-01", "2026-03-02")
    assert spans_now(instance, workspace) == [(DAYS[2], DAYS[3]), (DAYS[1], DAYS[1]), (DAYS[0], DAYS[0])]


@pytest.mark.usefixtures("without_backoff")
def test_the_days_of_a_run_that_failed_in_a_step_come_one_by_one(land, instance, workspace):
    land(*days_after("2026-03-01", 3))
    failed_run(instance, "2026-03-01", "2026-03-02", in_a_step=True)
    assert spans_now(instance, workspace) == [(day, day) for day in (DAYS[2], DAYS[1], DAYS[0])]


@pytest.mark.slow
@pytest.mark.usefixtures("without_backoff")
def test_a_day_that_always_fails_blocks_no_other_day_of_its_range(land, instance, workspace, monkeypatch):
    land(*days_after("2026-03-01", 3))
    healthy = CoreBuilder.build

    def poisoned(self, day, version):
        return 1 / 0 if day == DAYS[1] else healthy(self, day, version)

    monkeypatch.setattr(CoreBuilder, "build", poisoned)
    assert [run.success for run in run_stale_days(instance)] == [False]
    assert not published(workspace)
    assert sorted(run.success for run in run_stale_days(instance)) == [False, True, True]
    assert published(workspace).keys() == {DAYS[0], DAYS[2]}
    assert spans_now(instance, workspace) == [(DAYS[1], DAYS[1])]


def test_the_backoff_grows_from_a_minute_to_six_hours(land, instance, workspace):
    land("2026-03-01")
    second = timedelta(seconds=1)
    for minutes in (1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360):
        run = failed_run(instance, "2026-03-01", "2026-03-01")
        ended = datetime.fromtimestamp(instance.get_run_record_by_id(run.run_id).end_time, UTC)
        over = ended + timedelta(minutes=minutes)
        assert stale_days.build_queue(instance, workspace, now=over - second).backing_off == {DAYS[0]}
        assert stale_days.build_queue(instance, workspace, now=over + second).backing_off == set()


def test_a_run_that_hangs_holds_its_days_no_longer_than_runs_may_take(land, instance, workspace):
    land("2026-03-01")
    run = unfinished_run(instance, "2026-03-01", "2026-03-01", DagsterRunStatus.STARTING)
    begun = datetime.now(UTC)
    event = DagsterEvent(DagsterEventType.RUN_START.value, run.job_name)
    instance.report_dagster_event(event, run.run_id, timestamp=begun.timestamp())
    allowed = stale_days.build_queue(instance, workspace, now=begun + MAX_RUNTIME - timedelta(seconds=1))
    assert (allowed.active, allowed.spans) == ({DAYS[0]}, [])
    assert stale_days.build_queue(instance, workspace, now=begun + MAX_RUNTIME + timedelta(seconds=1)).spans == [
        (DAYS[0], DAYS[0])
    ]


@pytest.mark.slow
def test_a_day_that_changes_while_it_is_built_is_built_again(tick, land, instance, workspace, once_before):
    land("2026-03-01")
    once_before(tables, "build_mart", lambda: land("2026-03-01"))
    assert build(instance).success
    assert seconds_of_calls(workspace) == {60}, "what it began with is published, however fast the day changes"
    assert tick() == [("2026-03-01", "2026-03-01")]
    assert staleness(instance, "calls", "2026-03-01") == ["STALE"]
    assert build(instance).success
    assert seconds_of_calls(workspace) == {61}
    assert tick() == "Every landed day is published as it is."
    assert staleness(instance, "calls", "2026-03-01") == ["FRESH"]


@pytest.mark.slow
def test_two_builds_of_one_day_at_once_do_no_harm(tick, land, instance, workspace, once_before):
    land("2026-03-01")
    inner = []
    once_before(tables, "build_mart", lambda: inner.append(build(instance)))
    outer = build(instance)
    assert [run.success for run in (*inner, outer)] == [True, True]
    assert state.load_manifest(workspace.storage).value.generation == 1
    assert tick() == "Every landed day is published as it is."
    assert failed(instance, "catalog") == set()


@pytest.mark.slow
def test_a_day_that_was_published_by_a_run_that_died_is_shown_as_published(tick, land, instance, monkeypatch):
    land("2026-03-01")
    for _ in range(2):  # the second time it was published before, in the same version
        with monkeypatch.context() as patch:
            patch.setattr(serving, "load_manifest", lambda _: 1 / 0)
            assert not build(instance).success
        assert failed(instance, "catalog") == {"2026-03-01"}
        assert tick() == "Every landed day is published as it is."
        assert failed(instance, "catalog") == set()
        assert newest(instance, "catalog", "2026-03-01").metadata["rows of calls"].value == 2


def test_today_waits_for_no_backfill(land, instance, workspace):
    today = datetime.now(UTC).date()
    land(str(today), *days_after("2026-03-01", 3))
    for day in days_after("2026-05-01", sensors.MAX_ACTIVE_RUNS):
        unfinished_run(instance, day, day)
    # A year in one run, launched by a person.
    create_run_for_test(
        instance, "__ASSET_JOB", tags=range_tags(today - timedelta(days=365), today), status=DagsterRunStatus.STARTED
    )
    asked = sensors.changed_days.evaluate_tick(
        dg.build_sensor_context(
            instance=instance, repository_def=defs.get_repository_def(), resources={"lake": LakeResource()}
        )
    ).run_requests
    assert [{**range_tags(today, today), PRIORITY_TAG: "1"}.items() <= request.tags.items() for request in asked] == [
        True
    ]
    unfinished_run(instance, str(today), str(today))
    assert stale_days.build_queue(instance, workspace).spans == [], "but for a run of its own"


@pytest.mark.usefixtures("without_backoff")
def test_a_failed_day_of_today_comes_before_older_days(land, instance, workspace):
    today = datetime.now(UTC).date()
    land(str(today), "2026-03-01")
    failed_run(instance, str(today), str(today), in_a_step=True)
    assert spans_now(instance, workspace) == [(today, today), (DAYS[0], DAYS[0])]


def test_what_is_new_overtakes_the_building_of_what_is_old():
    assert defs.resolve_job_def("extract_calls").tags[PRIORITY_TAG] == "1"
    assert PRIORITY_TAG not in defs.resolve_job_def("build_days").tags


FLOOR = DAYS[2]


@pytest.fixture
def built(workspace, land, instance):
    """A lake whose days were landed and built through Dagster."""
    require_same_settings(workspace.storage, workspace.table_settings)
    land(*map(str, DAYS))
    assert build_days(instance).success
    return workspace


def build_days(instance, first=DAYS[0], last=DAYS[-1]):
    return run_job("build_days", instance=instance, partition_range=(first, last))


def published_days(workspace):
    return sorted(state.load_manifest(workspace.storage).value.days)


@pytest.mark.slow
def test_the_sensor_asks_for_the_first_day_that_is_kept_and_for_no_other(built, tick, instance):
    prune(built, FLOOR, notify=print)
    assert published_days(built) == DAYS[2:]
    assert tick() == [(str(FLOOR), str(FLOOR))]
    assert build_days(instance, FLOOR, FLOOR).success
    assert tick() == "Every landed day is published as it is."
    assert materialized(instance, "catalog") == {*map(str, DAYS)}, "Dagster cannot forget single partitions"


@pytest.mark.slow
def test_a_prune_that_was_cut_off_is_ended_by_the_sensor(built, tick):
    raise_floor(built.storage, FLOOR)
    tick()
    assert published_days(built) == DAYS[2:]


@pytest.mark.slow
def test_it_is_ended_too_where_nothing_is_left_that_has_landed(built, tick):
    landed = state.load_landed(built.storage)
    landed.value.days.clear()
    state.commit(built.storage, landed)
    raise_floor(built.storage, date(2026, 4, 1))
    tick()
    assert published_days(built) == []
    assert tick() == "Nothing has landed yet."


@pytest.mark.slow
def test_a_person_who_builds_them_builds_nothing(built, instance):
    prune(built, FLOOR, notify=print)
    assert build_days(instance, *DAYS[:2]).success
    assert published_days(built) == DAYS[2:]


@pytest.mark.slow
def test_a_run_at_work_leaves_them_alone_from_then_on(built, land, instance, monkeypatch, tick):
    land(str(DAYS[1]), str(DAYS[3]))
    open_lake, opened = LakeResource.workspace, []

    def workspace(self):
        if len(opened) == 1:  # the core tables are built, and the marts are not
            opened.append("pruned")
            prune(built, FLOOR, notify=print)
        opened.append("opened")
        return open_lake(self)

    with monkeypatch.context() as patch:
        patch.setattr(LakeResource, "workspace", workspace)
        assert build_days(instance).success
    assert opened[:3] == ["opened", "pruned", "opened"]
    assert published_days(built) == DAYS[2:]
    assert not built.storage.list(f"days/call_date={DAYS[1]}")
    assert tick() == [(str(FLOOR), str(FLOOR))]
