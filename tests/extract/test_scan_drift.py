"""A list that changes between any two requests, alone and over HTTP: what is called complete was seen completely."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from threading import Lock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ChorusCallsError
from pipelines.extract.scan.ordered import OrderedScan, Phase
from pipelines.extract.scan.state import Ending
from pipelines.simulator import World
from pipelines.simulator.messages import Request, Respond, Response, error
from tests.support.changing_list import NEWEST, OLDEST, SHUFFLED, ChangingList, Entry, Reading
from tests.support.examples import examples
from tests.support.extraction import call, listed, raw_rows, synced
from tests.support.simulated import START, simulated_api, small_world
from tests.support.small_lake import SmallLake


@dataclass
class Drift:
    """How the list changes: so many calls at once, and how likely before each request."""

    inserts: int = 0
    insert_chance: float = 0.0
    deletes: int = 0
    delete_chance: float = 0.0
    oldest_first: bool = False
    clamp: int = 100
    ties: int = 1
    shuffled: bool = False
    empty: tuple[int, ...] = ()
    until: int | None = None


class Drifting(ChangingList):
    """A list that changes a little after each answer."""

    def __init__(self, size: int, drift: Drift, random: Random) -> None:
        order = SHUFFLED if drift.shuffled else OLDEST if drift.oldest_first else NEWEST
        super().__init__(random, size, order, drift.clamp, drift.ties)
        self.drift = drift

    def page(self, offset: int) -> tuple[list[Entry], int]:
        self.faults = ["empty"] if self.requests in self.drift.empty else []
        page = super().page(offset)
        if self.random.random() < self.drift.insert_chance:
            self.insert(len(self.entries), self.drift.inserts)
        if self.random.random() < self.drift.delete_chance:
            for _ in range(min(self.drift.deletes, len(self.entries))):
                self.delete(self.random.randrange(len(self.entries)), 1)
        return page


def scan_of(size: int, drift: Drift, seed: int, workers: int = 1) -> tuple[OrderedScan, set[str]]:
    """Read a list while it changes; return the scan and the calls that were there all along but not seen.

    Args:
        size: Calls in the beginning.
        drift: How the list changes after each answer.
        seed: Of all chance.
        workers: Pages asked for at a time; which of them is answered first is chance.
    """
    listed = Drifting(size, drift, Random(seed))
    until = None if drift.until is None else listed.entries[drift.until].created
    phase = Phase.SEEK if drift.oldest_first and until else Phase.WALK
    reading = Reading(listed, OrderedScan(until=until, phase=phase), workers=workers)
    reading.finish()
    wanted = {entry.name for entry in listed.entries if until is None or entry.created >= until}
    return reading.scan, wanted & listed.stayed - reading.run


DRIFTS = {
    "quiet": Drift(),
    "oldest first": Drift(oldest_first=True),
    "new calls": Drift(3, 0.3),
    "new calls, some gone": Drift(3, 0.2, 1, 0.3),
    "oldest first, new calls, some gone": Drift(3, 0.2, 1, 0.3, oldest_first=True),
    "a new call before each request": Drift(1, 1.0),
    "bursts": Drift(150, 0.05),
    "large bursts": Drift(700, 0.03),
    "as many gone as pages overlap": Drift(deletes=10, delete_chance=0.4),
    "many gone at once": Drift(deletes=60, delete_chance=0.1),
    "a page's worth and more gone at once": Drift(deletes=300, delete_chance=0.03),
    "both": Drift(60, 0.1, 30, 0.1),
    "pages of 50": Drift(3, 0.2, 1, 0.3, clamp=50),
    "pages of 7": Drift(1, 0.1, 1, 0.05, clamp=7),
    "ties": Drift(3, 0.2, 1, 0.2, ties=5),
    "an empty page": Drift(3, 0.2, empty=(5,)),
    "two empty pages": Drift(3, 0.2, empty=(5, 6)),
    "incremental": Drift(3, 0.2, 1, 0.2, until=1500),
    "oldest first, incremental": Drift(3, 0.2, 1, 0.2, until=1500, oldest_first=True),
}


@pytest.mark.matrix(quick=8)
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("name", DRIFTS)
def test_no_call_that_was_there_all_along_is_missed(name, workers):
    for seed in range(4):
        scan, missed = scan_of(2_000, DRIFTS[name], seed, workers)
        assert scan.ending is not None
        assert scan.ending.complete
        assert not missed


@pytest.mark.parametrize("size", [0, 1, 2, 5, 10, 11, 99, 100, 101, 110])
@pytest.mark.parametrize("name", ["quiet", "oldest first", "ties", "pages of 7", "new calls"])
def test_short_lists_are_scanned_in_a_few_pages(name, size):
    drift = DRIFTS[name]
    if drift.delete_chance:
        drift = Drift(clamp=drift.clamp, ties=drift.ties)
    scan, missed = scan_of(size, drift, seed=1)
    assert scan.ending is Ending.END
    assert not missed
    assert scan.pages <= 12 + 2 * size * 2 // drift.clamp + 8 * drift.inserts


def test_a_quiet_list_costs_an_eighth_more_requests_than_it_has_pages():
    scan, _ = scan_of(10_000, Drift(), seed=0)
    assert scan.pages <= 116


def test_pages_fetched_ahead_cost_hardly_more_requests():
    alone, _ = scan_of(20_000, Drift(1, 0.33, 1, 0.2), seed=0)
    ahead, missed = scan_of(20_000, Drift(1, 0.33, 1, 0.2), seed=0, workers=8)
    assert not missed
    assert ahead.pages <= alone.pages + 2
    assert ahead.pages <= 240


@pytest.mark.parametrize("oldest_first", [False, True])
def test_an_incremental_scan_reads_little_of_a_long_list(oldest_first):
    scan, missed = scan_of(20_000, Drift(until=19_500, oldest_first=oldest_first), seed=0, workers=8)
    assert scan.ending is Ending.WATERMARK
    assert not missed
    assert scan.pages <= 15


def test_an_order_that_changes_with_each_request_is_never_called_complete():
    for seed in range(5):
        scan, _ = scan_of(3_000, Drift(shuffled=True), seed)
        assert scan.ending is Ending.NOT_JOINED
        assert scan.pages < 100


drifts = st.builds(
    Drift,
    inserts=st.integers(0, 120),
    insert_chance=st.sampled_from([0, 0.02, 0.1]),
    deletes=st.integers(0, 250),
    delete_chance=st.sampled_from([0, 0.05, 0.2]),
    oldest_first=st.booleans(),
    clamp=st.sampled_from([100, 60, 40]),
    ties=st.sampled_from([1, 3]),
    empty=st.lists(st.integers(0, 20), max_size=3).map(tuple),
)


@settings(max_examples=examples(60))
@given(st.integers(0, 800), drifts, st.integers(0, 2**32), st.sampled_from([1, 3, 8]))
def test_whatever_a_scan_calls_complete_is_complete(size, drift, seed, workers):
    scan, missed = scan_of(size, drift, seed, workers)
    assert scan.ending is not None
    if scan.ending.complete:
        assert not missed


OLDER = timedelta(days=30)
PAGE = 25


class DiedError(BaseException):
    """Simulates a process that ends between two steps."""


class WorldDrift:
    """Changes the list before most requests, and spoils some answers."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random
        self._lock = Lock()
        self._bodies = {name: json.loads(item) for name, item in listed(world).items()}
        self._organization = next(iter(self._bodies.values()))["organizationId"]
        self._came = 0
        self.watch()

    def watch(self) -> None:
        """From now on, remember which calls stay."""
        self.stayed = set(self._bodies)

    def __call__(self, request: Request, respond: Respond) -> Response:
        with self._lock:
            self._change()
            spoiled = self.random.random()
            if spoiled < 0.05:
                return error(500, "for a moment")
            answer = respond(replace(request, limit=min(request.limit, PAGE)))
            return _without_calls(answer) if spoiled < 0.08 else answer

    def _change(self) -> None:
        change = self.random.choice(["nothing", "insert", "insert", "insert", "delete", "move", "update", "burst"])
        chosen = self.random.choice(list(self._bodies))
        if change == "insert":
            self._insert(self.random.choice([START, START, START - OLDER, START - timedelta(hours=30)]))
        elif change == "burst" and self.random.random() < 0.1:
            for _ in range(2 * PAGE):
                self._insert(START)
        elif change == "delete":
            self.world.delete(chosen)
            self.stayed.discard(chosen)
            del self._bodies[chosen]
        elif change == "move":
            self.world.lift(chosen)
        elif change == "update":
            self._bodies[chosen] = {**self._bodies[chosen], "status": f"changed-{self.random.random()}"}
            self.world.replace(chosen, self._bodies[chosen])

    def _insert(self, created: datetime) -> None:
        self._came += 1
        item = json.loads(call(f"came-{self._came}", createdAt=created.isoformat(), organizationId=self._organization))
        self._bodies[item["id"]] = item
        self.world.insert(item)


