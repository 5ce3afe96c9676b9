"""Removals: whether what must not be kept is gone, old days and versions without masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.doctor.findings import Area, Finding
from pipelines.doctor.running import is_held
from pipelines.doctor.subject import Subject
from pipelines.errors import ChorusCallsError
from pipelines.lake.retention import days_before

_BUILD: Final = "Run `chorus-calls build`, which ends it."


def removals(subject: Subject) -> Area:
    """Look for what is left of removals, unless somebody may be at just that."""
    lake = subject.lake.value
    if lake is None or is_held(subject.storage, "sync"):
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
