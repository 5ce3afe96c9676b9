"""Building many days side by side, then publishing all that passed their checks at once."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date

from pipelines.build.day import audit_day, build_version, plan_builds
from pipelines.build.workspace import Workspace, open_workspace
from pipelines.lake.publish import Build, Published, publish
from pipelines.lake.versions import Audit, read_audit
from pipelines.quality import CHECKS_VERSION
from pipelines.settings import Settings

_ALONE = 2
"""Up to so many days are built in this process: starting others takes as long as building a day or two."""


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
        builds = plan_builds(workspace, days)
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
        for day, audit in _build(workspace, todo):
            report.built.append(day)
            report.count(audit)
            if on_day:
                on_day(day)
        report.built.sort()
        report.published = publish(workspace.storage, workspace.shaping, builds, workspace.catalog)
    report.seconds = time.monotonic() - begun
    return report


def _build(workspace: Workspace, builds: Mapping[date, Build]) -> Iterator[tuple[date, Audit]]:
    workers = min(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1, len(builds))
    if len(builds) <= _ALONE or workers == 1:
        for day, build in builds.items():
            yield day, build_version(workspace, day, build.version)
        return
    # polars is not safe to fork, and a worker that is spawned shares nothing that it could spoil.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_open, initargs=(workspace.settings,)) as pool:
        waiting = {pool.submit(_build_one, day, build.version): day for day, build in builds.items()}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


_workspace: Workspace | None = None
"""The lake of a worker process, opened once when it starts."""


def _open(settings: Settings) -> None:
    global _workspace  # noqa: PLW0603 - a worker process has no other place to keep what its initializer made
    _workspace = open_workspace(settings)


def _build_one(day: date, version: str) -> Audit:
    if _workspace is None:
        message = "the worker was not opened"
        raise RuntimeError(message)
    return build_version(_workspace, day, version)
