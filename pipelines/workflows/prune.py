"""Prune: remove the days before a retention floor for good, and build the first day that is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pipelines.lake.identity import require_same_settings
from pipelines.lake.locks import exclusive_access
from pipelines.lake.maintenance import retention
from pipelines.lake.maintenance.expire_versions import known_manifest
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.maintenance.retention import OldDays
from pipelines.materialize.days import days_to_build
from pipelines.workflows.build import Progress, build, no_progress, raise_refused, sentence
from pipelines.workspace import Workspace


def run(
    workspace: Workspace, floor: date, *, notify: Callable[[str], None], progress: Progress = no_progress
) -> OldDays:
    """Remove the days before a floor, then build the floor's own day, which was built from the day before too.

    Returns:
        What was removed.

    Raises:
        SettingsDifferError: The lake was built with other settings.
        ChorusCallsError: The manifest is lost, the catalog cannot be made, or the floor's day cannot be built.
    """
    require_same_settings(workspace.storage, workspace.table_settings)
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    found = prune(workspace, floor, notify=notify)
    if found.floor in days_to_build(workspace):
        report = build(workspace, [found.floor], progress=progress)
        notify(sentence(report))
        raise_refused(report, notify)
    return found


def prune(workspace: Workspace, floor: date, *, notify: Callable[[str], None]) -> OldDays:
    """Remove raw files and tables of the days before a floor, for every reader; they do not land again.

    Waits until no sync and no build is running. The floor's own day turns stale. If this is interrupted, the next
    sync, build or prune removes the rest.

    Returns:
        What was removed.

    Raises:
        ChorusCallsError: The manifest is lost, or the catalog cannot be made.
    """
    storage = workspace.storage
    with exclusive_access(storage, notify):
        known_manifest(storage, workspace.catalog)
        found = retention.old_days(storage, floor)
        retention.raise_floor(storage, floor)
        retention.remove_before_floor(storage, workspace.catalog)
    return found
