"""The demo's company: simulated calls behind an API, whose clock runs behind ours, in a folder of its own.

A demo lets hours pass by moving this clock forward. It never goes back: to a lake that would look as if ended calls
were running again. The lag is kept in a file and read for each page, so every process that serves the company shows
the same moment.

A demo changes nothing outside its folder, and takes no setting from outside: whatever `.env` and the environment say,
every setting that shapes tables is set here.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from pipelines.errors import ChorusCallsError
from pipelines.lake import state
from pipelines.lake.identity import local_pii_key
from pipelines.lake.local import LocalStorage
from pipelines.lake.locks import DEMO
from pipelines.lake.state import FORMAT, Stored, load_landed
from pipelines.lake.storage import LakeBusyError
from pipelines.settings import load_settings
from pipelines.simulator import DEFAULT_KEY, Order, SimulatedApi, World

FOLDER: Final = Path("data/demo")
"""The demo's folder, below the working folder."""

WORLD: Final = FOLDER / "world"
LAKE: Final = FOLDER / "lake"
CATALOG: Final = LAKE / "chorus.duckdb"

_FILE: Final = "world.json"
_SEED: Final = 7
_BUSY_HOUR: Final = 15
_WORKDAYS: Final = 5


class CompanyRecord(msgspec.Struct):
    """world.json: what a company was made from, and how far its clock is behind ours.

    Attributes:
        calls: Calls that existed when it was founded, over about so many `days`.
        founded: Its own time when it was founded.
        first_day: The UTC day of its oldest call.
        behind: Seconds from its time to ours.
    """

    calls: int
    days: int
    founded: datetime
    first_day: date
    behind: float
    seed: int = _SEED
    format: int = FORMAT

    def world(self) -> World:
        """Make its calls; the same founding gives the same calls."""
        return World(self.seed, self.calls, self.days, start=self.founded)


class Company:
    """A company as the simulated API lists it: a world whose clock runs.

    Raises:
        ChorusCallsError: No company was founded there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = LocalStorage(folder)
        founding = self._read().value
        self._world = founding.world()
        self._lock = threading.Lock()
        self.first_day = founding.first_day
        self.company = self._world.company  # its agents and phone numbers, which the API lists too

    @property
    def now(self) -> datetime:
        """Its present time, in UTC."""
        self._catch_up()
        return self._world.now

    @property
    def size(self) -> int:
        """How many items its list of calls has by now, transfer legs included."""
        return self.page(Order.NEWEST, 0, 1, draw=0)[1]

    def advance(self, most: timedelta) -> timedelta:
        """Let time pass, but not beyond our own time, and return how much passed."""
        kept = self._read()
        step = min(most, timedelta(seconds=kept.value.behind))
        kept.value.behind -= step.total_seconds()
        state.commit(self._folder, kept)
        return step

    def page(self, order: Order, offset: int, limit: int, *, draw: int) -> tuple[Sequence[bytes], int]:
        """Return one page of the calls that exist by now; see Listing."""
        self._catch_up()
        return self._world.page(order, offset, limit, draw=draw)

    def _catch_up(self) -> None:
        with self._lock:
            passed = datetime.now(UTC) - timedelta(seconds=self._read().value.behind) - self._world.now
            self._world.advance(seconds=max(passed.total_seconds(), 0))

    def _read(self) -> Stored[CompanyRecord]:
        kept = state.read(self._folder, _FILE, CompanyRecord)
        if kept is None:
            message = f"There is no demo in {self._folder.address()} yet. Run `make demo` first."
            raise ChorusCallsError(message)
        return kept


def company_exists(folder: Path) -> bool:
    """Return whether a demo has founded a company in a folder."""
    return (folder / _FILE).is_file()


def create_company(folder: Path, *, calls: int, days: int) -> Company:
    """Found a company in a folder, with so many calls over about so many days, on a working day not long ago."""
    now = datetime.now(UTC)
    moment = (now - timedelta(days=1)).replace(hour=_BUSY_HOUR, minute=0, second=0, microsecond=0)
    while now - moment < timedelta(days=1) or moment.isoweekday() > _WORKDAYS:
        moment -= timedelta(days=1)
    founding = CompanyRecord(calls, days, moment, moment.date(), (now - moment).total_seconds())
    oldest = json.loads(founding.world().items()[-1])
    founding.first_day = datetime.fromisoformat(oldest["createdAt"]).date()
    state.commit(LocalStorage(folder), Stored(_FILE, founding, None))
    return Company(folder)


@contextmanager
def single_demo(folder: Path) -> Iterator[None]:
    """Keep other demos out of a folder for a block.

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


@contextmanager
def serve(company: Company) -> Iterator[str]:
    """Serve a company's API for a block, and point this process, and those it starts, at the demo from then on.

    Yields:
        The address of the simulated API.
    """
    lake = LAKE.absolute()
    with SimulatedApi(company) as api:
        os.environ |= {
            "CHORUS_API_KEY": DEFAULT_KEY,
            "CHORUS_API_URL": api.url,
            "CHORUS_LAKE": str(lake),
            "CHORUS_CATALOG": str(CATALOG.absolute()),
            "CHORUS_START_DATE": str(company.first_day),  # Dagster's first partition
            "CHORUS_TIMEZONE": "UTC",
            "CHORUS_PII": "mask",
            "CHORUS_PII_KEY": local_pii_key(LocalStorage(lake)).decode(),
            "CHORUS_OUTCOMES": str(resources.files("pipelines.flatten").joinpath("outcomes.toml")),
            "DAGSTER_HOME": str((FOLDER / "dagster_home").absolute()),
        }
        yield api.url


def is_shown_by_default() -> bool:
    """Return whether `make dev` shows the demo: there is one, but neither a key nor a call of a real account.

    Raises:
        SettingsError: The settings cannot be used.
    """
    if not company_exists(WORLD):
        return False
    settings = load_settings()
    return settings.api_key is None and not load_landed(LocalStorage(settings.lake_path)).value.days
