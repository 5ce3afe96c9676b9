"""Forget a customer or a call: suppression list first, then raw, tables and catalog, then the proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.api_values import Number
from pipelines.errors import ChorusCallsError
from pipelines.json_source import storable
from pipelines.lake.locks import exclusive_access
from pipelines.privacy.rewrite import Erased, apply_suppression_list, find_listed, open_suppression_list
from pipelines.privacy.search import Proof, SearchTerms, prove
from pipelines.suppression.suppression_list import SuppressionList, customers_number
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class ErasureRequest:
    """A customer, by number, or a call, by id: one of the two."""

    number: Number | None = None
    call_id: str | None = None

    def is_listed(self, suppressed: SuppressionList) -> bool:
        """Return whether it was erased before."""
        if self.number:
            return suppressed.covers_number(self.number.e164)
        return suppressed.covers_call(self.call_id)

    def add_to(self, suppressed: SuppressionList) -> None:
        """Add it to the suppression list."""
        if self.number:
            suppressed.add_number(self.number)
        if self.call_id is not None:
            suppressed.add_call(self.call_id)

    @property
    def unknown(self) -> str:
        """The message for a request that matches nothing in the lake."""
        if self.number:
            return (
                f"No call of this lake has the number {self.number.masked}. Nothing was changed or listed. "
                "To keep its calls out from now on, add --list-anyway."
            )
        return "No call of this lake has that id. Nothing was changed or listed."


def read_request(number: str | None, call_id: str | None) -> ErasureRequest:
    """Read what is to be forgotten.

    Raises:
        ChorusCallsError: It is not exactly one of the two, or the number has no country code (exit code 2).
    """
    if (number is None) == (call_id is None):
        message = "Say whom to forget: --number +15550100123 (with its country code), or --call-id ID."
        raise ChorusCallsError(message, exit_code=2)
    if call_id is not None:
        if not call_id.strip():
            message = "--call-id is empty; it must be a call's id, as in the column call_id."
            raise ChorusCallsError(message, exit_code=2)
        return ErasureRequest(call_id=storable(call_id))
    parsed = customers_number(number or "")
    if parsed is None:
        message = (
            "--number must be a phone number with its country code, such as +15550100123 or '+49 30 123456'. Calls "
            "whose number was hidden or sent in another form (a SIP address, digits without +) are erased one by one, "
            "by --call-id ID."
        )
        raise ChorusCallsError(message, exit_code=2)
    return ErasureRequest(number=parsed)


@dataclass
class ErasureResult:
    """What was erased, and what the search found afterwards."""

    erased: Erased
    proof: Proof


def forget(
    workspace: Workspace, request: ErasureRequest, notify: Callable[[str], None], *, unknown_too: bool = False
) -> ErasureResult:
    """Erase a customer or a call, and search the whole lake for them afterwards.

    Args:
        workspace: The lake.
        request: Whom to forget.
        notify: Called with sentences about the progress.
        unknown_too: Also list a customer or call that the lake does not know, so that no later sync lands their calls.

    Raises:
        ChorusCallsError: The lake knows nothing of them, or cannot be written.
    """
    with exclusive_access(workspace.storage, notify):
        suppressed, terms = open_suppression_list(workspace), SearchTerms()
        was_listed = request.is_listed(suppressed)
        request.add_to(suppressed)
        if request.number:
            terms.add_number(request.number)
            pseudonyms = workspace.flatten_settings.customers.look_up([request.number.e164])
            terms.add_ids([key for key, _ in pseudonyms if key])
        if request.call_id is not None:
            terms.add_ids([request.call_id])
        matches = find_listed(workspace, suppressed, terms, notify)
        if not (matches.files or was_listed or unknown_too):
            raise ChorusCallsError(request.unknown)
        erased = apply_suppression_list(workspace, suppressed, matches, terms, notify)
        return ErasureResult(erased, prove(workspace, terms, notify))


def forget_listed(workspace: Workspace, notify: Callable[[str], None]) -> ErasureResult:
    """Erase whatever is listed, as after an interruption or in a restored backup.

    The list holds only hashes, so the search afterwards is for the ids and numbers that were still found in raw.
    """
    with exclusive_access(workspace.storage, notify):
        erased, terms = erase_listed(workspace, notify)
        return ErasureResult(erased, prove(workspace, terms, notify))


def erase_listed(workspace: Workspace, notify: Callable[[str], None]) -> tuple[Erased, SearchTerms]:
    """Erase what is listed, for a caller that has the lake exclusively; also return what it searched for."""
    suppressed, terms = open_suppression_list(workspace), SearchTerms()
    matches = find_listed(workspace, suppressed, terms, notify)
    return apply_suppression_list(workspace, suppressed, matches, terms, notify), terms


def require_all_days(erased: Erased) -> None:
    """Fail where readers have lost days by an erasure.

    Raises:
        ChorusCallsError: They have.
    """
    if erased.lost:
        lost = "\n".join(f"{day} {why}" for day, why in sorted(erased.lost.items()))
        message = f"{lost}\nReaders no longer have these days; `chorus-calls build` tries again to build them."
        raise ChorusCallsError(message)