def _without_calls(answer: Response) -> Response:
    return replace(answer, body=json.dumps({**json.loads(answer.body), "data": []}).encode())


def dying(at: int):
    """Ends the process at a page, where it comes so far."""

    def on_page(progress) -> None:
        if progress.pages == at:
            raise DiedError

    return on_page


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_lake_is_at_last_what_the_api_lists(tmp_path, monkeypatch, seed, order, workers):
    monkeypatch.setattr("pipelines.extract.http.rate_limit._FIRST_WAIT", 0.001)
    storage = SmallLake(tmp_path / "lake").storage
    random, world = Random(seed), small_world(calls=150, seed=seed)
    drift, complete = WorldDrift(world, random), 0
    with simulated_api(world, order=order, faults=[drift]) as api:
        for at in (5, 12, 1_000, 5, 1_000, 1_000):
            try:
                report = synced(storage, api, full=True, workers=workers, on_page=dying(at))
            except (DiedError, ChorusCallsError):
                continue
            assert report.complete
            assert drift.stayed <= {row["call_id"] for row in raw_rows(storage)}
            complete += 1
            drift.watch()
        api.faults.clear()
        assert synced(storage, api, full=True, workers=workers).complete
        assert synced(storage, api, full=True, workers=workers).calls_changed == 0
    assert complete
    there, newest = listed(world), {row["call_id"]: row["payload"] for row in raw_rows(storage)}
    assert {name: newest.get(name) for name in there} == there
