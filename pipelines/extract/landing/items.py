"""One item of a page: which call it is, when it was created, and whether it says what another version of it says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from pipelines.api_values import parse_instant
from pipelines.json_source import UNREADABLE, decode, members, storable

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_EXACT = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Head:
    """What places an item.

    Attributes:
        call_id: Its id; None where it has no usable one.
        instant: When the call was created, or started where that is unusable; None where neither is usable.
        organisation: Whose call it is, where it says so.
    """

    call_id: str | None
    instant: datetime | None
    organisation: str | None = None

    def day(self, first: date, last: date) -> date | None:
        """The day in UTC that the call belongs to; None where it has no id, or no day within these bounds."""
        if self.call_id is None or self.instant is None:
            return None
        day = self.instant.date()
        return day if first <= day <= last else None


@dataclass(frozen=True, slots=True)
class SeenItem:
    """An item as a scan knows it: a key that is its own, when the call was created, and the day it was given to.

    The last two are None where they are not known.
    """

    key: str
    instant: datetime | None
    day: date | None = None


class _Plain(msgspec.Struct, rename="camel"):
    id: str
    created_at: str
    organization_id: str | None = None


_PLAIN = msgspec.json.Decoder(_Plain)


def read_header(item: bytes) -> Head:
    """Read what places an item; whatever else is wrong with it does not matter here."""
    try:
        plain = _PLAIN.decode(item)
    except UNREADABLE:
        return _read_unusual(item)
    instant, _ = parse_instant(plain.created_at)
    if instant is None or not plain.id.strip():
        return _read_unusual(item)
    return Head(storable(plain.id), instant, plain.organization_id)


def same_call(one: bytes, other: bytes) -> bool:
    """Tell whether two versions of a call say the same: order of keys, white space and recordings' addresses aside."""
    try:
        return _same(_parse(one), _parse(other))
    except (ValueError, RecursionError):
        return one == other


def _read_unusual(item: bytes) -> Head:
    """Read an item that is not as documented: odd types, not JSON by the book, or no call at all."""
    try:
        decode(item)
        sources = members(item)
    except ValueError:
        return Head(None, None)
    instants = (_instant(sources.get(name)) for name in ("createdAt", "startedAt"))
    organisation = _string(sources.get("organizationId"))
    return Head(
        _call_id(sources.get("id")),
        next((instant for instant in instants if instant is not None), None),
        None if organisation is None else storable(organisation),
    )


def _call_id(source: bytes | None) -> str | None:
    text = _string(source)
    if text is not None:
        return storable(text) if text.strip() else None
    written = (source or b"").decode("utf-8", "replace")
    return written if written in {"true", "false"} or _NUMBER.fullmatch(written) else None


def _instant(source: bytes | None) -> datetime | None:
    text = _string(source)
    return None if text is None else parse_instant(text)[0]


def _string(source: bytes | None) -> str | None:
    if source is None or source[:1] != b'"':
        return None
    return str(json.loads(source.decode("utf-8", "replace"), strict=False))


def _parse(item: bytes) -> Any:
    try:
        return _EXACT.decode(item)
    except UNREADABLE:
        text = item.decode("utf-8", "replace")
        return json.loads(text, strict=False, parse_float=Decimal, parse_constant=str)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        one, other = _without_recording(one), _without_recording(other)
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _without_recording(value: dict[str, Any]) -> dict[str, Any]:
    """The object with its recording's address replaced by a mark, or left out where there is none."""
    if "recordingUrl" not in value:
        return value
    address = value["recordingUrl"]
    rest = {key: other for key, other in value.items() if key != "recordingUrl"}
    if address is None or (isinstance(address, str) and not address.strip()):
        return rest
    return {**rest, "recordingUrl": "*" if isinstance(address, str) else address}
