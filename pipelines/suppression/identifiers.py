"""Read the identifiers in an item that lead to a person: its id, its parent's, the customer's number, nested legs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from pipelines.json_source import UNREADABLE, OutlineError, elements, pairs, scalar_text, storable, without_elements


class Leg(NamedTuple):
    """A nested leg: its id and its number, None if they are missing."""

    leg_id: str | None
    number: str | None


class Identifiers(NamedTuple):
    """The identifiers in an item: at most one of each kind, more where a key is repeated."""

    call_ids: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    legs: tuple[Leg, ...] = ()


class _PlainLeg(msgspec.Struct, rename="camel"):
    id: str | None = None
    customer_number: str | None = None


class _Plain(msgspec.Struct, rename="camel"):
    id: str | None = None
    parent_call_id: str | None = None
    customer_number: str | None = None
    transfer_calls: list[_PlainLeg] | None = None


_PLAIN = msgspec.json.Decoder(_Plain)


def read_identifiers(item: bytes) -> Identifiers:
    """Read the identifiers of an item; an item that is not a JSON object has none."""
    try:
        plain = _PLAIN.decode(item)
    except UNREADABLE:
        return _read_slowly(item)
    legs = plain.transfer_calls or ()
    of_legs = 1 + len(legs)
    if (
        item.count(b'"id"') > of_legs
        or item.count(b'"customerNumber"') > of_legs
        or item.count(b'"parentCallId"') > 1
        or item.count(b'"transferCalls"') > 1
    ):
        return _read_slowly(item)
    return Identifiers(
        _stored(plain.id),
        _stored(plain.parent_call_id),
        _stored(plain.customer_number),
        tuple(Leg(next(iter(_stored(leg.id)), None), leg.customer_number) for leg in legs),
    )


def without_legs(item: bytes, unwanted: Callable[[Leg], bool]) -> bytes:
    """Return an item without some of its nested legs; all other bytes stay as they were sent."""
    return b"{" + b",".join(_member(key, value, whole, unwanted) for key, value, whole in pairs(item)) + b"}"


def _member(key: str, value: bytes, whole: bytes, unwanted: Callable[[Leg], bool]) -> bytes:
    if key != "transferCalls" or value[:1] != b"[":
        return whole
    before, _, after = whole.rpartition(value)
    return before + without_elements(value, lambda leg: unwanted(_leg(leg))) + after


def _read_slowly(item: bytes) -> Identifiers:
    try:
        members = pairs(item)
    except OutlineError:
        return Identifiers()
    legs: list[Leg] = []
    for key, value, _ in members:
        if key == "transferCalls" and value[:1] == b"[":
            legs += map(_leg, elements(value))
    return Identifiers(
        _texts(members, "id"), _texts(members, "parentCallId"), _texts(members, "customerNumber"), tuple(legs)
    )


def _leg(source: bytes) -> Leg:
    try:
        members = pairs(source)
    except OutlineError:
        return Leg(None, None)
    ids, numbers = _texts(members, "id"), _texts(members, "customerNumber")
    return Leg(ids[-1] if ids else None, numbers[-1] if numbers else None)


def _texts(members: list[tuple[str, bytes, bytes]], wanted: str) -> tuple[str, ...]:
    texts = (scalar_text(value) for key, value, _ in members if key == wanted)
    return tuple(text for text in texts if text is not None and text.strip())


def _stored(text: str | None) -> tuple[str, ...]:
    return () if text is None or not text.strip() else (storable(text),)
