"""Apply the suppression list: rewrite raw files, rebuild the affected days, drop all their other versions.

A file that others were merged into names them, so that its day's digest can be told from it. A file written here does
not name what it stands for: the day's digest has to be another, for its tables are to be built anew.

The list comes first and says what is left to do, so whoever is killed at any point leaves a lake in which the next
sync, build or `forget --listed` goes on. Each step finds by itself what the step before it left to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.extract.landing.items import payload_hash
from pipelines.extract.landing.raw_writer import require_landing_log
from pipelines.extract.scan.checkpoint import load_journal
from pipelines.lake import layout, raw, state
from pipelines.lake.locks import PUBLISH
from pipelines.lake.maintenance.drop_versions import (
    drop_versions,
    known_manifest,
    remove_folder,
    remove_orphans,
    remove_unfinished,
)
from pipelines.lake.raw import recount
from pipelines.lake.state import Landed, LandedFile, Stored
from pipelines.lake.storage import Storage
from pipelines.materialize.days import BuildReport, build_days_locked, reason
from pipelines.privacy.scan_raw import Matches, RawFile, RawFilter, scan_raw
from pipelines.privacy.search_terms import SearchTerms
from pipelines.suppression.suppression_list import SuppressionList, load_suppression_list
from pipelines.workspace import Workspace

_Counted = dict[tuple[str, str], tuple[LandedFile, Collection[str]]]


def rewrite(storage: Storage, landed: Stored[Landed], files: Collection[RawFile], sieve: RawFilter) -> None:
    """Write raw files anew, without what a sieve does not let through, and let them count in place of the old ones.

    A day of which nothing is left is no longer one that has landed.

    Args:
        storage: The lake's files; the caller holds the locks `sync` and `lake` for itself.
        landed: What has landed, as it is kept now.
        files: The files to write anew.
        sieve: What stays of each row.
    """
    for day in sorted({day for day, _, _ in files}):
        known = landed.value.days[day]
        after: _Counted = {}
        for kind in (raw.CALLS, raw.REJECTED):
            for name, file in raw.counted(known, kind).items():
                if (day, kind, name) not in files:
                    after[name, kind] = (file, _landed_names(storage, kind, day, name))
                elif (rewritten := _rewritten(storage, kind, day, name, sieve)) is not None:
                    name_after, file_after = rewritten
                    after[name_after, kind] = (file_after, [name_after])
        recount(known, after)
        if not after:
            del landed.value.days[day]
    state.commit(storage, landed)


def _rewritten(storage: Storage, kind: str, day: date, name: str, sieve: RawFilter) -> tuple[str, LandedFile] | None:
    """Write one file anew; returns its name and what is known of it, None where nothing stays."""
    staying = _staying(raw.read_file(storage, kind, day, name), kind, sieve)
    if not staying.num_rows:
        return None
    new = f"{name.partition('-')[0]}-rewritten-{secrets.token_hex(4)}"
    return new, raw.write_versions(storage, kind, day, staying, new)


def _staying(rows: pa.Table, kind: str, sieve: RawFilter) -> pa.Table:
    """Return the rows of a file that stay, each with what stays of it."""
    before = rows["payload"].to_pylist()
    after = [sieve.row(kind, *row) for row in zip(rows["call_id"].to_pylist(), before, strict=True)]
    payloads = [stays.payload if stays else None for stays in after]
    hashes = [
        known if new == old or new is None else payload_hash(new.encode())
        for known, old, new in zip(rows["payload_hash"].to_pylist(), before, payloads, strict=True)
    ]
    for name, values in (("payload", payloads), ("payload_hash", hashes)):
        position = rows.schema.get_field_index(name)
        rows = rows.set_column(position, rows.schema.field(name), pa.array(values, pa.string()))
    return rows.filter(pa.array([stays is not None for stays in after], pa.bool_()))


def _landed_names(storage: Storage, kind: str, day: date, name: str) -> list[str]:
    with storage.open_input(layout.raw_file(kind, day, name)) as source:
        return raw.landed_names(pq.read_schema(source), name)


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

    seen: Matches
    rebuilt: list[date] = field(default_factory=list)
    emptied: list[date] = field(default_factory=list)
    lost: dict[date, str] = field(default_factory=dict)
    versions: int = 0


def open_suppression_list(workspace: Workspace) -> SuppressionList:
    """Read the list, where the lake is whole enough to erase from.

    Raises:
        ChorusCallsError: It is not known what has landed, or what is published.
    """
    require_landing_log(workspace.storage, state.load_landed(workspace.storage))
    known_manifest(workspace.storage, workspace.catalog)
    return load_suppression_list(workspace.storage)


def find_listed(
    workspace: Workspace, erasures: SuppressionList, needles: SearchTerms, tell: Callable[[str], None]
) -> Matches:
    """Look through raw for what is listed; what belongs to it is covered too from then on."""
    landed = state.load_landed(workspace.storage).value
    files = sum(len(day.calls) + len(day.rejected) for day in landed.days.values())
    tell(f"Looking through {counted(files, 'raw file')}.")
    return scan_raw(workspace.storage, landed, erasures, needles)


def apply_suppression_list(
    workspace: Workspace, erasures: SuppressionList, seen: Matches, needles: SearchTerms, tell: Callable[[str], None]
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
        rewrite(storage, state.load_landed(storage), seen.files, RawFilter(erasures, needles))
    remove_orphans(storage)
    _clean_journal(storage, erasures)
    done = Erased(seen)
    if days:
        _rebuild(workspace, days, done, tell)
    with storage.lock(PUBLISH):
        workspace.catalog.remove_unfinished()
        remove_unfinished(storage)
    erasures.commit(storage, None)
    return done


def counted(number: int, what: str) -> str:
    """Return so many of something, in words."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _clean_journal(storage: Storage, erasures: SuppressionList) -> None:
    """Let the journal hold no erased id: a scan that was cut off at one begins again."""
    journal = load_journal(storage)
    checkpoint = journal.value.checkpoint
    if checkpoint and any(map(erasures.covers_call, [*checkpoint.head, *checkpoint.tail])):
        journal.value.checkpoint = None
        state.commit(storage, journal)


def _rebuild(workspace: Workspace, days: set[date], done: Erased, tell: Callable[[str], None]) -> None:
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
    report, failed = build_days_locked(workspace, wanted)
    done.lost = {**_refused(report), **{day: f"could not be built: {reason(error)}" for day, error in failed.items()}}
    done.rebuilt = sorted(set(wanted) - done.lost.keys())
    gone = drop_versions(storage, workspace.catalog, done.rebuilt, keep_published=True)
    gone += drop_versions(storage, workspace.catalog, [*done.emptied, *done.lost], keep_published=False)
    done.versions = len(gone)


def _refused(report: BuildReport) -> dict[date, str]:
    return {
        day: "did not pass its checks: " + "; ".join(f"{one.check} on {one.table}" for one in failed)
        for day, failed in report.published.refused.items()
    }
