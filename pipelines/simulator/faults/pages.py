"""Faults of the list: pages that show something else than was asked for, and totals that are not true."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pipelines.simulator.faults.fault import Fault, choice
from pipelines.simulator.listing import Order
from pipelines.simulator.messages import Request, Respond, Response

_PAGINATION = b',"pagination":'
_ORGANISATION = re.compile(rb'("organizationId":\s*)"[^"]*"')
_STATUS = re.compile(rb'("status":\s*)"[^"]*"')


def pagination(answer: Response) -> dict[str, Any]:
    """The pagination of a page."""
    return dict(json.loads(answer.body.rpartition(_PAGINATION)[2][:-1]))


def with_pagination(answer: Response, said: object) -> Response:
    """The page with another pagination; without any where None is given."""
    items = answer.body.rpartition(_PAGINATION)[0]
    tail = b"" if said is None else _PAGINATION + json.dumps(said, separators=(",", ":")).encode()
    return replace(answer, body=items + tail + b"}")


@dataclass
class Clamp(Fault):
    """At most `limit` calls a page, whatever was asked for."""

    name: ClassVar[str] = "clamp"
    every: int = 1
    limit: int = 50

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return respond(replace(request, limit=min(request.limit, self.limit)))


@dataclass
class More(Fault):
    """`count` calls more than were asked for."""

    name: ClassVar[str] = "more"
    every: int = 1
    count: int = 20

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return respond(replace(request, limit=request.limit + self.count))


@dataclass
class EmptyPage(Fault):
    """A page without calls, though there are some, and the total says so."""

    name: ClassVar[str] = "empty_page"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        nothing = respond(replace(request, limit=0))
        return with_pagination(nothing, {**pagination(nothing), "limit": request.limit})


@dataclass
class ShortPage(Fault):
    """A page with `missing` calls fewer than asked for, though there are more."""

    name: ClassVar[str] = "short_page"
    missing: int = 7

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        short = respond(replace(request, limit=max(request.limit - self.missing, 1)))
        return with_pagination(short, {**pagination(short), "limit": request.limit})


@dataclass
class RepeatLast(Fault):
    """Behind the end of the list, the last page again."""

    name: ClassVar[str] = "repeat_last"
    every: int = 1

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        asked = respond(request)
        last = max(pagination(asked)["total"] - request.limit, 0)
        if request.offset <= last:
            return asked
        return with_pagination(respond(replace(request, offset=last)), pagination(asked))


@dataclass
class IgnoreOffset(Fault):
    """The first page, whatever offset is asked for."""

    name: ClassVar[str] = "ignore_offset"
    every: int = 1

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return respond(replace(request, offset=0))


@dataclass
class Cycle(Fault):
    """The first `calls` of the list again and again, as if it had no end."""

    name: ClassVar[str] = "cycle"
    every: int = 1
    calls: int = 200

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        place = request.offset % max(self.calls, 1)
        limit = min(request.limit, max(self.calls, 1) - place)
        shown = respond(replace(request, offset=place, limit=limit))
        return with_pagination(shown, {**pagination(shown), "limit": request.limit, "offset": request.offset})


@dataclass
class Total(Fault):
    """A total that is not true, no number, or missing, alone or with the whole pagination."""

    name: ClassVar[str] = "total"
    every: int = 1
    form: str = choice(
        "small", "large", "zero", "changing", "null", "text", "negative", "fraction", "missing", "no_pagination"
    )

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        shown = respond(request)
        said = pagination(shown)
        true = said["total"]
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
            return with_pagination(shown, None)
        del said["total"]
        return with_pagination(shown, said if self.form == "missing" else {"total": totals[self.form], **said})


@dataclass
class Ordered(Fault):
    """Another order, `form`, also in the middle of a scan with `after`."""

    name: ClassVar[str] = "order"
    every: int = 1
    form: str = choice("oldest", "newest", "shuffled", "shuffled_once", "ties")

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return respond(replace(request, order=Order(self.form)))


@dataclass
class Duplicate(Fault):
    """The page's first call once more at its end, with another status."""

    name: ClassVar[str] = "duplicate"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        shown = respond(request)
        first = respond(replace(request, limit=1)).body.rpartition(_PAGINATION)[0].removeprefix(b'{"data":[')[:-1]
        if not first:
            return shown
        items, _, rest = shown.body.rpartition(b"]" + _PAGINATION)
        again = _STATUS.sub(rb'\1"in-progress"', first, count=1)
        return replace(shown, body=items + b"," + again + b"]" + _PAGINATION + rest)


@dataclass
class OtherAccount(Fault):
    """Calls of another organisation."""

    name: ClassVar[str] = "other_account"
    every: int = 1

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        shown = respond(request)
        return replace(shown, body=_ORGANISATION.sub(rb'\1"org_of_somebody_else"', shown.body))
