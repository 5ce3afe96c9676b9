"""Phone numbers: one spelling, the pseudonym of a caller, and the masked form."""

from __future__ import annotations

import hashlib
import hmac

import phonenumbers


def _parse(number: str | None) -> phonenumbers.PhoneNumber | None:
    if number is None:
        return None
    try:
        return phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None


def _e164(parsed: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def customer_key(number: str | None, key: bytes) -> str | None:
    """Return the first 32 hex digits of the keyed hash of the number in E.164."""
    parsed = _parse(number)
    return None if parsed is None else hmac.new(key, _e164(parsed).encode(), hashlib.sha256).hexdigest()[:32]


def masked_number(number: str | None) -> str | None:
    """`+1********67`: the country code and the last two digits."""
    parsed = _parse(number)
    if parsed is None:
        return None
    code = f"+{parsed.country_code}"
    rest = _e164(parsed).removeprefix(code)
    return code + "*" * (len(rest) - 2) + rest[-2:]
