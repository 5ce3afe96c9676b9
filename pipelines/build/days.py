"""Building many days side by side, then publishing all that passed their checks at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from pipelines.build.day import audit_day, plan_builds
from pipelines.build.processes import build_versions
from pipelines.build.workspace import Workspace
from pipelines.lake import state
from pipelines.lake.publish import Published, publish
from pipelines.lake.settle import settle
from pipelines.lake.versions import Audit, lost_days, read_audit, stale_days
from pipelines.quality import CHECKS_VERSION


@dataclass
class BuildReport:
    """What a build did.

    Attributes:
        built: Days whose version was built now.
        reused: Days whose version was complete already.
        published: What became of them.
        rows: Rows of the versions, by table, over all days.
        seconds: How long it took.
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


def days_to_build(workspace: Workspace) -> list[date]:
    """Return the landed days that are stale, or whose published files were lost, oldest first."""
    landed = state.load_landed(workspace.storage).value
    manifest = state.load_manifest(workspace.storage).value
    lost = lost_days(workspace.storage, manifest) & landed.days.keys()
    return sorted(lost.union(stale_days(landed, manifest, workspace.shaping)))


def build_days(
    workspace: Workspace,
    days: Sequence[date],
    *,
    recheck: bool = False,
    on_day: Callable[[date], None] | None = None,
) -> BuildReport:
    """Build, check and publish days; a version that exists complete is used again.

    Args:
        workspace: The lake.
        days: The days to build; they need not be stale.
        recheck: Check complete versions again, where newer checks may judge otherwise.
        on_day: Told of each day when its version is ready.
    """
    begun = time.monotonic()
    report = BuildReport()
    with workspace.storage.lock("lake", shared=True):
        manifest = state.load_manifest(workspace.storage).value
        landed = state.load_landed(workspace.storage).value
        builds = plan_builds(workspace, days, manifest, landed)
        todo = {}
        for day, build in builds.items():
            audit = read_audit(workspace.storage, day, build.version)
            if audit is None:
                todo[day] = build
                continue
            if recheck and audit.checks_version != CHECKS_VERSION:
                audit = audit_day(workspace, day, build.version)
            report.reused.append(day)
            report.count(audit)
            if on_day:
                on_day(day)
        for day, audit in build_versions(workspace, todo, landed):
            report.built.append(day)
            report.count(audit)
            if on_day:
                on_day(day)
        report.built.sort()
        report.published = publish(workspace.storage, workspace.shaping, builds, workspace.catalog)
    if report.built:  # a version that was lost and is back is published already, but not linked
        settle(workspace.storage, workspace.catalog, workspace.keep_versions)
    report.seconds = time.monotonic() - begun
    return report
