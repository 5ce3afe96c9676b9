"""When the API is read, and when Dagster calls a table old."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.definitions.freshness_evaluator import FRESHNESS_EVALUATORS_BY_POLICY_TYPE
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import create_run_for_test, freeze_time

from assets.definitions import defs
from assets.events import sync_published_events
from assets.jobs import hourly_extract, nightly_full_extract
from pipelines.dictionary import MARTS
from pipelines.lake import state
from pipelines.materialize.days import build_days as build_on_command_line


@pytest.fixture(scope="module")
def stored():
    # A schedule opens its instance from the place where it is kept, so one that forgets will not do.
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def instance(stored):
    yield stored
    for run in stored.get_runs():
        stored.delete_run(run.run_id)


@pytest.fixture
def tick(workspace, instance, monkeypatch):  # noqa: ARG001 - keeps the settings of this machine out
    """Let a schedule come due: the mode it asks for, or why it asks for none."""
    monkeypatch.setenv("CHORUS_API_KEY", "sk_test_only")

    def evaluate(schedule):
        context = dg.build_schedule_context(instance=instance, repository_def=defs.get_repository_def())
        data = schedule.evaluate_tick(context)
        if not data.run_requests:
            return data.skip_message
        config = data.run_requests[0].run_config
        job = defs.resolve_job_def("extract_calls")
        assert dg.validate_run_config(job, config), "the run must accept its config"
        return config["ops"]["call_pages"]["config"]["mode"]

    return evaluate


@pytest.mark.slow
def test_every_hour_what_is_new_and_every_night_everything(tick):
    assert tick(hourly_extract) == "RECENT"
    assert tick(nightly_full_extract) == "FULL"


def test_without_a_key_nothing_is_asked(tick, monkeypatch):
    monkeypatch.delenv("CHORUS_API_KEY")
    assert tick(hourly_extract) == tick(nightly_full_extract) == "CHORUS_API_KEY is not set."


@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING])
def test_no_queue_of_hourly_extracts_grows_behind_a_long_one(tick, instance, status):
    create_run_for_test(instance, job_name="extract_calls", status=status)
    assert tick(hourly_extract) == "An extract is queued or running."
    assert tick(nightly_full_extract) == "FULL", "a night without a full extract would miss deletions"


def test_runs_that_are_over_or_of_other_jobs_do_not_hold_it_back(tick, instance):
    create_run_for_test(instance, job_name="extract_calls", status=DagsterRunStatus.SUCCESS)
    create_run_for_test(instance, job_name="build_days", status=DagsterRunStatus.STARTED)
    assert tick(hourly_extract) == "RECENT"


def freshness(instance, asset, age):
    """Return what the UI says of an asset when its newest event has some age."""
    node = defs.resolve_asset_graph().get(dg.AssetKey(asset))
    evaluator = FRESHNESS_EVALUATORS_BY_POLICY_TYPE[type(node.freshness_policy)]()
    with freeze_time(datetime.now(UTC) + age):
        return asyncio.run(evaluator.evaluate_freshness(LoadingContextForTest(instance), node)).value


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("asset", [*MARTS, "catalog"])
def test_what_is_built_of_days_rests_over_a_weekend(asset, workspace, land, instance):
    assert freshness(instance, asset, timedelta()) == "UNKNOWN"
    land("2026-03-01")
    build_on_command_line(workspace, [date(2026, 3, 1)])
    sync_published_events(instance, state.load_manifest(workspace.storage).value, active=(), stale=())
    friday_evening_to_monday_noon = timedelta(hours=66)
    ages = (timedelta(minutes=1), friday_evening_to_monday_noon, timedelta(days=3, minutes=1), timedelta(days=6))
    assert [freshness(instance, asset, age) for age in ages] == ["PASS", "PASS", "WARN", "FAIL"]


def test_an_extract_is_late_after_hours(instance):
    instance.report_runless_asset_event(dg.AssetMaterialization("call_pages"))
    ages = (timedelta(hours=2), timedelta(hours=4), timedelta(hours=27))
    assert [freshness(instance, "call_pages", age) for age in ages] == ["PASS", "WARN", "FAIL"]
