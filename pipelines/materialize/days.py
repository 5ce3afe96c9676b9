"""Build many days in parallel, the newest first, and publish them batch by batch.

Readers get the newest days first, and an interrupted build loses no more than it built since its last commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter

from pipelines.errors import ChorusCallsError, disk_trouble
from pipelines.lake import state
from pipelines.lake.locks import LAKE
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import Build, Published, publish
from pipelines.lake.state import Landed
from pipelines.lake.versions import Audit, damaged_days, read_audit, stale_days
from pipelines.materialize.day import audit_day, plan_builds
from pipelines.materialize.processes import build_versions
from pipelines.quality import CHECKS_VERSION
from pipelines.workspace import Workspace

BATCH = 31
"""Days built between two commits: few enough that readers do not wait long, and enough to keep the processors busy.
Each commit makes the catalog once."""


@dataclass
class BuildReport:
    """What a build did.

    Attributes:
        built: Days whose version was built now.
        reused: Days whose version was complete already.
        rows: Rows of the versions, by table, over all days.
    """

    built: list[date] = field(default_factory=list)
    reused: list[date] = field(default_factory=list)
    published: Published = field(default_factory=Published)
    rows: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, audit: Audit) -> None:
        """Add the rows of one version."""
        for table, rows in audit.rows.items():
            self.rows[table] = self.rows.get(table, 0) + rows

    def add(self, batch: Published) -> None:
        """Add the outcome of publishing a batch of days."""
        for name in ("published", "already", "superseded"):
            setattr(self.published, name, sorted(getattr(self.published, name) + getattr(batch, name)))
        self.published.refused.update(batch.refused)


def days_to_build(workspace: Workspace) -> list[date]:
    """Return the landed days that are stale, or whose published files are damaged, oldest first."""
    landed = state.load_landed(workspace.storage).value
    manifest = state.load_manifest(workspace.storage).value
    damaged = damaged_days(workspace.storage, manifest) & landed.days.keys()
    return sorted(damaged.union(stale_days(landed, manifest, workspace.table_settings)))


def build_days(
    workspace: Workspace,
    days: Sequence[date],
    *,
    recheck: bool = False,
    on_day: Callable[[date], None] | None = None,
) -> BuildReport:
    """Build, check and publish days, the newest first, batch by batch; complete versions are reused.

    Args:
        workspace: The lake.
        days: The days to build; they need not be stale. Days that have not landed are left out.
        recheck: Check complete versions again that older checks have checked.
        on_day: Called with each day when its version is ready or has failed.

    Raises:
        ChorusCallsError: Days could not be built; all others are built and published.
    """
    begun = time.monotonic()
    with workspace.storage.lock(LAKE, shared=True):
        report, failed = build_days_locked(workspace, days, recheck=recheck, on_day=on_day)
    # A restored version is published already, but not linked. Replaced versions can be removed only while nothing is
    # built, not even by this build.
    if report.built or report.published.published:
        reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    report.seconds = time.monotonic() - begun
    if failed:
        raise _failure(failed, report)
    return report


def build_days_locked(
    workspace: Workspace,
    days: Sequence[date],
    *,
    recheck: bool = False,
    on_day: Callable[[date], None] | None = None,
) -> tuple[BuildReport, dict[date, Exception]]:
    """Do what `build_days` does for a caller that holds the lock `LAKE`, without reconciling afterwards.

    Returns:
        The report, and the errors of the days that could not be built.
    """
    report = BuildReport()
    manifest = state.load_manifest(workspace.storage).value
    landed = state.load_landed(workspace.storage).value
    builds = plan_builds(workspace, days, manifest, landed)
    for day, build in builds.items():
        audit = read_audit(workspace.storage, day, build.version)
        if audit is None:
            continue
        if recheck and audit.checks_version != CHECKS_VERSION:
            audit = audit_day(workspace.storage, day, build.version)
        report.reused.append(day)
        report.count(audit)
        if on_day:
            on_day(day)
    return report, _build_and_publish(workspace, builds, landed, report, on_day)


def _build_and_publish(
    workspace: Workspace,
    builds: Mapping[date, Build],
    landed: Landed,
    report: BuildReport,
    on_day: Callable[[date], None] | None,
) -> dict[date, Exception]:
    """Build incomplete versions and publish each batch once it is ready; return the errors of failed days."""
    batches = _batches(builds, set(report.reused))
    batch_of = {day: batch for batch in batches for day in batch.missing}
    failed: dict[date, Exception] = {}

    def publish_if_ready(batch: _Batch) -> None:
        if batch.builds and not batch.missing:
            report.add(publish(workspace.storage, workspace.table_settings, batch.builds, workspace.catalog))

    for batch in batches:
        publish_if_ready(batch)
    todo = [{day: batch.builds[day] for day in batch.missing} for batch in batches]
    for day, found in build_versions(workspace.storage, workspace.flatten_settings, todo, landed):
        batch = batch_of[day]
        batch.missing.remove(day)
        if isinstance(found, Exception):
            failed[day] = found
            del batch.builds[day]
        else:
            report.built.append(day)
            report.count(found)
        if on_day:
            on_day(day)
        publish_if_ready(batch)
    report.built.sort()
    return failed


@dataclass
class _Batch:
    """Days that are published in one commit, and those of them that are still to be built."""

    builds: dict[date, Build] = field(default_factory=dict)
    missing: set[date] = field(default_factory=set)


def _batches(builds: Mapping[date, Build], complete: Container[date]) -> list[_Batch]:
    """Split days into batches, the newest first; each but the last has `BATCH` days that are to be built."""
    batches = [_Batch()]
    for day in sorted(builds, reverse=True):
        if day not in complete:
            if len(batches[-1].missing) == BATCH:
                batches.append(_Batch())
            batches[-1].missing.add(day)
        batches[-1].builds[day] = builds[day]
    return batches


def _failure(failed: Mapping[date, Exception], report: BuildReport) -> ChorusCallsError:
    """Return the error for days that could not be built; its cause is the error of the newest one."""
    day, error = max(failed.items(), key=itemgetter(0))
    others = f" {len(failed) - 1:,} more days failed, back to {min(failed)}." if len(failed) > 1 else ""
    message = (
        f"{day} could not be built: {reason(error)}{others}\n{len(report.published.published):,} other days were "
        "published. Fix the cause, then run `chorus-calls build` again."
    )
    failure = ChorusCallsError(message)
    failure.__cause__ = error
    return failure


def reason(error: Exception) -> str:
    """Return in a sentence why a day could not be built."""
    if isinstance(error, ChorusCallsError):
        return error.message
    return disk_trouble(error) if isinstance(error, OSError) else f"{type(error).__name__}: {str(error).rstrip('.')}."
