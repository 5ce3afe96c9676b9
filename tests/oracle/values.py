"""What one value as sent comes to: the meanings of text, measures, counts and times, and what is noted of bad ones."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.oracle.source import Node

_DECIMAL_TEXT = re.compile(r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$")
_NOT_TEXT = re.compile("[\ud800-\udfff\x00]")


@dataclass(frozen=True)
class Issue:
    """One problem of one item.

    Attributes:
        columns: The columns that suffer; a whole list or object that is unusable takes several with it.
        raw: The source text of the value, None where nothing was sent.
    """

    call_id: str | None
    table_name: str
    columns: tuple[str, ...]
    path: str
    kind: str
    message: str
    raw: str | None
    landed_at: datetime


@dataclass(frozen=True)
class Place:
    """Where a value is in its item, and which table and columns it is for."""

    table: str
    columns: tuple[str, ...]
    path: str


@dataclass
class Notes:
    """Collects what is wrong with the values of one payload."""

    call_id: str
    landed_at: datetime
    issues: list[Issue] = field(default_factory=list)

    def note(self, place: Place, kind: str, message: str, node: Node | None) -> None:
        raw = None if node is None else node.source
        self.issues.append(
            Issue(self.call_id, place.table, place.columns, place.path, kind, message, raw, self.landed_at)
        )

    def bad(self, place: Place, message: str, node: Node) -> None:
        self.note(place, "invalid_value", message, node)


def absent(node: Node | None) -> bool:
    """Return whether nothing was sent: no such key, or null."""
    return node is None or node.kind == "null"


def clean(text: str) -> str:
    """Return the text with what no column can hold, lone surrogates and NUL, replaced."""
    return _NOT_TEXT.sub("\ufffd", text)


def text_value(node: Node | None, place: Place, notes: Notes) -> str | None:
    """Text as is; a number or boolean as its JSON text; nothing for lists and objects."""
    if absent(node):
        return None
    if node.kind in ("number", "boolean"):
        notes.note(place, "inconsistent", f"a {node.kind} where text belongs", node)
        return node.source
    if node.kind in ("array", "object"):
        notes.bad(place, f"an {node.kind} where text belongs", node)
        return None
    cleaned = clean(node.value)
    if cleaned != node.value:
        notes.bad(place, "text with a lone surrogate or NUL", node)
    return cleaned


def is_usable_id(node: Node | None) -> bool:
    """A string that is not blank, a number or a boolean can name something."""
    if absent(node) or node.kind in ("array", "object"):
        return False
    return node.kind != "string" or node.value.strip() != ""


def float_of(digits: str) -> float | None:
    """Return the number, None where it is not finite."""
    number = float(digits)
    return number if math.isfinite(number) else None


def measure_value(node: Node | None, place: Place, notes: Notes) -> float | None:
    """Return a cost or duration: a number or decimal text, finite and not negative."""
    if absent(node):
        return None
    number = None
    if node.kind == "number" or (node.kind == "string" and _DECIMAL_TEXT.match(node.value)):
        number = float_of(node.value)
    if number is None or number < 0:
        notes.bad(place, "not a finite number of 0 or more", node)
        return None
    return number


def count_value(node: Node | None, place: Place, notes: Notes) -> int | None:
    """Return a JSON number that is whole (3.0 is) and fits 64 bits."""
    if absent(node):
        return None
    count = _whole(node.value) if node.kind == "number" else None
    if count is None:
        notes.bad(place, "not a whole number of 64 bits", node)
    return count


def _whole(digits: str) -> int | None:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    if number == 0:
        return 0
    # adjusted() is the power of ten of the first digit: int() of 1e999999 is never asked for.
    if not number.is_finite() or number.adjusted() > 18 or number != number.to_integral_value():
        return None
    return int(number) if -(2**63) <= int(number) < 2**63 else None


def parse_time(text: str) -> tuple[datetime | None, bool]:
    """Return the instant in UTC (None where the text is no time), and whether the text named its zone."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC), False
        return moment.astimezone(UTC), True
    except (ValueError, OverflowError):
        return None, True


def time_value(node: Node | None, place: Place, notes: Notes) -> datetime | None:
    """Return an instant; one without a zone is read as UTC and noted."""
    if absent(node):
        return None
    moment, had_zone = parse_time(node.value) if node.kind == "string" else (None, True)
    if moment is None:
        notes.bad(place, "not a time", node)
    elif not had_zone:
        notes.note(place, "inconsistent", "a time without a zone, read as UTC", node)
    return moment


def object_value(node: Node | None, place: Place, notes: Notes) -> Node | None:
    """Return the object itself, nothing for anything else."""
    if absent(node):
        return None
    if node.kind != "object":
        notes.bad(place, f"a {node.kind} where an object belongs", node)
        return None
    return node


def list_value(node: Node | None, place: Place, notes: Notes) -> list[Node] | None:
    """Return the elements of a list, nothing for anything else."""
    if absent(node):
        return None
    if node.kind != "array":
        notes.bad(place, f"a {node.kind} where a list belongs", node)
        return None
    return node.value


def member(node: Node | None, key: str) -> Node | None:
    """Return the value under a key, None where the node is no object or has no such key."""
    value: Any = node.value.get(key) if node is not None and node.kind == "object" else None
    return value
