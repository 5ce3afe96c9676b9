"""Check settings, state files, and whether listed erasures and removals are finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.doctor.inspection import Area, Finding, Subject, is_locked
from pipelines.errors import ChorusCallsError
from pipelines.json_source import UNREADABLE
from pipelines.lake import layout
from pipelines.lake.identity import differences
from pipelines.lake.locks import SYNC
from pipelines.lake.maintenance.retention import days_before
from pipelines.lake.publish import Build
from pipelines.lake.state import BrokenStateError
from pipelines.suppression.suppression_list import SuppressionList, list_is_lost, load_suppression_list

REPAIR: Final = "Run `chorus-calls doctor --repair`."
_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "timezone": "CHORUS_TIMEZONE",
        "pii": "CHORUS_PII",
        "pii_key_check": "CHORUS_PII_KEY",
        "outcomes": "CHORUS_OUTCOMES",
    }
)
_SHOWN: Final = frozenset({"timezone", "pii"})
_RESTORE: Final = (
    "Put it back from a backup: without it, syncs would bring back what was erased. If there is none, forget "
    "each person again: `chorus-calls forget --list-anyway --number …`."
)
_FINISH: Final = "Run `chorus-calls forget --listed`."
_FINISH_REMOVAL: Final = "Run `chorus-calls build`, which finishes it."


def settings(subject: Subject) -> Area:
    """Compare the settings with those that the lake was built with."""
    return Area("settings", findings=[*settings_differ(subject), *pii_key_missing(subject)])


def state_files(subject: Subject) -> Area:
    """Check the state files."""
    return Area("state", findings=[*unreadable(subject), *lost(subject)])


def settings_differ(subject: Subject) -> Iterator[Finding]:
    """Find settings that differ from those of the lake."""
    lake, own = subject.lake.value, subject.table_settings
    if lake is None or own is None:
        return
    for name in differences(lake, own):
        if name not in _VARIABLES:
            what = f"This chorus-calls makes table version {own.table_version}; the lake's is {lake.table_version}."
            yield Finding("settings_differ", what, None, "Upgrade chorus-calls.")
            continue
        what = f"{_VARIABLES[name]} is not what the lake was built with"
        if name in _SHOWN:
            what += f": it is {own.shaping[name]}, the lake's is {lake.shaping[name]}"
        remedy = "Set it back, or run `chorus-calls build --accept-settings` once, which rebuilds every day."
        yield Finding("settings_differ", f"{what}.", None, remedy)


def pii_key_missing(subject: Subject) -> Iterator[Finding]:
    """Find that the PII key is missing."""
    if subject.table_settings is None and not subject.empty:
        remedy = (
            f"Put {layout.PII_KEY} back from a backup, or set CHORUS_PII_KEY to what it held. If it is lost for "
            "good, `chorus-calls build --accept-settings` makes another one; then every customer_key is another."
        )
        yield Finding("pii_key_missing", f"{subject.storage.address(layout.PII_KEY)} is missing.", None, remedy)


def unreadable(subject: Subject) -> Iterator[Finding]:
    """Find state files that cannot be read, or that a newer program wrote."""
    for path, content in broken_files(subject).items():
        what = f"{subject.storage.address(path)} cannot be read as {content}."
        yield Finding("state_unreadable", what, None, REPAIR)
    for found in subject.state_files:
        if found.error and not found.broken:
            what = f"A newer chorus-calls wrote {subject.storage.address(found.path)}."
            yield Finding("state_newer", what, None, "Upgrade chorus-calls.")


def broken_files(subject: Subject) -> dict[str, str]:
    """Return the paths of all state files that cannot be read, with what each should hold."""
    broken = {found.path: "state of the lake" for found in subject.state_files if found.broken}
    if not scans_readable(subject):
        broken[layout.SCANS] = "the record of scans"
    plans = [file.path for file in subject.storage.list(layout.PLANS) if file.path.endswith(".json")]
    return broken | {path: "the plan of a run" for path in plans if not _is_plan(subject.storage.read(path))}


def scans_readable(subject: Subject) -> bool:
    """Return whether the record of scans can be read, or does not exist yet."""
    if subject.storage.size(layout.SCANS) is None:
        return True
    try:
        with subject.storage.open_input(layout.SCANS) as source:
            pq.read_table(source, columns=["started_at", "mode", "complete"])
    except (OSError, pa.ArrowException):
        return False
    return True


def _is_plan(raw: bytes | None) -> bool:
    if raw is None:  # its run has just ended
        return True
    try:
        msgspec.json.decode(raw, type=dict[date, Build])
    except UNREADABLE:
        return False
    return True


def lost(subject: Subject) -> Iterator[Finding]:
    """Find state files that are missing although other files show that they existed."""
    for check, is_lost, path, since in (
        ("lake_json_missing", subject.lake_is_lost, layout.LAKE, "calls have landed"),
        ("landed_missing", subject.landed_is_lost, layout.LANDED, "calls have landed"),
        ("manifest_missing", subject.manifest_is_lost, layout.MANIFEST, "days were published"),
    ):
        if is_lost:
            yield Finding(check, f"{subject.storage.address(path)} is missing, though {since}.", None, REPAIR)


def erasures(subject: Subject) -> Area:
    """Check the suppression list."""
    try:
        listed = load_suppression_list(subject.storage)
    except BrokenStateError:
        what = f"{subject.storage.address(layout.ERASED)} cannot be read as state of the lake."
        return Area("erasures", findings=[Finding("erased_unreadable", what, None, _RESTORE)])
    except ChorusCallsError:
        what = f"A newer chorus-calls wrote {subject.storage.address(layout.ERASED)}."
        return Area("erasures", findings=[Finding("state_newer", what, None, "Upgrade chorus-calls.")])
    return Area("erasures", findings=[*list_lost(subject), *pending(subject, listed)])


def list_lost(subject: Subject) -> Iterator[Finding]:
    """Find that the list is missing."""
    if subject.lake.value is not None and list_is_lost(subject.storage):
        what = f"{subject.storage.address(layout.ERASED)} is missing, though calls were erased."
        yield Finding("erased_missing", what, None, _RESTORE)


def pending(subject: Subject, listed: SuppressionList) -> Iterator[Finding]:
    """Find an unfinished erasure, unless a running sync or `forget` may be finishing it."""
    if listed.pending is not None and not is_locked(subject.storage, SYNC):
        yield Finding("erasure_pending", "An erasure is listed and not finished.", None, _FINISH)


def removals(subject: Subject) -> Area:
    """Check for unfinished removals, unless a running process may be finishing them."""
    lake = subject.lake.value
    if lake is None or is_locked(subject.storage, SYNC):
        return Area("removals")
    seen = f"kept from {lake.retention_floor}" if lake.retention_floor else ""
    return Area("removals", seen, [*old_days(subject), *unmasked(subject)])


def old_days(subject: Subject) -> Iterator[Finding]:
    """Find days before the retention floor."""
    lake = subject.lake.value
    try:
        days = days_before(subject.storage, lake.retention_floor) if lake else []
    except ChorusCallsError:  # a state file cannot be read, which is reported elsewhere
        return
    for day in days:
        yield Finding("prune_unfinished", f"{day} is older than the lake is kept, and not gone.", day, _FINISH_REMOVAL)


def unmasked(subject: Subject) -> Iterator[Finding]:
    """Find versions that were built before numbers were masked."""
    if subject.lake.value and subject.lake.value.unmasked_versions:
        what = "There are versions of days left that were built with CHORUS_PII=raw, with numbers as they were sent."
        yield Finding("unmasked_versions", what, None, "Run `chorus-calls build`, which masks them or removes them.")
