"""Removals: whether listed erasures are done, and old days and unmasked versions are gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.doctor.findings import Area, Finding
from pipelines.doctor.subject import Subject, is_held
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout
from pipelines.lake.locks import SYNC
from pipelines.lake.maintenance.retention import days_before
from pipelines.lake.state import BrokenStateError
from pipelines.suppression.suppression_list import SuppressionList, list_is_lost, load_suppression_list

_RESTORE: Final = (
    "Put it back from a backup: without it, syncs would bring back what was erased. Where there is none, forget "
    "everybody again: `chorus-calls forget --list-anyway --number …`."
)
_FINISH: Final = "Run `chorus-calls forget --listed`."


def erasures(subject: Subject) -> Area:
    """Look at the list of erasures."""
    try:
        listed = load_suppression_list(subject.storage)
    except BrokenStateError:
        what = f"{subject.storage.address(layout.ERASED)} cannot be read as state of the lake."
        return Area("erasures", findings=[Finding("erased_unreadable", what, None, _RESTORE)])
    except ChorusCallsError:
        what = f"A newer chorus-calls wrote {subject.storage.address(layout.ERASED)}."
        return Area("erasures", findings=[Finding("state_newer", what, None, "Upgrade chorus-calls.")])
    return Area("erasures", findings=[*lost(subject), *pending(subject, listed)])


def lost(subject: Subject) -> Iterator[Finding]:
    """Find that the list is gone."""
    if subject.lake.value is not None and list_is_lost(subject.storage):
        what = f"{subject.storage.address(layout.ERASED)} is missing, though calls were erased."
        yield Finding("erased_missing", what, None, _RESTORE)


def pending(subject: Subject, listed: SuppressionList) -> Iterator[Finding]:
    """Find that an erasure is listed and not done; while somebody is at work, that may be just what is being done."""
    if listed.pending is not None and not is_held(subject.storage, SYNC):
        yield Finding("erasure_pending", "An erasure is listed and not finished.", None, _FINISH)


_BUILD: Final = "Run `chorus-calls build`, which ends it."


def removals(subject: Subject) -> Area:
    """Look for what is left of removals, unless somebody may be at just that."""
    lake = subject.lake.value
    if lake is None or is_held(subject.storage, SYNC):
        return Area("removals")
    seen = f"kept from {lake.retention_floor}" if lake.retention_floor else ""
    return Area("removals", seen, [*old_days(subject), *unmasked(subject)])


def old_days(subject: Subject) -> Iterator[Finding]:
    """Find days before the retention floor."""
    lake = subject.lake.value
    try:
        days = days_before(subject.storage, lake.retention_floor) if lake else []
    except ChorusCallsError:  # a file of state that cannot be read, which is told of elsewhere
        return
    for day in days:
        yield Finding("prune_unfinished", f"{day} is older than the lake is kept, and not gone.", day, _BUILD)


def unmasked(subject: Subject) -> Iterator[Finding]:
    """Find that versions are left which were built before numbers were masked."""
    if subject.lake.value and subject.lake.value.unmasked_versions:
        what = "There are versions of days left that were built with CHORUS_PII=raw, with numbers as they were sent."
        yield Finding("unmasked_versions", what, None, "Run `chorus-calls build`, which masks them or removes them.")
