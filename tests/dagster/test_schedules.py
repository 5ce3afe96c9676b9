"""When the API is read, and when it is left alone."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from assets.definitions import defs
from assets.jobs import hourly_extract, nightly_full_extract


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
