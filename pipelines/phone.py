"""Phone numbers as they are sent, in one form each: E.164, by which two calls are known to be of one customer."""

from __future__ import annotations

import re
from typing import NamedTuple

import phonenumbers

_NORTH_AMERICAN = re.compile(r"\+1[2-9]\d{9}", re.ASCII)
"""Already E.164: ten digits that cannot begin with the trunk prefix 1, so that parsing would change nothing."""


class Number(NamedTuple):
    """A number.

    Attributes:
        e164: The number in E.164, such as `+15550100123`.
        country: The digits of its country code.
    """

    e164: str
    country: str

    @property
    def national(self) -> str:
        """Its digits without the country code."""
        return self.e164[1 + len(self.country) :]

    @property
    def masked(self) -> str:
        """The country code and the last two digits, the others as stars."""
        shown = 1 + len(self.country)
        return self.e164[:shown] + "*" * (len(self.e164) - shown - 2) + self.e164[-2:]


def read_number(text: str) -> Number | None:
    """Read a number with its country code; None where the text is none, or lacks the country code."""
    if _NORTH_AMERICAN.fullmatch(text):
        return Number(text, "1")
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return Number(e164, str(parsed.country_code))
