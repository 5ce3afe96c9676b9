"""One item of a page: which call it is, when it was created, and whether it equals another version of the call."""

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
from pipelines.lake import raw

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_EXACT = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class ItemHeader:
    """The fields of an item that decide where it lands.

    Attributes:
        call_id: Its id; None if it has no usable one.
        instant: When the call was created, or started if that is unusable; None if neither is usable.
        organisation: The organisation that the call belongs to; None if the item does not say.
    """

    call_id: str | None
    instant: datetime | None
    organisation: str | None = None

    def day(self, first: date, last: date) -> date | None:
        """Return the day in UTC that the call belongs to; None if it has no id, or no day within these bounds."""
        if self.call_id is None or self.instant is None:
            return None
        day = self.instant.date()
        return day if first <= day <= last else None


@dataclass(frozen=True, slots=True)
class SeenItem:
    """An item as a scan knows it: its key, when the call was created, and the day it was assigned to, if known."""

    key: str
    instant: datetime | None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an item, as received; or a tombstone.

    Attributes:
        call_id: None for an item without a usable id.
        payload_hash: Of a tombstone, raw.DELETED or raw.MOVED.
        payload: The item's JSON source; empty for a tombstone.
    """

    call_id: str | None
    payload_hash: str
    payload: bytes = b""

    @property
    def deleted(self) -> bool:
        """Whether it is a tombstone: the call is gone from its day."""
        return self.payload_hash in {raw.DELETED, raw.MOVED}


class _RegularItem(msgspec.Struct, rename="camel"):
    id: str
    created_at: str
    organization_id: str | None = None


_REGULAR = msgspec.json.Decoder(_RegularItem)


def read_header(item: bytes) -> ItemHeader:
    """Read the fields that decide where an item lands; errors in other fields do not matter here."""
    try:
        regular = _REGULAR.decode(item)
    except UNREADABLE:
        return _read_irregular(item)
    instant, _ = parse_instant(regular.created_at)
    if instant is None or not regular.id.strip():
        return _read_irregular(item)
    return ItemHeader(storable(regular.id), instant, regular.organization_id)


def same_call(one: bytes, other: bytes) -> bool:
    """Return whether two versions of a call are equal but for order of keys, white space and recordings' addresses."""
    try:
        return _same(_parse(one), _parse(other))
    except (ValueError, RecursionError):
        return one == other


def _read_irregular(item: bytes) -> ItemHeader:
    """Read an item that is not as documented: unexpected types, no strict JSON, or no call at all."""
    try:
        decode(item)
        sources = members(item)
    except ValueError:
        return ItemHeader(None, None)
    instants = (_instant(sources.get(name)) for name in ("createdAt", "startedAt"))
    organisation = _string(sources.get("organizationId"))
    return ItemHeader(
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
    """Return the object with its recording's address replaced by a mark, or left out if it is empty."""
    if "recordingUrl" not in value:
        return value
    address = value["recordingUrl"]
    rest = {key: other for key, other in value.items() if key != "recordingUrl"}
    if address is None or (isinstance(address, str) and not address.strip()):
        return rest
    return {**rest, "recordingUrl": "*" if isinstance(address, str) else address}
