"""A run is lost when the server that started it is gone, and only then."""

from __future__ import annotations

import json

import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test

from pipelines.launcher import WatchedRunLauncher


@pytest.fixture
def launcher(instance):
    watched = WatchedRunLauncher()
    watched.register_instance(instance)
    return watched


def test_a_run_whose_server_is_gone_has_failed(launcher, instance):
    tags = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "port": 9})}
    run = create_run_for_test(instance, tags=tags)
    assert launcher.supports_check_run_worker_health
    assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED


def test_a_run_in_a_process_of_its_own_is_left_alone(launcher, instance):
    run = create_run_for_test(instance)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
