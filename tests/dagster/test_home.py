"""Dagster's home on one machine: set up once, shared by the UI and by programs that run jobs themselves."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request
from pathlib import Path

import dagster as dg
import pytest

from assets.instance.home import dagster_home, open_instance
from assets.instance.launcher import WatchedRunLauncher
from assets.jobs import MAX_RUNTIME
from tests.support.dagster_runs import materialized, run_stale_days
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
    """The names of the workspace's entries, once all are loaded."""
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
