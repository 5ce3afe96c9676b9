"""Starts runs like Dagster's default launcher, and notices when their processes are gone."""

from __future__ import annotations

import os
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

_PATIENCE_SECONDS = 5
_CLOCK_SECONDS = 5.0  # between what the kernel and what the run say of one moment


class WatchedRunLauncher(DefaultRunLauncher):
    """The default launcher with a health check, for run monitoring.

    Without one, a run whose machine was switched off stays "started" for ever, and with it the days it was building.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Say that runs can be asked after."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Ask the server that started a run whether it still has it, and look for the run's process."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]  # Dagster's own
        if client is None:
            # Started by a program of its own, without a server: its longest run time is all there is to go by.
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        request = CanCancelExecutionRequest(run_id=run.run_id)
        try:
            answer = client.can_cancel_execution(request, timeout=_PATIENCE_SECONDS)
            known = deserialize_value(answer, CanCancelExecutionResult).can_cancel
            gone = "The run's process is gone."
        except Exception:  # noqa: BLE001 - whatever keeps the server from answering, it knows of no run
            known, gone = False, "The server that started the run is gone."
        # A server that has loaded the code anew does not know the runs that it started before, and one that is busy
        # does not answer in time: they go on.
        if known or _goes_on(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, gone)


def _goes_on(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether the process is there that the run noted when it began."""
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        noted = event.engine_event_data.metadata.get("pid") if event else None
        if noted is not None:
            return _is_alive(int(str(noted.value)), noted_at=entry.timestamp)
    return False


def _is_alive(process: int, *, noted_at: float) -> bool:
    if os.name == "nt":  # signal 0 is no question there, and the longest run time ends what hangs
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    started = _start_of(process)
    # After a reboot, and soon in a container, another process has its number.
    return started is None or started <= noted_at + _CLOCK_SECONDS


def _start_of(process: int) -> float | None:
    """When a process began, in seconds since 1970; None where the system has no such files, or it has just ended."""
    try:
        ticks = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):
        return None
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
