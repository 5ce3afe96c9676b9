"""Faults of the list: pages that differ from what was asked for, wrong totals, and calls that change between pages."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipelines.simulator.faults.fault import Fault, choice
from pipelines.simulator.listing import ChangingListing, Order, id_of
from pipelines.simulator.messages import Request, Respond, Response
from pipelines.simulator.random_streams import identifier, stream

_PAGINATION = b',"pagination":'
_ORGANISATION = re.compile(rb'("organizationId":\s*)"[^"]*"')
_STATUS = re.compile(rb'("status":\s*)"[^"]*"')


def _pagination(answer: Response) -> dict[str, Any]:
    """Return the pagination of a page."""
    return dict(json.loads(answer.body.rpartition(_PAGINATION)[2][:-1]))


def _with_pagination(answer: Response, shown: object) -> Response:
    """Return the page with another pagination; None removes it."""
    items = answer.body.rpartition(_PAGINATION)[0]
    tail = b"" if shown is None else _PAGINATION + json.dumps(shown, separators=(",", ":")).encode()
    return replace(answer, body=items + tail + b"}")


@dataclass
class Clamp(Fault, name="clamp"):
    """At most `limit` calls a page, whatever was asked for."""

    every: int = 1
    limit: int = 50

    def _answer(self, request: Request, respond: Respond) -> Response:
        return respond(replace(request, limit=min(request.limit, self.limit)))


@dataclass
class More(Fault, name="more"):
    """`count` calls more than were asked for."""

    every: int = 1
    count: int = 20

    def _answer(self, request: Request, respond: Respond) -> Response:
        return respond(replace(request, limit=request.limit + self.count))


@dataclass
class EmptyPage(Fault, name="empty_page"):
    """A page without calls, though there are some and the total counts them."""

    def _answer(self, request: Request, respond: Respond) -> Response:
        nothing = respond(replace(request, limit=0))
        return _with_pagination(nothing, {**_pagination(nothing), "limit": request.limit})


@dataclass
class ShortPage(Fault, name="short_page"):
    """A page with `missing` calls fewer than asked for, though there are more."""

    missing: int = 7

    def _answer(self, request: Request, respond: Respond) -> Response:
        short = respond(replace(request, limit=max(request.limit - self.missing, 1)))
        return _with_pagination(short, {**_pagination(short), "limit": request.limit})


@dataclass
class RepeatLast(Fault, name="repeat_last"):
    """Beyond the end of the list, the last page again."""

    every: int = 1

    def _answer(self, request: Request, respond: Respond) -> Response:
        asked = respond(request)
        last = max(_pagination(asked)["total"] - request.limit, 0)
        if request.offset <= last:
            return asked
        return _with_pagination(respond(replace(request, offset=last)), _pagination(asked))


@dataclass
class IgnoreOffset(Fault, name="ignore_offset"):
    """The first page, whatever offset is asked for."""

    every: int = 1

    def _answer(self, request: Request, respond: Respond) -> Response:
        return respond(replace(request, offset=0))


@dataclass
class Cycle(Fault, name="cycle"):
    """The first `calls` of the list again and again, as if it had no end."""

    every: int = 1
    calls: int = 200

    def _answer(self, request: Request, respond: Respond) -> Response:
        place = request.offset % max(self.calls, 1)
        limit = min(request.limit, max(self.calls, 1) - place)
        shown = respond(replace(request, offset=place, limit=limit))
        return _with_pagination(shown, {**_pagination(shown), "limit": request.limit, "offset": request.offset})


@dataclass
class Total(Fault, name="total"):
    """A total that is wrong, no number, or missing, alone or with the whole pagination."""

    every: int = 1
    form: str = choice(
        "small", "large", "zero", "changing", "null", "text", "negative", "fraction", "missing", "no_pagination"
    )

    def _answer(self, request: Request, respond: Respond) -> Response:
        shown = respond(request)
        fields = _pagination(shown)
        true = fields["total"]
        totals = {
            "small": true // 2,
            "large": true * 2 + 100,
            "zero": 0,
            "changing": true + request.number % 3 * 50,
            "null": None,
            "text": str(true),
            "negative": -1,
            "fraction": true + 0.5,
        }
        if self.form == "no_pagination":
            return _with_pagination(shown, None)
        del fields["total"]
        return _with_pagination(shown, fields if self.form == "missing" else {"total": totals[self.form], **fields})


@dataclass
class Ordered(Fault, name="order"):
    """Another order, `form`, also in the middle of a scan with `after`."""

    every: int = 1
    form: str = choice("oldest", "newest", "shuffled", "shuffled_once", "ties")

    def _answer(self, request: Request, respond: Respond) -> Response:
        return respond(replace(request, order=Order(self.form)))


@dataclass
class Duplicate(Fault, name="duplicate"):
    """The page's first call once more at its end, with another status."""

    def _answer(self, request: Request, respond: Respond) -> Response:
        shown = respond(request)
        first = respond(replace(request, limit=1)).body.rpartition(_PAGINATION)[0].removeprefix(b'{"data":[')[:-1]
        if not first:
            return shown
        items, _, rest = shown.body.rpartition(b"]" + _PAGINATION)
        again = _STATUS.sub(rb'\1"in-progress"', first, count=1)
        return replace(shown, body=items + b"," + again + b"]" + _PAGINATION + rest)


