"""Apply the suppression list: rewrite raw files, rebuild the affected days, and drop all their other versions.

A merged raw file names the files it was merged from, so that the digest of its day can be computed from it. A rewritten
file does not: its day needs another digest, since its tables must be rebuilt.

The list is stored first and says what is left to do. After a kill at any point, the next sync, build or `forget
--listed` resumes: each step finds by itself what the step before it has left.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.extract.landing.landing import require_landing_log
from pipelines.extract.sync_state import load_sync_state
from pipelines.json_source import payload_hash
from pipelines.lake import layout, raw, state
from pipelines.lake.locks import PUBLISH
from pipelines.lake.maintenance.expire_versions import (
    drop_versions,
    known_manifest,
    remove_folder,
    remove_orphans,
    remove_unfinished,
)
from pipelines.lake.raw import replace_files
from pipelines.lake.state import Landed, LandedFile, Stored
from pipelines.lake.storage import Storage
from pipelines.materialize.days import BuildReport, build_days_locked, reason
from pipelines.privacy.scan_raw import Matches, RawFile, RawFilter, scan_raw
from pipelines.privacy.search import SearchTerms
from pipelines.suppression.suppression_list import SuppressionList, load_suppression_list
from pipelines.workspace import Workspace


def rewrite(storage: Storage, landed: Stored[Landed], files: Collection[RawFile], raw_filter: RawFilter) -> None:
    """Rewrite raw files without what a filter removes, and commit them in place of the old ones.

    A day of which nothing is left leaves the landing log.
    The caller holds the locks `SYNC` and `LAKE` exclusively.
    """
    for day in sorted({day for day, _, _ in files}):
        known = landed.value.days[day]
        after: dict[tuple[str, str], tuple[LandedFile, Collection[str]]] = {}
        for kind in (raw.CALLS, raw.REJECTED):
            for name, file in raw.files_of(known, kind).items():
                if (day, kind, name) not in files:
                    after[name, kind] = (file, _landed_names(storage, kind, day, name))
                elif (rows := _filtered(raw.read_file(storage, kind, day, name), kind, raw_filter)).num_rows:
                    new = f"{name.partition('-')[0]}-rewritten-{secrets.token_hex(4)}"
                    after[new, kind] = (raw.write_versions(storage, kind, day, rows, new), [new])
        replace_files(known, after)
        if not after:
            del landed.value.days[day]
    state.commit(storage, landed)


def _filtered(rows: pa.Table, kind: str, raw_filter: RawFilter) -> pa.Table:
    """Return the rows of a file that stay, each with the payload that stays of it."""
    before = rows["payload"].to_pylist()
    after = [raw_filter.row(kind, *row) for row in zip(rows["call_id"].to_pylist(), before, strict=True)]
    payloads = [row.payload if row else None for row in after]
    hashes = [
        known if new == old or new is None else payload_hash(new.encode())
        for known, old, new in zip(rows["payload_hash"].to_pylist(), before, payloads, strict=True)
    ]
    for name, values in (("payload", payloads), ("payload_hash", hashes)):
        position = rows.schema.get_field_index(name)
        rows = rows.set_column(position, rows.schema.field(name), pa.array(values, pa.string()))
    return rows.filter(pa.array([row is not None for row in after], pa.bool_()))


def _landed_names(storage: Storage, kind: str, day: date, name: str) -> list[str]:
    with storage.open_input(layout.raw_file(kind, day, name)) as source:
        return raw.landed_names(pq.read_schema(source), name)


@dataclass
class Erased:
    """What was done.

    Attributes:
        matches: What was erased from raw.
        rebuilt: Days that were rebuilt and published.
        emptied: Days of which nothing is left.
        lost: Days that readers have lost, since they could not be built or did not pass their checks, with the reason.
        versions: How many versions of days were dropped.
    """

    matches: Matches
    rebuilt: list[date] = field(default_factory=list)
    emptied: list[date] = field(default_factory=list)
    lost: dict[date, str] = field(default_factory=dict)
    versions: int = 0


def open_suppression_list(workspace: Workspace) -> SuppressionList:
    """Read the suppression list of a lake that is complete enough to erase from.

    Raises:
        ChorusCallsError: The landing log or the manifest is lost.
    """
    require_landing_log(workspace.storage, state.load_landed(workspace.storage))
    known_manifest(workspace.storage, workspace.catalog)
    return load_suppression_list(workspace.storage)


def find_listed(
    workspace: Workspace, suppressed: SuppressionList, terms: SearchTerms, notify: Callable[[str], None]
) -> Matches:
    """Scan raw for what is listed, and add the ids of what belongs to it to the list and the search terms."""
    landed = state.load_landed(workspace.storage).value
    files = sum(len(day.calls) + len(day.rejected) for day in landed.days.values())
    notify(f"Scanning {plural(files, 'raw file')}.")
    return scan_raw(workspace.storage, landed, suppressed, terms)


def apply_suppression_list(
    workspace: Workspace,
    suppressed: SuppressionList,
    matches: Matches,
    terms: SearchTerms,
    notify: Callable[[str], None],
) -> Erased:
    """Erase what is listed; the caller holds the locks `SYNC` and `LAKE` exclusively."""
    storage = workspace.storage
    days = matches.days.union(suppressed.pending or ())
    suppressed.commit(storage, days)
    if matches.files:
        notify(f"Rewriting {plural(len(matches.files), 'raw file')}.")
        rewrite(storage, state.load_landed(storage), matches.files, RawFilter(suppressed, terms))
    remove_orphans(storage)
    _clean_checkpoint(storage, suppressed)
    done = Erased(matches)
    if days:
        _rebuild(workspace, days, done, notify)
    with storage.lock(PUBLISH):
        workspace.catalog.remove_unfinished()
        remove_unfinished(storage)
    suppressed.commit(storage, None)
    return done


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where needed."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _clean_checkpoint(storage: Storage, suppressed: SuppressionList) -> None:
    """Drop a scan checkpoint that holds an erased id; the scan starts over."""
    stored = load_sync_state(storage)
    checkpoint = stored.value.checkpoint
    if checkpoint and any(map(suppressed.covers_call, [*checkpoint.head, *checkpoint.tail])):
        stored.value.checkpoint = None
        state.commit(storage, stored)


def _rebuild(workspace: Workspace, days: set[date], done: Erased, notify: Callable[[str], None]) -> None:
    """Rebuild and publish days and the days after them, then drop all their other versions.

    A day that cannot be built, or fails its checks, is taken from its readers: it holds what is erased.
    """
    storage = workspace.storage
    landed = state.load_landed(storage).value.days
    done.emptied = sorted(days - landed.keys())
    for day in done.emptied:
        for kind in (raw.CALLS, raw.REJECTED):
            remove_folder(storage, layout.raw_folder(kind, day))
    affected = sorted(landed.keys() & (days | {day + timedelta(days=1) for day in days}))
    notify(f"Rebuilding {plural(len(affected), 'day')}.")
    report, failed = build_days_locked(workspace, affected)
    done.lost = {**_refused(report), **{day: f"could not be built: {reason(error)}" for day, error in failed.items()}}
    done.rebuilt = sorted(set(affected) - done.lost.keys())
    dropped = drop_versions(storage, workspace.catalog, done.rebuilt, keep_published=True)
    dropped += drop_versions(storage, workspace.catalog, [*done.emptied, *done.lost], keep_published=False)
    done.versions = len(dropped)


def _refused(report: BuildReport) -> dict[date, str]:
    return {
        day: "did not pass its checks: " + "; ".join(f"{one.check} on {one.table}" for one in failed)
        for day, failed in report.published.refused.items()
    }
