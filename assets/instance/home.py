"""Set up DAGSTER_HOME on one machine: the folder in which Dagster keeps its runs, and its settings there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import dagster as dg

VARIABLE: Final = "DAGSTER_HOME"
_DEFAULT: Final = Path("data/dagster_home")

_DAGSTER_YAML: Final = """\
# Written once by chorus-calls; change it as you like.
telemetry: {enabled: false}

concurrency:
  runs: {max_concurrent_runs: 3}
  # One run at a time reads the API: runs wait for the pool calls_api.
  pools: {granularity: run, default_limit: 1}

# Finds runs that ended with their machine, and ends runs that hang: also a run launched from the page of
# an asset, which has no tags of a job.
run_launcher: {module: assets.instance.launcher, class: WatchedRunLauncher}
run_monitoring: {enabled: true, start_timeout_seconds: 180, poll_interval_seconds: 30, max_runtime_seconds: 21600}

python_logs:
  managed_python_loggers: [pipelines]
  python_log_level: INFO

retention:
  schedule: {purge_after_days: 30}
  sensor: {purge_after_days: {skipped: 3, failure: 30, success: 30}}
"""

_LAUNCHER: Final = "run_launcher: {module: assets.instance.launcher, class: WatchedRunLauncher}\n"
_EARLIER_LAUNCHERS: Final = tuple(
    _LAUNCHER.replace("assets.instance", earlier) for earlier in ("pipelines", "pipelines.orchestration")
)
"""The line as earlier versions wrote it; Dagster cannot start with it, since the module has moved."""


def dagster_home() -> Path:
    """Return Dagster's home; make it and its settings where they are missing, and update a launcher that has moved.

    Returns:
        The absolute path of DAGSTER_HOME, or of `data/dagster_home` in the working folder.
    """
    home = Path(os.environ.get(VARIABLE) or _DEFAULT).expanduser().absolute()
    home.mkdir(mode=0o750, parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    known = settings.read_text(encoding="utf-8") if settings.exists() else ""
    wanted = _update_launcher(known or _DAGSTER_YAML)
    if wanted != known:
        settings.write_text(wanted, encoding="utf-8")
    return home


def _update_launcher(text: str) -> str:
    """Put the launcher's present module into the line that an earlier version wrote; all else stays as it is."""
    return "".join(_LAUNCHER if line in _EARLIER_LAUNCHERS else line for line in text.splitlines(keepends=True))


def open_instance() -> dg.DagsterInstance:
    """Open the instance in Dagster's home; use it as a context manager, so that it is closed."""
    return dg.DagsterInstance.from_config(str(dagster_home()))
