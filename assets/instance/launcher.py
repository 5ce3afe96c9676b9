"""Start runs like Dagster's default launcher, and notice when their processes are gone."""

from __future__ import annotations

import os
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DefaultRunLauncher

from assets._dagster import CheckRunHealthResult, WorkerStatus, ask_server

_SERVER_TIMEOUT_SECONDS = 5
_CLOCK_TOLERANCE_SECONDS = 5.0  # between the kernel's time and the run's for the same moment


class WatchedRunLauncher(DefaultRunLauncher):
    """The default launcher with a health check, for run monitoring.

    Without one, a run whose machine was switched off stays "started" for ever, and its days are never built again.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Say that there is a health check."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Ask the server that started a run whether it still runs it, and look for the run's process."""
        server_runs_it = ask_server(self, run.run_id, timeout=_SERVER_TIMEOUT_SECONDS)
        if server_runs_it is None:  # started by a program of its own: only its longest run time can end it
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            known, gone = server_runs_it(), "The run's process is gone."
        except Exception:  # noqa: BLE001 - for whatever reason the server does not answer, the process decides
            known, gone = False, "The server that started the run is gone."
        # A server that has reloaded the code does not know the runs that it started before, and a busy one does not
        # answer in time.
        if known or _is_process_alive(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, gone)


def _is_process_alive(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Check the process whose id the run noted when it began."""
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        noted = event.engine_event_data.metadata.get("pid") if event else None
        if noted is not None:
            return _is_alive(int(str(noted.value)), noted_at=entry.timestamp)
    return False


def _is_alive(process: int, *, noted_at: float) -> bool:
    if os.name == "nt":  # signal 0 ends a process there; the longest run time ends a run that hangs
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    started = _start_of(process)
    # After a reboot, and soon in a container, another process has the same id.
    return started is None or started <= noted_at + _CLOCK_TOLERANCE_SECONDS


def _start_of(process: int) -> float | None:
    """Return when a process began, in seconds since 1970; None without /proc, or where it has just ended."""
    try:
        ticks = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):
        return None
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
