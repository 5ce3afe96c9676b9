"""Dagster's home on one machine, the health check of its run launcher, and the retention of runs and output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionResult
from dagster._serdes import serialize_value

from assets.instance import run_retention
from assets.instance.home import dagster_home, open_instance
from assets.instance.in_process_runs import run_job
from assets.instance.launcher import WatchedRunLauncher
from assets.jobs import MAX_RUNTIME
from pipelines.lake import layout
from tests.support.dagster_runs import materialized, report_landed, run_stale_days
from tests.support.processes import eventually, free_port, left_of, running

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("workspace")
def test_the_home_is_made_in_the_working_folder_and_kept(tmp_path):
    home = dagster_home()
    assert home == tmp_path / "data" / "dagster_home"
    assert home.stat().st_mode & 0o007 == 0, "runs have data about calls: only owner and group may read them"
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert dagster_home() == home
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("module", ["pipelines.launcher", "pipelines.orchestration.launcher"])
def test_a_home_of_an_earlier_version_gets_the_launcher_that_has_moved_and_keeps_all_else(module):
    settings = dagster_home() / "dagster.yaml"
    present = settings.read_text()
    edited = present.replace("max_concurrent_runs: 3", "max_concurrent_runs: 1")
    for text in (present, edited):
        earlier = text.replace("assets.instance.launcher", module)
        assert earlier != text
        settings.write_text(earlier)
        settings.chmod(0o640)
        dagster_home()
        assert settings.read_text() == text
        assert settings.stat().st_mode & 0o777 == 0o640
    with open_instance() as instance:
        assert isinstance(instance.run_launcher, WatchedRunLauncher)


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    "form",
    [
        "run_launcher:\n  module: {}\n  class: WatchedRunLauncher\n",
        "run_launcher: {{class: WatchedRunLauncher, module: {}}}",
        "run_launcher: {{module: '{}', class: WatchedRunLauncher}}  # ours\n",
        'run_launcher: {{"module": "{}", "class": "WatchedRunLauncher"}}\n',
        "# a comment\r\nrun_launcher: {{module: {}, class: WatchedRunLauncher}}\r\n",
    ],
)
def test_a_launcher_that_has_moved_is_found_in_a_file_that_somebody_wrote(form):
    settings = dagster_home() / "dagster.yaml"
    settings.write_bytes(form.format("pipelines.orchestration.launcher").encode())
    with open_instance() as instance:
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
    assert settings.read_bytes() == form.format("assets.instance.launcher").encode()


@pytest.mark.usefixtures("workspace")
def test_another_launcher_stays_as_it_is():
    settings = dagster_home() / "dagster.yaml"
    ours = "run_launcher: {module: pipelines.orchestration.launcher_of_ours, class: WatchedRunLauncher}\n"
    for text in (ours, "# module: pipelines.launcher\n", ""):
        settings.write_text(text)
        dagster_home()
        assert settings.read_text() == text


@pytest.mark.usefixtures("workspace")
def test_dagster_home_may_be_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    assert dagster_home() == tmp_path / "elsewhere"
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_what_a_program_runs_there_stays_there(land):
    land("2026-03-01")
    with open_instance() as instance:
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == MAX_RUNTIME.total_seconds()
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        run_ids = [result.run_id for result in run_stale_days(instance)]
    with open_instance() as instance:
        assert [run.run_id for run in instance.get_runs()] == run_ids
        assert materialized(instance, "catalog") == {"2026-03-01"}


def ask(port, query):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["data"]


def locations(port, process):
    """Return the names of the workspace's entries, once all are loaded."""
    assert process.poll() is None, "it ended by itself"
    found = ask(port, "{workspaceOrError{... on Workspace{locationEntries{name loadStatus}}}}")
    entries = found["workspaceOrError"]["locationEntries"]
    return [entry["name"] for entry in entries if entry["loadStatus"] == "LOADED"]


DIRECTLY = f"exec {sys.executable} -m assets.dev"
MAKE = f"exec make -C {ROOT} dev BIN={sys.prefix}/bin SYNCED=$PWD/synced"


@pytest.mark.service
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("start", "farewell"), [(DIRECTLY, signal.SIGINT), (MAKE, signal.SIGTERM)], ids=["Ctrl-C", "TERM to make"]
)
def test_make_dev_serves_the_assets_and_stops_on_a_signal_even_in_the_background(tmp_path, start, farewell):
    port, log, home = free_port(), tmp_path / "dev.log", tmp_path / "data" / "dagster_home"
    (tmp_path / "synced").touch()
    environment = {"PYTHONPATH": str(ROOT), "PORT": str(port), "DAGSTER_HOME": str(home), "DEMO": "0"}
    # As a shell does for what it starts in the background: Ctrl-C is ignored.
    command = ["/bin/sh", "-c", f"trap '' INT; {start}"]
    with running(command, log, environment=environment, cwd=tmp_path) as process:
        assert eventually(lambda: locations(port, process), "the UI") == ["chorus_calls"]
        found = ask(port, "{assetsOrError{... on AssetConnection{nodes{key{path}}}}}")["assetsOrError"]["nodes"]
        assert len(found) == 12
        process.send_signal(farewell)
        process.wait(timeout=120)
        eventually(lambda: not left_of(process), "that it leaves nothing running", 30)
    assert "SupersessionWarning" not in log.read_text()
    assert dg.DagsterInstance.from_config(str(home)).get_runs() == []


