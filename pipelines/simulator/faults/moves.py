"""A list that moves while it is read: what is inserted, deleted, moved or updated just before a page is shown."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pipelines.simulator.chance import identifier, stream
from pipelines.simulator.faults.fault import Fault, choice
from pipelines.simulator.listing import ChangingListing, Order, id_of
from pipelines.simulator.messages import Request, Respond, Response


@dataclass
class Moving(Fault):
    """Something happens to `count` calls before each so many-th page; which, depends on the request's number alone."""

    every: int = 5
    count: int = 1

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        if request.listing is not None:
            for turn in range(self.count):
                self.happen(request, request.listing, turn)
        return respond(request)

    @abstractmethod
    def happen(self, request: Request, listing: ChangingListing, turn: int) -> None:
        """Change the list once."""


@dataclass
class Insertions(Moving):
    """`count` new calls come before each so many-th page."""

    name: ClassVar[str] = "insertions"
    count: int = 3

    def happen(self, request: Request, listing: ChangingListing, turn: int) -> None:
        """See Moving."""
        newest, _ = listing.page(Order.NEWEST, 0, 1, draw=0)
        listing.insert(_new_call(_fields(newest[0]) if newest else {}, request.number, turn))


@dataclass
class Deletions(Moving):
    """`count` calls vanish before each so many-th page, from before that page, behind it, or anywhere."""

    name: ClassVar[str] = "deletions"
    where: str = choice("before", "behind", "anywhere")

    def happen(self, request: Request, listing: ChangingListing, turn: int) -> None:
        """See Moving."""
        for name, _ in _chosen(request, listing, turn, self.where):
            listing.delete(name)


@dataclass
class Moves(Moving):
    """`count` calls move to the head of the list before each so many-th page, as in a list by last change."""

    name: ClassVar[str] = "moves"
    where: str = choice("anywhere", "before", "behind")

    def happen(self, request: Request, listing: ChangingListing, turn: int) -> None:
        """See Moving."""
        for name, _ in _chosen(request, listing, turn, self.where):
            listing.lift(name)


@dataclass
class Updates(Moving):
    """`count` calls get another cost before each so many-th page, in their places."""

    name: ClassVar[str] = "updates"
    where: str = choice("anywhere", "before", "behind")

    def happen(self, request: Request, listing: ChangingListing, turn: int) -> None:
        """See Moving."""
        for name, item in _chosen(request, listing, turn, self.where):
            listing.replace(name, {**_fields(item), "cost": request.number + turn / 100})


def _chosen(request: Request, listing: ChangingListing, turn: int, where: str) -> Iterator[tuple[str, bytes]]:
    """A call before or behind the page in a list that is newest first; none where there is none, or it has no id."""
    _, total = listing.page(Order.NEWEST, 0, 0, draw=0)
    behind = min(request.offset + request.limit, total)
    first, last = {"before": (0, min(request.offset, total)), "behind": (behind, total)}.get(where, (0, total))
    if first >= last:
        return
    place = stream(request.number, turn).randrange(first, last)
    for item in listing.page(Order.NEWEST, place, 1, draw=0)[0]:
        name = id_of(item)
        if name is not None:
            yield name, item


def _fields(item: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(item)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _new_call(like: dict[str, Any], *path: int) -> dict[str, Any]:
    """A call that has just been created, of the same organisation and agent as another one."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = ("organizationId", "agentId", "phoneNumberId", "provider", "direction")
    return {
        **{name: like.get(name) for name in kept},
        "id": identifier(stream(*path)),
        "status": "queued",
        "customerNumber": "+15550100100",
        "transcript": [],
        "transferCalls": [],
        "createdAt": like.get("createdAt") or now,
    }
