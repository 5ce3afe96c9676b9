"""The demo's company: it was founded by the first demo, and has lived on since, whether anybody looked or not.

Its clock runs as fast as ours, but behind it, so that a demo can let hours pass. It never goes back: to the lake that
would look as if calls had un-ended. What is behind is the one thing to remember, and it is read anew for each page, so
that every process that serves the company shows the same moment.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from pipelines.errors import ChorusCallsError
from pipelines.lake import state
from pipelines.lake.local import LocalStorage
from pipelines.lake.locks import DEMO
from pipelines.lake.state import FORMAT, Stored
from pipelines.lake.storage import LakeBusyError
from pipelines.simulator import Order, World
from pipelines.simulator.company import Company

CALLS: Final = 2_100
DAYS: Final = 30

_FILE: Final = "world.json"
_SEED: Final = 7
_BUSY_HOUR: Final = 15
_WORKDAYS: Final = 5


class Founding(msgspec.Struct):
    """world.json: what a company is made from, and how far its clock is behind.

    Attributes:
        calls: Calls that existed when it was founded, over about so many `days`.
        founded: Its present moment when it was founded.
        first_day: The UTC day of its oldest call.
        behind: Seconds from its present moment to ours.
    """

    calls: int
    days: int
    founded: datetime
    first_day: date
    behind: float
    seed: int = _SEED
    format: int = FORMAT


class LivingWorld:
    """The company as the simulated API lists it: a world whose clock runs.

    Args:
        folder: The demo's folder.
        kept: What was founded there.
    """

    def __init__(self, folder: LocalStorage, kept: Stored[Founding]) -> None:
        self._folder = folder
        self._kept = kept
        self._world = _world(kept.value)
        self._lock = threading.Lock()

    @property
    def founding(self) -> Founding:
        """What it was made from."""
        return self._kept.value

    @property
    def now(self) -> datetime:
        """Its present moment, in UTC."""
        self._catch_up()
        return self._world.now

    @property
    def company(self) -> Company:
        """Its agents and numbers."""
        return self._world.company

    @property
    def size(self) -> int:
        """How many calls, and legs that are items of their own, it lists by now."""
        return self.page(Order.NEWEST, 0, 1, draw=0)[1]

    def move_on(self, most: timedelta) -> timedelta:
        """Let time pass, but not beyond our own time; return how much passed."""
        kept = _read(self._folder) or self._kept
        step = min(most, timedelta(seconds=kept.value.behind))
        kept.value.behind -= step.total_seconds()
        state.commit(self._folder, kept)
        self._kept = kept
        return step

    def page(self, order: Order, offset: int, limit: int, *, draw: int) -> tuple[Sequence[bytes], int]:
        """One page of the calls that exist by now; see Listing."""
        self._catch_up()
        return self._world.page(order, offset, limit, draw=draw)

    def _catch_up(self) -> None:
        with self._lock:
            founding = (_read(self._folder) or self._kept).value
            passed = datetime.now(UTC) - timedelta(seconds=founding.behind) - self._world.now
            self._world.advance(seconds=max(passed.total_seconds(), 0))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only demo in a folder for a block.

    Raises:
        ChorusCallsError: Another demo is running there.
    """
    with ExitStack() as held:
        try:
            held.enter_context(LocalStorage(folder).lock(DEMO, wait=0))
        except LakeBusyError:
            message = "Another demo is running here. Wait until it has ended."
            raise ChorusCallsError(message) from None
        yield


def is_founded(folder: Path) -> bool:
    """Say whether a demo has founded a company in a folder."""
    return (folder / _FILE).is_file()


def open_world(folder: Path) -> LivingWorld:
    """Open the company that lives in a folder.

    Raises:
        ChorusCallsError: There is none.
    """
    storage = LocalStorage(folder)
    kept = _read(storage)
    if kept is None:
        message = f"There is no demo in {folder} yet. Run `make demo` first."
        raise ChorusCallsError(message)
    return LivingWorld(storage, kept)


def found_world(folder: Path, *, calls: int, days: int) -> LivingWorld:
    """Found a company in a folder, with so many calls over about so many days, on a working day not long ago."""
    now = datetime.now(UTC)
    moment = (now - timedelta(days=1)).replace(hour=_BUSY_HOUR, minute=0, second=0, microsecond=0)
    while now - moment < timedelta(days=1) or moment.isoweekday() > _WORKDAYS:
        moment -= timedelta(days=1)
    founding = Founding(calls, days, moment, moment.date(), (now - moment).total_seconds())
    oldest = json.loads(_world(founding).items()[-1])
    founding.first_day = datetime.fromisoformat(oldest["createdAt"]).date()
    storage = LocalStorage(folder)
    kept = Stored(_FILE, founding, None)
    state.commit(storage, kept)
    return LivingWorld(storage, kept)


def _world(founding: Founding) -> World:
    return World(founding.seed, founding.calls, founding.days, start=founding.founded)


def _read(folder: LocalStorage) -> Stored[Founding] | None:
    return state.read(folder, _FILE, Founding)