@pytest.fixture
def launcher(instance):
    watched = WatchedRunLauncher()
    watched.register_instance(instance)
    return watched


@pytest.fixture
def served_run(instance):
    """A run that a server has started, at whose port nothing listens."""
    return create_run_for_test(instance, tags={GRPC_INFO_TAG: json.dumps({"host": "localhost", "port": 9})})


@pytest.fixture
def forgetful_server(monkeypatch):
    """A server that answers, and knows of no run: it has reloaded the code."""
    answer = serialize_value(CanCancelExecutionResult(can_cancel=False))
    monkeypatch.setattr(DagsterGrpcClient, "can_cancel_execution", lambda *_, **__: answer)


def work_in(instance, run, process):
    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(process))


def test_a_run_whose_server_is_gone_has_failed(launcher, served_run):
    assert launcher.supports_check_run_worker_health
    assert launcher.check_run_worker_health(served_run).status is WorkerStatus.FAILED


def test_a_run_is_alive_while_its_server_is_too_busy_to_answer(launcher, instance, served_run):
    work_in(instance, served_run, os.getpid())
    assert launcher.check_run_worker_health(served_run).status is WorkerStatus.RUNNING


def test_a_run_in_a_program_of_its_own_is_left_alone(launcher, instance):
    assert launcher.check_run_worker_health(create_run_for_test(instance)).status is WorkerStatus.RUNNING


@pytest.mark.usefixtures("forgetful_server")
def test_a_run_is_alive_when_its_server_reloads_the_code(launcher, instance, served_run):
    work_in(instance, served_run, os.getpid())
    assert launcher.check_run_worker_health(served_run).status is WorkerStatus.RUNNING


@pytest.mark.usefixtures("forgetful_server")
def test_a_run_whose_process_is_gone_has_failed(launcher, instance, served_run):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    work_in(instance, served_run, process.pid)
    assert launcher.check_run_worker_health(served_run).status is WorkerStatus.FAILED


@pytest.mark.usefixtures("forgetful_server")
def test_another_process_with_the_number_of_a_dead_run_is_not_taken_for_it(launcher, instance, served_run):
    noted = DagsterEvent(
        DagsterEventType.ENGINE_EVENT.value,
        served_run.job_name,
        event_specific_data=EngineEventData.in_process(os.getpid()),
    )
    instance.report_dagster_event(noted, served_run.run_id, timestamp=datetime(2026, 3, 1, tzinfo=UTC).timestamp())
    assert launcher.check_run_worker_health(served_run).status is WorkerStatus.FAILED


@pytest.fixture
def later(monkeypatch):
    """Let 40 days pass for the code that deletes old runs."""

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz or UTC) + timedelta(days=40)

    monkeypatch.setattr(run_retention, "datetime", Later)


def build(instance, day):
    return run_job("build_days", instance=instance, partition_range=(date.fromisoformat(day),) * 2).run_id


def run_ids(instance):
    return {run.run_id for run in instance.get_runs()}


@pytest.mark.slow
@pytest.mark.usefixtures("later")
def test_only_superseded_old_runs_are_removed(workspace, land, instance):
    land("2026-03-01", "2026-03-05")
    report_landed(instance, workspace)
    superseded = build(instance, "2026-03-01")
    current = {build(instance, "2026-03-01"), build(instance, "2026-03-05")}

    result = run_job("purge_runs", instance=instance)
    assert result.success
    assert run_ids(instance) == current | {result.run_id}
    assert superseded not in run_ids(instance)
    assert materialized(instance, "catalog") == {"2026-03-01", "2026-03-05"}


@pytest.mark.slow
def test_young_runs_stay(land, instance):
    land("2026-03-01")
    runs = {build(instance, "2026-03-01"), build(instance, "2026-03-01")}
    run_job("purge_runs", instance=instance)
    assert runs < run_ids(instance)


@pytest.mark.slow
@pytest.mark.usefixtures("later")
def test_the_plan_and_the_logs_of_a_removed_run_go_with_it(workspace, land, fail_check, tmp_path):
    land("2026-03-01")
    fail_check("2026-03-01")
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        report_landed(instance, workspace)
        old = build(instance, "2026-03-01")
        build(instance, "2026-03-01")
        logs = tmp_path / "storage" / old / "compute_logs"
        assert logs.exists()
        assert workspace.storage.size(layout.plan_file(old))
        run_job("purge_runs", instance=instance)
        assert old not in run_ids(instance)
        assert not logs.exists()
    assert workspace.storage.size(layout.plan_file(old)) is None


@pytest.mark.usefixtures("workspace")
def test_old_output_is_deleted_whatever_printed_it_and_nothing_else(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        logs = tmp_path / "storage" / "repository" / "run_failure_alert"
        logs.mkdir(parents=True)
        other = tmp_path / "storage" / "kept" / "notes.txt"
        other.parent.mkdir()
        for path in (logs / "old.err", logs / "old.complete", other):
            path.write_text("long ago")
            os.utime(path, (0, 0))
        assert run_job("purge_runs", instance=instance).success
        assert not logs.parent.exists()
        assert other.exists()

        logs.mkdir(parents=True)
        (logs / "old.err").write_text("long ago")
        os.utime(logs / "old.err", (0, 0))
        (logs / "young.err").write_text("just now")
        run_job("purge_runs", instance=instance)
        assert [path.name for path in logs.iterdir()] == ["young.err"]
