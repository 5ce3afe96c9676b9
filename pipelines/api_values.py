"""Parse values of the API, the same way everywhere: timestamps, and phone numbers in E.164."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

import phonenumbers


def parse_instant(text: str) -> tuple[datetime | None, bool]:
    """Read an ISO 8601 timestamp as an instant.

    Args:
        text: A timestamp such as `2019-08-24T14:15:22Z`, `...22.123+05:30` or, without a zone, `2019-08-24T14:15:22`.

    Returns:
        The instant in UTC with microseconds, or None if the text is no timestamp; and whether the text has a zone.
        Text without a zone is read as UTC.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC), False
        return moment.astimezone(UTC), True
    except (ValueError, OverflowError):
        return None, True


_NORTH_AMERICAN = re.compile(r"\+1[2-9]\d{9}", re.ASCII)
"""Already E.164: the ten digits cannot begin with the trunk prefix 1, so parsing would change nothing."""


class Number(NamedTuple):
    """A phone number.

    Attributes:
        e164: The number in E.164, such as `+15550100123`.
        country: The digits of its country code.
    """

    e164: str
    country: str

    @property
    def national(self) -> str:
        """The digits without the country code."""
        return self.e164[1 + len(self.country) :]

    @property
    def masked(self) -> str:
        """The country code and the last two digits; the other digits are stars."""
        shown = 1 + len(self.country)
        return self.e164[:shown] + "*" * (len(self.e164) - shown - 2) + self.e164[-2:]


def read_number(text: str) -> Number | None:
    """Parse a phone number with its country code; return None for any other text."""
    if _NORTH_AMERICAN.fullmatch(text):
        return Number(text, "1")
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return Number(e164, str(parsed.country_code))
