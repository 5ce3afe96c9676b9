"""Build, check and publish days: the `build` command, and the last step of a sync and of a prune."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from pipelines.errors import ChorusCallsError
from pipelines.lake import state
from pipelines.lake.identity import require_same_settings
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.materialize.days import BuildReport, build_days, days_to_build
from pipelines.privacy.pending import finish_erasures
from pipelines.workspace import Workspace


class Step(Protocol):
    """Counts finished items: `step(n)` adds n; `total` sets how many are expected, once that is known."""

    def __call__(self, done: int = 1, *, total: int | None = None) -> None:
        """Add `done` finished items."""


Progress = Callable[[str, int | None], AbstractContextManager[Step]]
"""Shows the progress of a long step for a block, given its title and, where known, the number of items."""


@contextmanager
def no_progress(title: str, total: int | None) -> Iterator[Step]:
    """Show nothing."""
    del title, total

    def step(done: int = 1, *, total: int | None = None) -> None:
        del done, total

    yield step


@dataclass(frozen=True)
class BuildOptions:
    """What to build.

    Attributes:
        first: The first day; None for no limit.
        last: The last day; None for no limit.
        all_days: Every landed day instead of the stale ones; complete versions are reused.
        recheck: Check complete versions again if the checks are newer than their audit.
        accept_settings: Make the present settings those of the lake, so that all of its days turn stale.
    """

    first: date | None = None
    last: date | None = None
    all_days: bool = False
    recheck: bool = False
    accept_settings: bool = False


def run(
    workspace: Workspace, options: BuildOptions, *, notify: Callable[[str], None], progress: Progress = no_progress
) -> BuildReport:
    """Repair the lake where needed, then build, check and publish its stale days.

    Args:
        workspace: The lake.
        options: What to build.
        notify: Called with a sentence for each thing that a person should know.
        progress: Shows how many days are done.

    Raises:
        SettingsDifferError: The lake was built with other settings.
        ChorusCallsError: Days could not be built; all others are built and published.
    """
    prepare(workspace, notify, accept_settings=options.accept_settings)
    storage = workspace.storage
    days = sorted(state.load_landed(storage).value.days) if options.all_days else days_to_build(workspace)
    first, last = options.first or date.min, options.last or date.max
    return build(workspace, [day for day in days if first <= day <= last], recheck=options.recheck, progress=progress)


def prepare(workspace: Workspace, notify: Callable[[str], None], *, accept_settings: bool = False) -> None:
    """Check the settings, then repair the lake, before anything is written.

    Raises:
        SettingsDifferError: The lake was built with other settings, and they are not accepted.
        ChorusCallsError: The lake cannot be repaired, or an erasure cannot be finished.
    """
    require_same_settings(workspace.storage, workspace.table_settings, accept=accept_settings)
    repair(workspace, notify)


def repair(workspace: Workspace, notify: Callable[[str], None]) -> None:
    """Repair what a crash left behind, and finish pending erasures.

    Raises:
        ChorusCallsError: The lake cannot be repaired, or an erasure cannot be finished.
    """
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    finish_erasures(workspace, notify)


def build(
    workspace: Workspace, days: Sequence[date], *, recheck: bool = False, progress: Progress = no_progress
) -> BuildReport:
    """Build, check and publish these days of a lake that is prepared.

    Raises:
        ChorusCallsError: Days could not be built; all others are built and published.
    """
    if not days:
        return build_days(workspace, [])
    with progress("Building days", len(days)) as step:
        return build_days(workspace, days, recheck=recheck, on_day=lambda _: step())


def as_dict(report: BuildReport) -> dict[str, Any]:
    """Return what a build did, as the JSON of the command line has it."""
    return {
        "days_built": len(report.built),
        "days_reused": len(report.reused),
        "days_published": len(report.published.published),
        "days_superseded": len(report.published.superseded),
        "days_refused": {
            str(day): [{"check": result.check, "table": result.table, "detail": result.detail} for result in failed]
            for day, failed in report.published.refused.items()
        },
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
    }


def sentence(report: BuildReport) -> str:
    """Return what a build did, in one line."""
    reused = f", {len(report.reused):,} reused" if report.reused else ""
    published = len(report.published.published)
    return f"{len(report.built):,} days built, {published:,} published{reused} ({report.seconds:.1f} s)"


def raise_refused(report: BuildReport, notify: Callable[[str], None]) -> None:
    """Notify of each failed check of a refused day, then raise.

    Raises:
        ChorusCallsError: A day was refused.
    """
    refused = report.published.refused
    if not refused:
        return
    for day, failed in sorted(refused.items()):
        for result in failed:
            notify(f"{day}: {result.check} on {result.table}: {result.detail}")
    message = (
        f"{len(refused):,} of the days failed their checks, so readers keep the version they had: "
        f"{', '.join(map(str, sorted(refused)))}. They are tried again with new calls or a newer chorus-calls."
    )
    raise ChorusCallsError(message)
