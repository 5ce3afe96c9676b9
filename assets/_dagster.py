"""Fence off what this project needs of Dagster and Dagster does not offer publicly, with the public way each waits for.

No other file imports from `dagster._*` or asks its event log storage. A new version of Dagster that moves a part fails
`tests/dagster/test_private_parts.py`, which names the part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import dagster as dg
from dagster import DagsterRunStatus, DefaultRunLauncher

# The materialization that a check covers, one a partition: waits for checks that target partitions by themselves.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

# What a materialization was built from, by which Dagster finds stale days: waits for staleness of events that are
# written for one partition at a time, instead of for an output as a whole.
from dagster._core.definitions.data_version import (
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

# Metadata of an output that keeps Dagster from writing an event of its own: waits for a public way to say so.
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

# The health check of a run launcher: waits for one in DefaultRunLauncher.
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus

# Where the output of runs and ticks is kept: waits for a retention setting for it, like the one of ticks.
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

__all__ = [
    "NULL_EVENT_POINTER",
    "AssetCheckEvaluationTargetMaterializationData",
    "CheckRunHealthResult",
    "WorkerStatus",
    "get_input_data_version_tag",
    "get_input_event_pointer_tag",
]

# Public strings and statuses that Dagster has under private names alone.
PRIORITY_TAG: Final = "dagster/priority"
FAILURE_REASON_TAG: Final = "dagster/failure_reason"
STEP_FAILURE: Final = "STEP_FAILURE"
DATA_VERSION_TAG: Final = "dagster/data_version"
CODE_VERSION_TAG: Final = "dagster/code_version"
FINISHED_RUN_STATUSES: Final = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
ACTIVE_RUN_STATUSES: Final = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.SUSPENDED,
    DagsterRunStatus.CANCELING,
]

NO_OUTPUT_EVENT: Final[Mapping[str, bool]] = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
"""Metadata of an output whose events were written day by day: Dagster then writes none of its own for it."""


def latest_tags(instance: dg.DagsterInstance, asset: dg.AssetKey, tag: str) -> dict[str, str]:
    """Return a tag of the newest materialization of each partition, empty if it has no such tag."""
    found = instance.event_log_storage.get_latest_tags_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, [tag]
    )
    return {partition: tags.get(tag, "") for partition, tags in found.items()}


def failed_partitions(instance: dg.DagsterInstance, asset: dg.AssetKey) -> set[str]:
    """Return the partitions that Dagster shows as failed: a run was to write them, and ended without doing so."""
    storage = instance.event_log_storage
    return set(storage.get_latest_asset_partition_materialization_attempts_without_materializations(asset))


def latest_event_ids(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    kind: dg.DagsterEventType = dg.DagsterEventType.ASSET_MATERIALIZATION,
    partitions: Iterable[str] | None = None,
) -> list[int]:
    """Return the storage ids of the newest event of each partition, of all partitions by default."""
    wanted = None if partitions is None else set(partitions)
    return sorted(instance.event_log_storage.get_latest_storage_id_by_partition(asset, kind, wanted).values())


def output_folder(instance: dg.DagsterInstance) -> Path | None:
    """Return the folder of what runs and ticks print; None if it is kept elsewhere than in a folder."""
    logs = instance.compute_log_manager
    if not isinstance(logs, LocalComputeLogManager):
        return None
    return Path(logs.get_captured_local_path(["any"], "out")).parent


def ask_server(launcher: DefaultRunLauncher, run_id: str, *, timeout: float) -> Callable[[], bool] | None:
    """Return a question to the code server that started a run: whether it still runs it.

    Returns:
        The question, which raises where the server does not answer; None if no server started the run.
    """
    # Waits for the health check above. Imported here, since a process that only runs steps is spared its 3 MB.
    from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult  # noqa: PLC0415 - see above
    from dagster._serdes import deserialize_value  # noqa: PLC0415 - see above

    client = launcher._get_grpc_client_for_termination(run_id)  # type: ignore[no-untyped-call]  # noqa: SLF001 - see above
    if client is None:
        return None

    def runs_it() -> bool:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=timeout)
        return deserialize_value(answer, CanCancelExecutionResult).can_cancel

    return runs_it
