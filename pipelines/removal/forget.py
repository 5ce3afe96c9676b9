"""Forgetting a customer or a call: the list, then raw, tables and catalog, and last the proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.build.workspace import Workspace
from pipelines.errors import ChorusCallsError
from pipelines.removal.alone import alone
from pipelines.removal.erase import Erased, erase_listed, look, open_erasures
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
        erasures, needles = open_erasures(workspace), Needles()
        listed = request.is_listed(erasures)
        request.enlist(erasures)
        if request.number:
            needles.add_number(request.number)
            needles.add_ids([key for key, _ in workspace.shape.customers.look_up([request.number.e164]) if key])
        if request.call_id is not None:
            needles.add_ids([request.call_id])
        seen = look(workspace, erasures, needles, tell)
        if not (seen.files or listed or unknown_too):
            raise ChorusCallsError(_unknown(request))
        erased = erase_listed(workspace, erasures, seen, needles, tell)
        return Forgotten(erased, prove(workspace, needles, tell))


def forget_listed(workspace: Workspace, tell: Tell) -> Forgotten:
    """Erase whatever is listed, as after an interruption or in a restored backup.

    The list holds hashes alone, so the search afterwards is for the ids and numbers that were still found in raw.
    """
    with alone(workspace.storage, tell):
        erasures, needles = open_erasures(workspace), Needles()
        seen = look(workspace, erasures, needles, tell)
        erased = erase_listed(workspace, erasures, seen, needles, tell)
        return Forgotten(erased, prove(workspace, needles, tell))


def _unknown(request: Request) -> str:
    if request.number:
        return (
            f"No call of this lake has the number {request.number.masked}. Nothing was changed or listed. "
            "To keep its calls out from now on, add --list-anyway."
        )
    return "No call of this lake has that id. Nothing was changed or listed."
