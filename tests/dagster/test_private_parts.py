"""What the product uses of Dagster beside its public interface: a part that a new version moves or changes is named."""

# Nothing of `assets` is imported here: it cannot be where a part is missing.

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus, DefaultRunLauncher

ROOT = Path(__file__).parents[2]
FENCE = ROOT / "assets/_dagster.py"


def private_imports(path):
    """Yield the module and name of each import of a file from a private part of Dagster."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster"):
            yield from ((node.module, alias.name) for alias in node.names if f".{node.module}.{alias.name}".count("._"))
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith("dagster._"))


PARTS = sorted(private_imports(FENCE))


def test_no_other_file_of_the_product_imports_private_parts():
    files = [path for room in ("assets", "pipelines") for path in (ROOT / room).rglob("*.py")]
    assert {path for path in files if list(private_imports(path))} == {FENCE}


@pytest.mark.parametrize(("module", "name"), PARTS, ids=[name for _, name in PARTS])
def test_a_private_part_is_where_it_was(module, name):
    try:
        found = importlib.import_module(module)
    except ImportError:
        pytest.fail(f"Dagster {dg.__version__} has no {module}: find the new home of {name} for assets/_dagster.py")
    assert hasattr(found, name), f"Dagster {dg.__version__} has moved {name} out of {module}; see assets/_dagster.py"


@pytest.mark.parametrize(
    ("name", "module", "theirs"),
    [
        ("PRIORITY_TAG", "dagster._core.storage.tags", "PRIORITY_TAG"),
        ("FAILURE_REASON_TAG", "dagster._core.storage.tags", "RUN_FAILURE_REASON_TAG"),
        ("STEP_FAILURE", "dagster._core.events", "RunFailureReason.STEP_FAILURE.value"),
        ("DATA_VERSION_TAG", "dagster._core.definitions.data_version", "DATA_VERSION_TAG"),
        ("CODE_VERSION_TAG", "dagster._core.definitions.data_version", "CODE_VERSION_TAG"),
    ],
)
def test_a_string_is_the_one_that_dagster_uses(name, module, theirs):
    found = importlib.import_module(module)
    for part in theirs.split("."):
        found = getattr(found, part)
    assert getattr(importlib.import_module("assets._dagster"), name) == found, f"Dagster has changed {theirs}"


def test_statuses_of_runs_are_finished_or_active_as_in_dagster():
    ours = importlib.import_module("assets._dagster")
    theirs = importlib.import_module("dagster._core.storage.dagster_run")
    assert set(ours.FINISHED_RUN_STATUSES) == set(theirs.FINISHED_STATUSES)
    assert set(ours.ACTIVE_RUN_STATUSES) == set(theirs.NOT_FINISHED_STATUSES)
    others = set(DagsterRunStatus) - {*ours.FINISHED_RUN_STATUSES, *ours.ACTIVE_RUN_STATUSES}
    assert others == {DagsterRunStatus.MANAGED}, "a new status is neither: decide in assets/_dagster.py"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_latest_tags_by_partition", ["asset_key", "event_type", "tag_keys"]),
        ("get_latest_asset_partition_materialization_attempts_without_materializations", ["asset_key"]),
        ("get_latest_storage_id_by_partition", ["asset_key", "event_type", "partitions"]),
    ],
)
def test_the_event_log_storage_answers_what_it_is_asked(instance, method, arguments):
    found = getattr(instance.event_log_storage, method, None)
    assert found, f"Dagster {dg.__version__} has no EventLogStorage.{method}; see assets/_dagster.py"
    assert list(inspect.signature(found).parameters)[: len(arguments)] == arguments, method


def test_the_launcher_knows_the_server_of_a_run():
    name = "_get_grpc_client_for_termination"
    assert hasattr(DefaultRunLauncher, name), f"Dagster {dg.__version__} has no DefaultRunLauncher.{name}"
    assert list(inspect.signature(getattr(DefaultRunLauncher, name)).parameters) == ["self", "run_id"]
