"""Whom to forget, in the words of the person who asks."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.errors import ChorusCallsError
from pipelines.json_source import storable
from pipelines.lake.erased import Erasures, customers_number
from pipelines.phone import Number


@dataclass(frozen=True)
class Request:
    """A customer, by number, or a call, by id: one of the two."""

    number: Number | None = None
    call_id: str | None = None

    @property
    def name(self) -> str:
        """How to speak of it without giving it away more than it was."""
        return f"the customer {self.number.masked}" if self.number else "the call of that id"

    def is_listed(self, erasures: Erasures) -> bool:
        """Say whether it was erased before."""
        if self.number:
            return erasures.covers_number(self.number.e164)
        return erasures.covers_call(self.call_id)

    def enlist(self, erasures: Erasures) -> None:
        """Cover it from now on."""
        if self.number:
            erasures.add_number(self.number)
        if self.call_id is not None:
            erasures.add_call(self.call_id)


def read_request(number: str | None, call_id: str | None) -> Request:
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
        return Request(call_id=storable(call_id))
    read = customers_number(number or "")
    if read is None:
        message = (
            "--number must be a phone number with its country code, such as +15550100123 or '+49 30 123456'. Calls "
            "whose number was hidden or sent in another form (a SIP address, digits without +) are erased one by one, "
            "by --call-id ID."
        )
        raise ChorusCallsError(message, exit_code=2)
    return Request(number=read)
