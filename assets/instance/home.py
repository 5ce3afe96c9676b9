"""Set up DAGSTER_HOME on one machine: the folder in which Dagster keeps its runs, and its settings there."""

from __future__ import annotations

import os
import re
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

_MOVED_LAUNCHER: Final = re.compile(
    r"""^([^#\n]*\bmodule["']?: *["']?)pipelines\.(?:orchestration\.)?launcher(?![\w.])""", re.MULTILINE
)
"""The launcher's module as earlier versions named it, in whatever form of YAML; Dagster cannot start with it."""


def dagster_home() -> Path:
    """Return Dagster's home; make it and its settings where they are missing, and update a launcher that has moved.

    Returns:
        The absolute path of DAGSTER_HOME, or of `data/dagster_home` in the working folder.
    """
    home = Path(os.environ.get(VARIABLE) or _DEFAULT).expanduser().absolute()
    home.mkdir(mode=0o750, parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(_DAGSTER_YAML, encoding="utf-8")
        return home
    known = settings.read_bytes().decode()  # as it is, with its line ends
    updated = _MOVED_LAUNCHER.sub(r"\1assets.instance.launcher", known)
    if updated != known:
        settings.write_bytes(updated.encode())
    return home


def open_instance() -> dg.DagsterInstance:
    """Open the instance in Dagster's home; use it as a context manager, so that it is closed."""
    return dg.DagsterInstance.from_config(str(dagster_home()))
