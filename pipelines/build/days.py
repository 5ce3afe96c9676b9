"""Building many days side by side, then publishing all that passed their checks at once."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date

from pipelines.build.day import VersionBuilder, audit_day, plan_builds
from pipelines.build.workspace import Workspace, open_workspace
from pipelines.lake import state
from pipelines.lake.publish import Build, Published, publish
from pipelines.lake.settle import settle
from pipelines.lake.versions import Audit, lost_days, read_audit, stale_days
from pipelines.quality import CHECKS_VERSION
from pipelines.settings import Settings

_ALONE = 2
"""Up to so many days are built in this process: starting others takes as long as building a day or two."""
_SPANS_PER_WORKER = 4
_LONGEST_SPAN = 10
"""Days that follow each other are built by one worker, since a day's index serves the next; but not so many that
progress could not be seen."""


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
        if report.built:  # a version that was lost and is back is published already, but not linked
            settle(workspace.storage, workspace.catalog, workspace.keep_versions)
    report.seconds = time.monotonic() - begun
    return report


def _build(workspace: Workspace, builds: Mapping[date, Build]) -> Iterator[tuple[date, Audit]]:
    workers = min(_processors(), len(builds))
    if len(builds) <= _ALONE or workers == 1:
        builder = VersionBuilder(workspace)
        for day, build in builds.items():
            yield day, builder.build(day, build.version)
        return
    # polars is not safe to fork, and a worker that is spawned shares nothing that it could spoil.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_open, initargs=(workspace.settings,)) as pool:
        waiting = [pool.submit(_build_span, span) for span in _spans(builds, workers)]
        try:
            for done in as_completed(waiting):
                yield from done.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spans(builds: Mapping[date, Build], workers: int) -> list[list[tuple[date, str]]]:
    """Cut the days, in order, into enough spans to keep all workers busy to the end."""
    days = [(day, build.version) for day, build in sorted(builds.items())]
    length = max(1, min(_LONGEST_SPAN, len(days) // (workers * _SPANS_PER_WORKER)))
    return [days[start : start + length] for start in range(0, len(days), length)]


_builder: VersionBuilder | None = None
"""What a worker process builds with, made once when it starts."""


def _open(settings: Settings) -> None:
    global _builder  # noqa: PLW0603 - a worker process has no other place to keep what its initializer made
    _builder = VersionBuilder(open_workspace(settings))


def _build_span(span: Sequence[tuple[date, str]]) -> list[tuple[date, Audit]]:
    if _builder is None:
        message = "the worker was not opened"
        raise RuntimeError(message)
    return [(day, _builder.build(day, version)) for day, version in span]
