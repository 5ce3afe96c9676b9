"""The typed call: what a well-formed item of the API decodes into, straight from its bytes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
KnownRole = Literal[
    "user", "customer", "caller", "human", "agent", "assistant", "bot", "ai", "system", "tool", "function"
]
"""Roles that decode without making a new string for every message."""


class Turn(Struct, gc=False):
    """A message whose role is any text."""

    role: str | None = None
    content: str | None = None


class KnownTurn(Struct, gc=False):
    """A message whose role is one of the usual words."""

    role: KnownRole | None = None
    content: str | None = None


AnyTurn = Turn | KnownTurn


class Leg(Struct, rename="camel", gc=False):
    """One element of transferCalls."""

    id: str | None = None
    transfer_type: str | None = None
    transfer_status: str | None = None
    duration_seconds: float | str | None = None
    customer_number: str | None = None
    recording_url: str | None = None
    transcript: list[Turn] | None = None
    started_at: str | None = None
    ended_at: str | None = None
    cost: float | str | None = None
    status: str | None = None


class KnownLeg(Leg, rename="camel", gc=False):
    """A leg with the usual roles."""

    transcript: list[KnownTurn] | None = None  # type: ignore[assignment]  # a narrower kind of message


NO_LEG = Leg()
"""Stands in a place of transferCalls that held something else, so that the others keep their positions."""


class Analysis(Struct, gc=False):
    """What was made of a conversation after it ended."""

    summary: str | None = None
    extractions: Raw = Raw()


class Call(Struct, rename="camel", gc=False):
    """One item of the API. Free-form objects stay slices of the source."""

    id: str | None = None
    organization_id: str | None = None
    agent_id: str | None = None
    phone_number_id: str | None = None
    call_sid: str | None = None
    provider: str | None = None
    direction: str | None = None
    status: str | None = None
    customer_number: str | None = None
    duration_seconds: float | str | None = None
    cost: float | str | None = None
    recording_url: str | None = None
    turn_count: Int64 | None = None
    transcript: list[Turn] | None = None
    analysis: Analysis | None = None
    ended_reason: str | None = None
    context_variables: Raw = Raw()
    metadata: Raw = Raw()
    parent_call_id: str | None = None
    transfer_type: str | None = None
    transfer_status: str | None = None
    transfer_calls: list[Leg] | None = None
    started_at: str | None = None
    ended_at: str | None = None
    created_at: str | None = None


class KnownCall(Call, rename="camel", gc=False):
    """A call with the usual roles."""

    transcript: list[KnownTurn] | None = None  # type: ignore[assignment]  # a narrower kind of message
    transfer_calls: list[KnownLeg] | None = None  # type: ignore[assignment]  # a narrower kind of leg


DECODERS: tuple[msgspec.json.Decoder[Call], ...] = (msgspec.json.Decoder(KnownCall), msgspec.json.Decoder(Call))
"""Tried one after the other: the first spares a string a message, the second takes any role."""
