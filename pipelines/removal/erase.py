"""Doing what the list of erasures says: in raw, in every version of the days concerned, and in the catalog.

The list comes first and says what is left to do, so whoever is killed at any point leaves a lake in which the next
sync, build or `forget --listed` goes on. Each step finds by itself what the step before it left to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from pipelines.build.days import BuildReport, build_alone, reason
from pipelines.build.workspace import Workspace
from pipelines.extract.journal import load_journal
from pipelines.extract.raw_files import require_landing_log
from pipelines.lake import layout, raw, state
from pipelines.lake.erased import Erasures, load_erasures
from pipelines.lake.purge import known_manifest, purge_versions, remove_folder, remove_uncounted, remove_unfinished
from pipelines.lake.storage import Storage
from pipelines.removal.look import Seen, Sieve, look_through
from pipelines.removal.needles import Needles
from pipelines.removal.rewrite import rewrite

_NEXT = timedelta(days=1)


@dataclass
class Erased:
    """What was done.

    Attributes:
        seen: What of raw was erased.
        rebuilt: Days that were built and published anew.
        emptied: Days of which nothing is left.
        lost: Days that readers have no longer, since they could not be built or did not pass their checks, with the
            reason.
        versions: How many versions of days were removed.
    """

    seen: Seen
    rebuilt: list[date] = field(default_factory=list)
    emptied: list[date] = field(default_factory=list)
    lost: dict[date, str] = field(default_factory=dict)
    versions: int = 0


def open_erasures(workspace: Workspace) -> Erasures:
    """Read the list, where the lake is whole enough to erase from.

    Raises:
        ChorusCallsError: It is not known what has landed, or what is published.
    """
    require_landing_log(workspace.storage, state.load_landed(workspace.storage))
    known_manifest(workspace.storage, workspace.catalog)
    return load_erasures(workspace.storage)


def look(workspace: Workspace, erasures: Erasures, needles: Needles, tell: Callable[[str], None]) -> Seen:
    """Look through raw for what is listed; what belongs to it is covered too from then on."""
    landed = state.load_landed(workspace.storage).value
    files = sum(len(day.calls) + len(day.rejected) for day in landed.days.values())
    tell(f"Looking through {counted(files, 'raw file')}.")
    return look_through(workspace.storage, landed, erasures, needles)


def erase_listed(
    workspace: Workspace, erasures: Erasures, seen: Seen, needles: Needles, tell: Callable[[str], None]
) -> Erased:
    """Erase what is listed; the caller holds the locks `sync` and `lake` for itself.

    Args:
        workspace: The lake.
        erasures: The list.
        seen: What `look` found of it.
        needles: What to search for in items that could not be placed.
        tell: Told what is being done.
    """
    storage = workspace.storage
    days = seen.days.union(erasures.pending or ())
    erasures.commit(storage, days)
    if seen.files:
        tell(f"Writing {counted(len(seen.files), 'raw file')} anew.")
        rewrite(storage, state.load_landed(storage), seen.files, Sieve(erasures, needles))
    remove_uncounted(storage)
    _clean_journal(storage, erasures)
    done = Erased(seen)
    if days:
        _make_anew(workspace, days, done, tell)
    with storage.lock("publish"):
        workspace.catalog.remove_unfinished()
        remove_unfinished(storage)
    erasures.commit(storage, None)
    return done


def counted(number: int, what: str) -> str:
    """Return so many of something, in words."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _clean_journal(storage: Storage, erasures: Erasures) -> None:
    """Let the journal hold no erased id: a scan that was cut off at one begins again."""
    journal = load_journal(storage)
    cut = journal.value.cut
    if cut and any(map(erasures.covers_call, [*cut.head, *cut.tail])):
        journal.value.cut = None
        state.commit(storage, journal)


def _make_anew(workspace: Workspace, days: set[date], done: Erased, tell: Callable[[str], None]) -> None:
    """Build and publish days and those after them, then remove all other versions of them.

    A day that cannot be built, or does not pass its checks, is taken from its readers: it has what is erased.
    """
    storage = workspace.storage
    landed = state.load_landed(storage).value.days
    done.emptied = sorted(days - landed.keys())
    for day in done.emptied:
        for kind in (raw.CALLS, raw.REJECTED):
            remove_folder(storage, layout.raw_folder(kind, day))
    wanted = sorted(landed.keys() & (days | {day + _NEXT for day in days}))
    tell(f"Building {counted(len(wanted), 'day')} anew.")
    report, failed = build_alone(workspace, wanted)
    done.lost = {**_refused(report), **{day: f"could not be built: {reason(error)}" for day, error in failed.items()}}
    done.rebuilt = sorted(set(wanted) - done.lost.keys())
    gone = purge_versions(storage, workspace.catalog, done.rebuilt, keep_published=True)
    gone += purge_versions(storage, workspace.catalog, [*done.emptied, *done.lost], keep_published=False)
    done.versions = len(gone)


def _refused(report: BuildReport) -> dict[date, str]:
    return {
        day: "did not pass its checks: " + "; ".join(f"{one.check} on {one.table}" for one in failed)
        for day, failed in report.published.refused.items()
    }
