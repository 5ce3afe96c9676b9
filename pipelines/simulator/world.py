"""A simulated world of calls: a pure function of its seed and its clock, and of the changes a test makes to it."""

from __future__ import annotations

import dataclasses
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from pipelines.api_values import parse_instant
from pipelines.simulator.calls import Call, CallGenerator, Leg
from pipelines.simulator.company import DAY_MS, Company, build_company, calls_on
from pipelines.simulator.conversation import Conversations, GeneratedConversations
from pipelines.simulator.listing import Order, encoded, ordered
from pipelines.simulator.render import View, call_item, leg_item

_DAY = timedelta(days=1)
_CACHED_BODIES = 50_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """One entry of the list: a call, a leg as an item of its own, or a body that a test gave."""

    id: str
    created: int
    changes: tuple[int, ...] = ()
    call: Call | None = None
    leg: Leg | None = None
    body: bytes = b""


class World:
    """Calls of one organisation, listed as the API would list them at the present moment of the world's clock.

    The same seed, calls, days and start give the same world. Every day's calls depend on the seed, the date and the
    rate alone, so a world that starts later, or has more calls a day, shares the calls of the days they have in common.
    """

    def __init__(
        self,
        seed: int = 7,
        calls: int = 500,
        days: int = 14,
        start: datetime | None = None,
        dialogues: Conversations | None = None,
    ) -> None:
        """Draw the calls up to the start; later ones are added as time passes.

        Args:
            seed: Which world.
            calls: Calls (without transfer legs) that exist at the start.
            days: About how many days they are spread over; from then on as many arrive a day.
            start: A fixed time for the clock, which only `advance` moves; None: the real time.
            dialogues: Where conversations come from; generated if not given.
        """
        self._now: Callable[[], datetime] = (lambda: datetime.now(UTC)) if start is None else (lambda: start)
        self._ahead = timedelta()
        self._seed = seed
        self._per_day = calls / days
        self._company = build_company(seed)
        self._generator = CallGenerator(seed, self._company, dialogues or GeneratedConversations())
        self._body = lru_cache(maxsize=_CACHED_BODIES)(self._rendered)
        self._lock = threading.RLock()
        self._items: list[_Item] = []
        self._drawn_until = self.now.date()
        self._begin(calls)

    @property
    def now(self) -> datetime:
        """The present moment of the world's clock, in UTC."""
        return self._now().astimezone(UTC) + self._ahead

    @property
    def company(self) -> Company:
        """The organisation of the calls."""
        return self._company

    def advance(self, **duration: float) -> datetime:
        """Move the clock forward, as in `advance(hours=6)`, and return the new time."""
        self._ahead += timedelta(**duration)
        return self.now

    def items(self, at: datetime | None = None) -> list[bytes]:
        """Return every item that exists at a moment (by default now) as JSON, newest first."""
        moment = _milliseconds(at or self.now)
        return [self._shown(item, moment) for item in reversed(self._existing(moment))]

    def page(self, order: Order, offset: int, limit: int, *, draw: int) -> tuple[Sequence[bytes], int]:
        """Return one page of the items that exist now; see Listing."""
        moment = _milliseconds(self.now)
        existing = self._existing(moment)
        shown = ordered(
            existing,
            order,
            offset,
            limit,
            draw=draw,
            name=lambda item: item.id,
            minute=lambda item: item.created // _MINUTE_MS,
        )
        return [self._shown(item, moment) for item in shown], len(existing)

    def insert(self, call: Mapping[str, Any] | bytes, *, created: datetime | None = None) -> None:
        """Add an item as it is given; the clock does not change it.

        Args:
            call: The item. Bytes are listed as they are, valid JSON or not.
            created: Its place in the list; its createdAt if not given, or now if that is no time.
        """
        when = created or _created_at(call) or self.now
        name = "" if isinstance(call, bytes) else str(call.get("id"))
        with self._lock:
            self._add([_Item(name, _milliseconds(when), body=encoded(call))])

    def delete(self, call_id: str) -> None:
        """Remove every item with that id; raises KeyError if there is none."""
        with self._lock:
            kept = [item for item in self._items if item.id != call_id]
            if len(kept) == len(self._items):
                raise KeyError(call_id)
            self._items = kept

    def replace(self, call_id: str, call: Mapping[str, Any] | bytes) -> None:
        """List another body in the place of an item; raises KeyError if there is none."""
        with self._lock:
            for place, item in enumerate(self._items):
                if item.id == call_id:
                    self._items[place] = _Item(call_id, item.created, body=encoded(call))
                    return
        raise KeyError(call_id)

    def lift(self, call_id: str) -> None:
        """Move an item to the head of the list, its createdAt unchanged; raises KeyError if there is none."""
        with self._lock:
            head = self._existing(_milliseconds(self.now))[-1:]
            for item in self._items:
                if item.id == call_id and head:
                    self._items.remove(item)
                    self._add([dataclasses.replace(item, created=head[0].created)])
                    return
        raise KeyError(call_id)

    def _begin(self, calls: int) -> None:
        """Draw days backwards until there are as many calls as asked for, and drop the oldest beyond that number."""
        moment = _milliseconds(self.now)
        drawn: list[Call] = []
        day = self._drawn_until
        existing = 0
        while existing < calls:
            of_day = self._calls_of(day)
            existing += sum(call.created <= moment for call in of_day)
            drawn.extend(of_day)
            day -= _DAY
        drawn.sort(key=lambda call: call.created)
        self._add(item for call in drawn[existing - calls :] for item in _entries(call))

    def _calls_of(self, day: date) -> list[Call]:
        count = calls_on(self._company, self._seed, day, self._per_day)
        return [self._generator.call(day, index) for index in range(count)]

    def _existing(self, moment: int) -> list[_Item]:
        """Return the items created by then, oldest first; days not drawn yet are drawn first."""
        with self._lock:
            until = datetime.fromtimestamp(moment / 1000, UTC).date()
            while self._drawn_until < until:
                self._drawn_until += _DAY
                self._add(item for call in self._calls_of(self._drawn_until) for item in _entries(call))
            return self._items[: bisect_right(self._items, moment, key=lambda item: item.created)]

    def _add(self, items: Iterable[_Item]) -> None:
        self._items.extend(items)
        self._items.sort(key=lambda item: item.created)

    def _shown(self, item: _Item, moment: int) -> bytes:
        if item.call is None:
            return item.body
        changed = item.changes[bisect_right(item.changes, moment) - 1]
        return self._body(item, changed, moment // DAY_MS)

    def _rendered(self, item: _Item, changed: int, day: int) -> bytes:
        """Return the item as it is since its last change; rendered once a day, however often it is listed."""
        view = View(changed, day, self._generator.conversations)
        if item.call is None:
            return item.body
        return encoded(leg_item(item.call, item.leg, view) if item.leg else call_item(item.call, view))


def _entries(call: Call) -> list[_Item]:
    """Return the items of a call: itself, and its legs that are listed on their own."""
    legs = [_Item(leg.id, leg.created, leg.change_times(), call, leg) for leg in call.legs if leg.item]
    return [_Item(call.id, call.created, call.change_times(), call), *legs]


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _created_at(call: Mapping[str, Any] | bytes) -> datetime | None:
    created = None if isinstance(call, bytes) else call.get("createdAt")
    return parse_instant(created)[0] if isinstance(created, str) else None
