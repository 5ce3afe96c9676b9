"""When the API is read, when Dagster calls a table old, and the alert that a failed run posts."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.definitions.freshness_evaluator import FRESHNESS_EVALUATORS_BY_POLICY_TYPE
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import create_run_for_test, freeze_time

from assets.definitions import defs
from assets.events import sync_published_events
from assets.instance.in_process_runs import run_job
from assets.jobs import hourly_extract, nightly_full_extract
from assets.sensors import run_failure_alert
from pipelines.dictionary import MARTS
from pipelines.lake import state
from pipelines.materialize.days import build_days as build_on_command_line


@pytest.fixture(scope="module")
def stored():
    # A schedule opens its instance from the place where it is kept, so one that forgets will not do.
    with dg.instance_for_test() as shared_instance:
        yield shared_instance


@pytest.fixture
def shared_instance(stored):
    yield stored
    for run in stored.get_runs():
        stored.delete_run(run.run_id)


@pytest.fixture
def tick(workspace, shared_instance, monkeypatch):  # noqa: ARG001 - keeps the settings of this machine out
    """Let a schedule come due: the mode it asks for, or why it asks for none."""
    monkeypatch.setenv("CHORUS_API_KEY", "sk_test_only")

    def evaluate(schedule):
        context = dg.build_schedule_context(instance=shared_instance, repository_def=defs.get_repository_def())
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
def test_no_queue_of_hourly_extracts_grows_behind_a_long_one(tick, shared_instance, status):
    create_run_for_test(shared_instance, job_name="extract_calls", status=status)
    assert tick(hourly_extract) == "An extract is queued or running."
    assert tick(nightly_full_extract) == "FULL", "a night without a full extract would miss deletions"


def test_runs_that_are_over_or_of_other_jobs_do_not_hold_it_back(tick, shared_instance):
    create_run_for_test(shared_instance, job_name="extract_calls", status=DagsterRunStatus.SUCCESS)
    create_run_for_test(shared_instance, job_name="build_days", status=DagsterRunStatus.STARTED)
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
    manifest = state.load_manifest(workspace.storage).value
    sync_published_events(instance, manifest, lake=workspace.settings.lake_path, active=(), stale=())
    friday_evening_to_monday_noon = timedelta(hours=66)
    ages = (timedelta(minutes=1), friday_evening_to_monday_noon, timedelta(days=3, minutes=1), timedelta(days=6))
    assert [freshness(instance, asset, age) for age in ages] == ["PASS", "PASS", "WARN", "FAIL"]


def test_an_extract_is_late_after_hours(instance):
    instance.report_runless_asset_event(dg.AssetMaterialization("call_pages"))
    ages = (timedelta(hours=2), timedelta(hours=4), timedelta(hours=27))
    assert [freshness(instance, "call_pages", age) for age in ages] == ["PASS", "WARN", "FAIL"]


@pytest.fixture
def webhook():
    """A receiver on loopback: its address, what it got, and the status it answers with."""
    got: list[dict] = []
    answer = {"status": 204}

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answer["status"])
            self.end_headers()

        def log_message(self, *arguments):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook/secret-part", got, answer
        server.shutdown()
        thread.join()


@pytest.fixture
def failed(land, instance, fail_check):
    land("2026-03-01", "2026-03-02")
    fail_check("2026-03-02")
    return run_job("build_days", instance=instance, partition_range=(date(2026, 3, 1), date(2026, 3, 2))), instance


def alert(result, instance):
    event = next(event for event in result.all_events if event.is_failure and event.is_run_failure)
    run_failure_alert(
        dg.build_run_status_sensor_context(
            sensor_name="run_failure_alert",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
    )


@pytest.mark.slow
def test_an_alert_has_the_days_and_reasons_of_the_run(failed, webhook, monkeypatch):
    result, instance = failed
    address, got, _ = webhook
    monkeypatch.setenv("ALERT_WEBHOOK_URL", address)
    monkeypatch.setenv("CHORUS_DAGSTER_URL", "https://dagster.example.com/calls/")
    alert(result, instance)
    assert len(got) == 1
    assert {name: value for name, value in got[0].items() if name not in {"steps", "message"}} == {
        "job": "build_days",
        "run_id": result.run_id,
        "run_url": f"https://dagster.example.com/calls/runs/{result.run_id}",
        "status": "failed",
        "first_day": "2026-03-01",
        "last_day": "2026-03-02",
    }
    assert "2026-03-02 (unique_keys)" in got[0]["steps"]["catalog"]


def tick_alerts(instance, cursor=None):
    """Evaluate the sensor once: its cursor, and the errors that it had."""
    data = run_failure_alert.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))
    return data.cursor, [reaction.error for reaction in data.dagster_run_reactions]


@pytest.fixture
def run_failing(land, instance, fail_check):
    """Let a run fail, and return what its log says."""
    land("2026-03-01")
    fail_check("2026-03-01")
    day = date(2026, 3, 1)

    def run():
        result = run_job("build_days", instance=instance, partition_range=(day, day))
        assert not result.success
        return result.run_id, len(instance.all_logs(result.run_id))

    return run


def test_each_failed_run_is_alerted_once(run_failing, instance, webhook, monkeypatch):
    address, got, _ = webhook
    monkeypatch.setenv("ALERT_WEBHOOK_URL", address)
    cursor, _ = tick_alerts(instance)
    run, _ = run_failing()
    for _ in range(2):
        cursor, errors = tick_alerts(instance, cursor)
        assert not any(errors)
    assert [alert["run_id"] for alert in got] == [run]
    assert got[0]["run_url"] == f"http://127.0.0.1:3000/runs/{run}"


def test_a_dead_address_does_no_harm(run_failing, instance, monkeypatch):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "http://127.0.0.1:9/hook/secret-part")
    cursor, _ = tick_alerts(instance)
    run, said = run_failing()
    moved_on, errors = tick_alerts(instance, cursor)
    assert errors == [None]
    assert moved_on != cursor, "the next failure is not kept waiting"
    assert len(instance.all_logs(run)) == said


def test_the_alert_of_a_run_that_died_without_a_step_has_the_runs_message(instance, webhook, monkeypatch):
    address, got, _ = webhook
    monkeypatch.setenv("ALERT_WEBHOOK_URL", address)
    cursor, _ = tick_alerts(instance)
    run = create_run_for_test(instance, job_name="extract_calls", status=DagsterRunStatus.STARTED)
    instance.report_run_failed(run, "The run's process is gone.")
    tick_alerts(instance, cursor)
    assert [(alert["job"], alert["steps"], alert["message"], alert["first_day"]) for alert in got] == [
        ("extract_calls", {}, "The run's process is gone.", None)
    ]


@pytest.mark.slow
def test_without_an_address_nothing_is_posted(failed, webhook):
    alert(*failed)
    assert webhook[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("closed", [False, True])
def test_an_alert_that_is_not_delivered_fails_nothing_and_logs_no_secret(failed, webhook, monkeypatch, capfd, closed):
    result, instance = failed
    address, _, answer = webhook
    answer["status"] = 500
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "http://127.0.0.1:9/hook/secret-part" if closed else address)
    capfd.readouterr()
    alert(result, instance)
    said = "".join(capfd.readouterr())
    assert "not delivered" in said
    assert "secret-part" not in said


def test_a_run_that_failed_for_a_wrong_setting_is_alerted(run_failing, instance, webhook, monkeypatch):
    address, got, _ = webhook
    monkeypatch.setenv("ALERT_WEBHOOK_URL", address)
    cursor, _ = tick_alerts(instance)
    monkeypatch.setenv("CHORUS_TIMEZONE", "Europe/Berln")
    run, _ = run_failing()
    assert tick_alerts(instance, cursor)[1] == [None]
    assert [(alert["run_id"], "CHORUS_TIMEZONE" in str(alert["steps"])) for alert in got] == [(run, True)]
