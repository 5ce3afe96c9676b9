"""Forget a customer or a call: suppression list, then raw, tables and catalog, then the proof.

Asked by every sync and build, so nothing but the list is read, and nothing imported, where there is none to finish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.api_values import Number
from pipelines.errors import ChorusCallsError
from pipelines.json_source import storable
from pipelines.lake.locks import exclusive_access, try_exclusive_access
from pipelines.lake.storage import LakeBusyError
from pipelines.privacy.proof import Proof, prove
from pipelines.privacy.rewrite import Erased, apply_suppression_list, find_listed, open_suppression_list
from pipelines.privacy.search_terms import SearchTerms
from pipelines.suppression.suppression_list import SuppressionList, customers_number, load_suppression_list
from pipelines.workspace import Workspace

if TYPE_CHECKING:
    from pipelines.privacy.rewrite import Erased
    from pipelines.workspace import Workspace


@dataclass(frozen=True)
class ErasureRequest:
    """A customer, by number, or a call, by id: one of the two."""

    number: Number | None = None
    call_id: str | None = None

    @property
    def name(self) -> str:
        """How to speak of it without giving it away more than it was."""
        return f"the customer {self.number.masked}" if self.number else "the call of that id"

    def is_listed(self, erasures: SuppressionList) -> bool:
        """Say whether it was erased before."""
        if self.number:
            return erasures.covers_number(self.number.e164)
        return erasures.covers_call(self.call_id)

    def enlist(self, erasures: SuppressionList) -> None:
        """Cover it from now on."""
        if self.number:
            erasures.add_number(self.number)
        if self.call_id is not None:
            erasures.add_call(self.call_id)


def read_request(number: str | None, call_id: str | None) -> ErasureRequest:
    """Read what is to be forgotten.

    Raises:
        ChorusCallsError: It is not one of the two, or the number has no country code (exit code 2).
    """
    if (number is None) == (call_id is None):
        message = "Say whom to forget: --number +15550100123 (with its country code), or --call-id ID."
        raise ChorusCallsError(message, exit_code=2)
    if call_id is not None:
        if not call_id.strip():
            message = "--call-id is empty; it must be a call's id, as in the column call_id."
            raise ChorusCallsError(message, exit_code=2)
        return ErasureRequest(call_id=storable(call_id))
    read = customers_number(number or "")
    if read is None:
        message = (
            "--number must be a phone number with its country code, such as +15550100123 or '+49 30 123456'. Calls "
            "whose number was hidden or sent in another form (a SIP address, digits without +) are erased one by one, "
            "by --call-id ID."
        )
        raise ChorusCallsError(message, exit_code=2)
    return ErasureRequest(number=read)


Tell = Callable[[str], None]
"""Tells a person what is being done."""


@dataclass
class ErasureResult:
    """What was done, and what was found afterwards."""

    erased: Erased
    proof: Proof


def forget(workspace: Workspace, request: ErasureRequest, tell: Tell, *, unknown_too: bool = False) -> ErasureResult:
    """Erase a customer or a call, and search the whole lake for them afterwards.

    Args:
        workspace: The lake.
        request: Whom to forget.
        tell: Told what is being done.
        unknown_too: List also whom the lake knows nothing of, so that a later sync does not land their calls.

    Raises:
        ChorusCallsError: Nothing is known of them, or the lake cannot be written.
    """
    with exclusive_access(workspace.storage, tell):
        erasures, needles = open_suppression_list(workspace), SearchTerms()
        listed = request.is_listed(erasures)
        request.enlist(erasures)
        if request.number:
            needles.add_number(request.number)
            needles.add_ids(
                [key for key, _ in workspace.flatten_settings.customers.look_up([request.number.e164]) if key]
            )
        if request.call_id is not None:
            needles.add_ids([request.call_id])
        seen = find_listed(workspace, erasures, needles, tell)
        if not (seen.files or listed or unknown_too):
            raise ChorusCallsError(_unknown(request))
        erased = apply_suppression_list(workspace, erasures, seen, needles, tell)
        return ErasureResult(erased, prove(workspace, needles, tell))


def forget_listed(workspace: Workspace, tell: Tell) -> ErasureResult:
    """Erase whatever is listed, as after an interruption or in a restored backup.

    The list holds hashes alone, so the search afterwards is for the ids and numbers that were still found in raw.
    """
    with exclusive_access(workspace.storage, tell):
        erasures, needles = open_suppression_list(workspace), SearchTerms()
        seen = find_listed(workspace, erasures, needles, tell)
        erased = apply_suppression_list(workspace, erasures, seen, needles, tell)
        return ErasureResult(erased, prove(workspace, needles, tell))


def _unknown(request: ErasureRequest) -> str:
    if request.number:
        return (
            f"No call of this lake has the number {request.number.masked}. Nothing was changed or listed. "
            "To keep its calls out from now on, add --list-anyway."
        )
    return "No call of this lake has that id. Nothing was changed or listed."


def finish_erasures(workspace: Workspace, tell: Callable[[str], None]) -> None:
    """Finish what is listed and not done, unless somebody is at work in the lake.

    Raises:
        ChorusCallsError: It cannot be finished, or readers have lost a day by it.
    """
    storage = workspace.storage
    if load_suppression_list(storage).pending is None:
        return
    from pipelines.privacy.rewrite import apply_suppression_list, find_listed, open_suppression_list  # noqa: PLC0415 - see above
    from pipelines.privacy.search_terms import SearchTerms  # noqa: PLC0415 - see above

    try:
        with try_exclusive_access(storage):
            erasures, needles = open_suppression_list(workspace), SearchTerms()
            if erasures.pending is None:
                return
            tell("An erasure is listed and not finished; finishing it.")
            erased = apply_suppression_list(
                workspace, erasures, find_listed(workspace, erasures, needles, tell), needles, tell
            )
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
