"""How figures are formatted. An unknown value is None everywhere before this module, and a dash on the page."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Final

from markupsafe import Markup

UNKNOWN: Final = Markup('<span role="img" aria-label="not known">\N{EN DASH}</span>')
"""A dash with words for screen readers."""

_MAX_WORD_LENGTH: Final = 60
_MIN_PHONE_DIGITS: Final = 7
_SCIENTIFIC_FROM: Final = 1e15
_MINUTE, _HOUR = 60, 3600
_HIGH_PRICE: Final = 100


def count(value: float | None) -> str | Markup:
    """Format a number of things."""
    known = _known(value)
    return UNKNOWN if known is None else _grouped(known, 0)


def amount(value: float | None, currency: str | None = None) -> str | Markup:
    """Format money, with the currency's label if there is one."""
    return _money(value, currency, digits=2)


def price(value: float | None, currency: str | None = None) -> str | Markup:
    """Format a price per minute, with the currency's label if there is one."""
    return _money(value, currency, digits=4 if abs(value or 0) < _HIGH_PRICE else 2)


def share(value: float | None) -> str | Markup:
    """Format a share of one in percent."""
    known = _known(value)
    return UNKNOWN if known is None else _percent(known, 1)


def rounded_share(value: float) -> str:
    """Format a share of one in whole percent."""
    return _percent(value, 0)


def duration(seconds: float | None) -> str | Markup:
    """Format a length of time."""
    known = _known(seconds)
    if known is None:
        return UNKNOWN
    whole = round(known)
    minutes, rest = divmod(whole, _MINUTE)
    if whole < _MINUTE:
        return f"{whole}\N{NO-BREAK SPACE}s"
    if whole < _HOUR:
        return f"{minutes}\N{NO-BREAK SPACE}min {rest:02d}\N{NO-BREAK SPACE}s"
    return f"{_grouped(minutes // 60, 0)}\N{NO-BREAK SPACE}h {minutes % 60:02d}\N{NO-BREAK SPACE}min"


def day(value: date) -> str:
    """Format a day."""
    return f"{value.day}\N{NO-BREAK SPACE}{value:%b}\N{NO-BREAK SPACE}{value.year}"


def moment(value: datetime | None) -> str | Markup:
    """Format an instant, to the minute."""
    return f"{day(value)}, {value:%H:%M} UTC" if value else UNKNOWN


def change(now: float | None, before: float | None) -> str | None:
    """Format the relative change of a sum; None if it is unknown."""
    newer, older = _known(now), _known(before)
    if newer is None or not older:
        return None
    return _signed(100 * (newer / older - 1), "%")


def points(now: float | None, before: float | None) -> str | None:
    """Format the change of a share in percentage points; None if it is unknown."""
    newer, older = _known(now), _known(before)
    if newer is None or older is None:
        return None
    return _signed(100 * (newer - older), "\N{NO-BREAK SPACE}points")


def word(text: str | None, *, absent: str = "(none given)") -> str:
    """Format a free text of the API: shortened if long, withheld if it may be personal.

    A text with an @ or with as many digits as a phone number may identify a person.
    """
    cleaned = clean(text or "")
    if not cleaned:
        return absent
    if "@" in cleaned or sum(c.isnumeric() for c in cleaned) >= _MIN_PHONE_DIGITS:
        return "(withheld: holds a number or address)"
    return cleaned if len(cleaned) <= _MAX_WORD_LENGTH else cleaned[: _MAX_WORD_LENGTH - 1].rstrip() + "…"


def clean(text: str) -> str:
    """Return a text of the API on one line, without invisible characters or those that change the text direction."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def plural(number: float | None, one: str, many: str | None = None) -> str:
    """Format a number with its noun."""
    return f"{count(number)}\N{NO-BREAK SPACE}{one if number == 1 else many or one + 's'}"


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _money(value: float | None, currency: str | None, *, digits: int) -> str | Markup:
    known = _known(value)
    if known is None:
        return UNKNOWN
    text = _grouped(known, digits)
    return f"{text}\N{NO-BREAK SPACE}{clean(currency)}" if currency else text


def _percent(value: float, digits: int) -> str:
    """Round, but never to 0% what is more, nor to 100% what is less."""
    least = 10**-digits
    if 0 < 100 * value < least / 2:
        return f"<{least:g}%"
    if 100 - least / 2 <= 100 * value < 100:  # noqa: PLR2004 - percent
        return f">{100 - least:g}%"
    return f"{100 * value:.{digits}f}%"


def _grouped(value: float, digits: int) -> str:
    if abs(value) >= _SCIENTIFIC_FROM or (digits and 0 < abs(value) < 10**-digits):
        number, _, exponent = f"{value:.2e}".partition("e")
        return _minus(f"{number}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}10^{int(exponent)}")
    return _minus(f"{value:,.{digits}f}")


def _signed(value: float, unit: str) -> str | None:
    if not math.isfinite(value):
        return None
    if abs(value) >= 1000:  # noqa: PLR2004 - a larger percentage is hard to read
        return f"more than +1,000{unit}"
    text = f"{value:+.1f}"
    return _minus("±0" if text in {"+0.0", "-0.0"} else text) + unit


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
