"""A run is lost when the server that started it is gone or its process is, and only then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionResult
from dagster._serdes import serialize_value

from assets.instance.launcher import WatchedRunLauncher


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
