"""Forgetting a customer or a call: the list, then raw, tables and catalog, and last the proof."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pipelines.build.workspace import Workspace
from pipelines.errors import ChorusCallsError
from pipelines.extract.raw_files import require_landing_log
from pipelines.lake import state
from pipelines.lake.erased import Erasures, load_erasures
from pipelines.lake.purge import known_manifest
from pipelines.lake.storage import LakeBusyError, Storage
from pipelines.removal.erase import Erased, erase_listed
from pipelines.removal.look import Seen, look_through
from pipelines.removal.needles import Needles
from pipelines.removal.proof import Proof, prove
from pipelines.removal.request import Request

Tell = Callable[[str], None]
"""Tells a person what is being done."""


@dataclass
class Forgotten:
    """What was done, and what was found afterwards."""

    erased: Erased
    proof: Proof


def forget(workspace: Workspace, request: Request, tell: Tell, *, unknown_too: bool = False) -> Forgotten:
    """Erase a customer or a call, and search the whole lake for them afterwards.

    Args:
        workspace: The lake.
        request: Whom to forget.
        tell: Told what is being done.
        unknown_too: List also whom the lake knows nothing of, so that a later sync does not land their calls.

    Raises:
        ChorusCallsError: Nothing is known of them, or the lake cannot be written.
    """
    with alone(workspace.storage, tell):
        erasures, needles = _opened(workspace), Needles()
        listed = request.is_listed(erasures)
        request.enlist(erasures)
        if request.number:
            needles.add_number(request.number)
            needles.add_ids([key for key, _ in workspace.shape.customers.look_up([request.number.e164]) if key])
        if request.call_id is not None:
            needles.add_ids([request.call_id])
        seen = _look(workspace, erasures, needles, tell)
        if not (seen.files or listed or unknown_too):
            raise ChorusCallsError(_unknown(request))
        erased = erase_listed(workspace, erasures, seen, needles, tell)
        return Forgotten(erased, prove(workspace, needles, tell))


def forget_listed(workspace: Workspace, tell: Tell) -> Forgotten:
    """Erase whatever is listed, as after an interruption or in a restored backup.

    The list holds hashes alone, so the search afterwards is for the ids and numbers that were still found in raw.
    """
    with alone(workspace.storage, tell):
        erasures, needles = _opened(workspace), Needles()
        seen = _look(workspace, erasures, needles, tell)
        erased = erase_listed(workspace, erasures, seen, needles, tell)
        return Forgotten(erased, prove(workspace, needles, tell))


def finish_erasures(workspace: Workspace, tell: Tell) -> None:
    """Finish what is listed and not done, unless somebody is at work in the lake.

    Raises:
        ChorusCallsError: It cannot be finished, or readers have lost a day by it.
    """
    storage = workspace.storage
    if load_erasures(storage).pending is None:
        return
    try:
        with storage.lock("sync", wait=0), storage.lock("lake", wait=0):
            erasures, needles = _opened(workspace), Needles()
            tell("An erasure is listed and not finished; finishing it.")
            seen = _look(workspace, erasures, needles, tell)
            erased = erase_listed(workspace, erasures, seen, needles, tell)
    except LakeBusyError:
        tell("An erasure is listed and not finished, and others are at work. Run `chorus-calls forget --listed`.")
        return
    require_all_days(erased)


def require_all_days(erased: Erased) -> None:
    """Fail where readers have lost days by an erasure.

    Raises:
        ChorusCallsError: They have.
    """
    if erased.lost:
        lost = "\n".join(f"{day} {why}" for day, why in sorted(erased.lost.items()))
        message = f"{lost}\nReaders no longer have these days; `chorus-calls build` tries again to build them."
        raise ChorusCallsError(message)


@contextmanager
def alone(storage: Storage, tell: Tell) -> Iterator[None]:
    """Have the lake alone for a block, waiting for whoever is at work."""
    with _waited_for(storage, "sync", "a sync", tell), _waited_for(storage, "lake", "builds", tell):
        yield


@contextmanager
def _waited_for(storage: Storage, name: str, who: str, tell: Tell) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(storage.lock(name, wait=0))
        except LakeBusyError:
            tell(f"Waiting for {who} to end. Nothing has been changed yet; Ctrl-C leaves all as it is.")
            held.enter_context(storage.lock(name, wait=math.inf))
        yield


def _opened(workspace: Workspace) -> Erasures:
    """Read the list, where the lake is whole enough to erase from."""
    require_landing_log(workspace.storage, state.load_landed(workspace.storage))
    known_manifest(workspace.storage, workspace.catalog)
    return load_erasures(workspace.storage)


def _look(workspace: Workspace, erasures: Erasures, needles: Needles, tell: Tell) -> Seen:
    landed = state.load_landed(workspace.storage).value
    files = sum(len(day.calls) + len(day.rejected) for day in landed.days.values())
    tell(f"Looking through {files:,} raw files.")
    return look_through(workspace.storage, landed, erasures, needles)


def _unknown(request: Request) -> str:
    if request.number:
        return (
            f"No call of this lake has the number {request.number.masked}. Nothing was changed or listed. "
            "To keep its calls out from now on, add --list-anyway."
        )
    return "No call of this lake has that id. Nothing was changed or listed."