@dataclass
class OtherAccount(Fault, name="other_account"):
    """Calls of another organisation."""

    every: int = 1

    def _answer(self, request: Request, respond: Respond) -> Response:
        shown = respond(request)
        return replace(shown, body=_ORGANISATION.sub(rb'\1"org_of_somebody_else"', shown.body))


@dataclass
class ListChange(Fault):
    """`count` calls change before each so many-th page; which calls depends on the request's number alone."""

    every: int = 5
    count: int = 1

    def _answer(self, request: Request, respond: Respond) -> Response:
        if request.listing is not None:
            for turn in range(self.count):
                self._change(request, request.listing, turn)
        return respond(request)

    @abstractmethod
    def _change(self, request: Request, listing: ChangingListing, turn: int) -> None:
        """Change one call of the list."""


@dataclass
class Insertions(ListChange, name="insertions"):
    """`count` new calls come before each so many-th page."""

    count: int = 3

    def _change(self, request: Request, listing: ChangingListing, turn: int) -> None:
        newest, _ = listing.page(Order.NEWEST, 0, 1, draw=0)
        listing.insert(_new_call(_fields(newest[0]) if newest else {}, request.number, turn))


@dataclass
class Deletions(ListChange, name="deletions"):
    """`count` calls disappear before each so many-th page, from before that page, behind it, or anywhere."""

    where: str = choice("before", "behind", "anywhere")

    def _change(self, request: Request, listing: ChangingListing, turn: int) -> None:
        for name, _ in _chosen(request, listing, turn, self.where):
            listing.delete(name)


@dataclass
class Moves(ListChange, name="moves"):
    """`count` calls move to the head of the list before each so many-th page, as in a list by last change."""

    where: str = choice("anywhere", "before", "behind")

    def _change(self, request: Request, listing: ChangingListing, turn: int) -> None:
        for name, _ in _chosen(request, listing, turn, self.where):
            listing.lift(name)


@dataclass
class Updates(ListChange, name="updates"):
    """`count` calls get another cost before each so many-th page, in their places."""

    where: str = choice("anywhere", "before", "behind")

    def _change(self, request: Request, listing: ChangingListing, turn: int) -> None:
        for name, item in _chosen(request, listing, turn, self.where):
            listing.replace(name, {**_fields(item), "cost": request.number + turn / 100})


def _chosen(request: Request, listing: ChangingListing, turn: int, where: str) -> Iterator[tuple[str, bytes]]:
    """Yield a call before or behind the page, newest first; nothing if there is none or it has no id."""
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
    """Return a call that has just been created, of the same organisation and agent as another one."""
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
