"""A server set up as `deploy/` says, with Postgres, dagster.yaml and the commands of the units, runs unattended."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import dagster as dg
import psycopg2
import pytest
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.scheduler.instigation import InstigatorStatus, ScheduleInstigatorData
from dagster._core.test_utils import create_run_for_test

from tests.support.guide import blocks
from tests.support.processes import PATIENCE, eventually, program
from tests.support.server import DEPLOY

pytestmark = pytest.mark.service

DAYS = {"2026-03-02", "2026-03-03", "2026-03-04"}
WEEK = 7 * 24 * 3600
LAUNCH = """mutation($job: String!) {launchRun(executionParams: {selector: {repositoryName: "__repository__",
repositoryLocationName: "chorus_calls", jobName: $job}}) {__typename}}"""


@pytest.fixture
def instance(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(server.home)) as opened:
        yield opened


def let_a_tick_be_missed(instance, name):
    """Leave a schedule as a server that was off for a week leaves it: the daemon makes up for the last tick."""
    state = next(state for state in instance.all_instigator_state() if state.instigator_name == name)
    assert state.status is InstigatorStatus.STOPPED
    data = ScheduleInstigatorData(state.instigator_data.cron_schedule, start_timestamp=time.time() - WEEK)
    instance.update_instigator_state(state.with_status(InstigatorStatus.RUNNING).with_data(data))


def finished(instance, job):
    """Return the newest run of a job, once it is over and well."""

    def look():
        runs = instance.get_runs(RunsFilter(job_name=job), limit=1)
        assert not runs or runs[0].status is not DagsterRunStatus.FAILURE, log_of(instance, runs[0])
        return runs[0] if runs and runs[0].status is DagsterRunStatus.SUCCESS else None

    return eventually(look, f"a run of {job} that ends well")


def launched(server, job):
    """Launch a job as a person does, and say whether that went well."""
    return server.ask(LAUNCH, job=job)["launchRun"]["__typename"] == "LaunchRunSuccess"


def log_of(instance, run):
    """Everything that was written about a run."""
    return " ".join(entry.message for entry in instance.all_logs(run.run_id))


def let_days_pass(server, runs, outputs, days):
    """Make runs and their output as old as if they were of so many days ago."""
    address = server.environment["DAGSTER_POSTGRES_URL"].replace("+psycopg2", "")
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        for run in runs:
            cursor.execute(
                "UPDATE runs SET update_timestamp = update_timestamp - make_interval(days => %s) WHERE run_id = %s",
                (days, run.run_id),
            )
            assert cursor.rowcount == 1
    files = [path for output in outputs for path in output.rglob("*.*")]
    assert len(files) >= len(outputs)
    for path in files:
        os.utime(path, times=(time.time() - days * 24 * 3600,) * 2)


def test_a_dump_brings_the_history_of_runs_back(server, instance, tmp_path):
    """By the commands of the page on operations, but for whom they run as and the place of the file."""
    address = server.environment["DAGSTER_POSTGRES_URL"].replace("+psycopg2", "")
    programs = Path(program("pg_dump", "postgresql")).parent

    def shell(word):
        script = next(block for block in blocks(DEPLOY.parent / "docs/operations.md", "sh") if word in block)
        for said, here in (("runuser -u postgres -- ", ""), ("/var/backups", str(tmp_path))):
            assert said in script
            script = script.replace(said, here)
        script, named = re.subn(r"(?<=[ =])chorus_calls(?= )", address, script)
        assert named == 1
        subprocess.run(["sh", "-ec", script], check=True, env={"PATH": f"{programs}:{os.environ['PATH']}"})

    kept = create_run_for_test(instance, job_name="build_days", status=DagsterRunStatus.SUCCESS).run_id
    shell("pg_dump")
    instance.delete_run(kept)
    create_run_for_test(instance, job_name="build_days", status=DagsterRunStatus.SUCCESS)
    shell("pg_restore")
    assert [run.run_id for run in instance.get_runs()] == [kept]
    instance.delete_run(kept)


@pytest.fixture
def held(api):
    """Hold the API's answers back until they are let go: whether one was asked for, and how to let go."""
    asked, let_go = threading.Event(), threading.Event()

    def hold(request, respond):
        asked.set()
        let_go.wait(PATIENCE)
        return respond(request)

    api.faults = [hold]
    yield asked, let_go
    let_go.set()


def test_a_server_works_unattended(server, instance, held):
    asked, let_go = held
    server.switch_schedules_off()
    let_a_tick_be_missed(instance, "hourly_extract")
    let_a_tick_be_missed(instance, "weekly_purge")
    server.start("daemon")

    old = finished(instance, "purge_runs")
    assert old.tags["dagster/schedule_name"] == "weekly_purge"
    assert asked.wait(PATIENCE)
    stopped = instance.get_runs(RunsFilter(job_name="extract_calls"))[0]
    assert stopped.tags["dagster/schedule_name"] == "hourly_extract"
    server.stop("code")
    let_go.set()
    # Dagster asks for a retry at once, and gives up where the server is gone by then: the next hour is what brings it.
    eventually(lambda: instance.get_run_by_id(stopped.run_id).is_finished, "that the interrupted run has ended")
    server.start("code")
    assert eventually(lambda: launched(server, "extract_calls"), "the code server")

    extracted = finished(instance, "extract_calls")
    assert extracted.run_id != stopped.run_id
    built = finished(instance, "build_days")
    assert built.tags["dagster/sensor_name"] == "changed_days"
    assert set(instance.get_materialized_partitions(dg.AssetKey("catalog"))) == DAYS
    assert {path.name for path in (server.folder / "data/lake/calls").iterdir()} == {f"call_date={day}" for day in DAYS}

    outputs = [server.home / "storage" / run.run_id for run in (old, extracted, built)]
    let_days_pass(server, [old, extracted, built], outputs, 40)
    assert launched(server, "purge_runs")
    eventually(lambda: not any(output.exists() for output in outputs), "that old output is gone")
    finished(instance, "purge_runs")
    left = {run.run_id for run in instance.get_runs()}
    assert old.run_id not in left
    assert {extracted.run_id, built.run_id} < left, "they say what has landed and what is built now"

    for name in ("web", "daemon", "code"):
        server.stop(name)
