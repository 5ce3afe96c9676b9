"""Erasures: whether the list of them can be read, and whether all that is listed is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.doctor.findings import Area, Finding
from pipelines.doctor.running import is_held
from pipelines.doctor.subject import Subject
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout
from pipelines.lake.erased import Erasures, list_is_lost, load_erasures
from pipelines.lake.state import BrokenStateError

_RESTORE: Final = (
    "Put it back from a backup: without it, syncs would bring back what was erased. Where there is none, forget "
    "everybody again: `chorus-calls forget --list-anyway --number …`."
)
_FINISH: Final = "Run `chorus-calls forget --listed`."


def erasures(subject: Subject) -> Area:
    """Look at the list of erasures."""
    try:
        listed = load_erasures(subject.storage)
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


def pending(subject: Subject, listed: Erasures) -> Iterator[Finding]:
    """Find that an erasure is listed and not done; while somebody is at work, that may be just what is being done."""
    if listed.pending is not None and not is_held(subject.storage, "sync"):
        yield Finding("erasure_pending", "An erasure is listed and not finished.", None, _FINISH)
