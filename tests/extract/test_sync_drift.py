"""Syncs over HTTP of a list that changes all the time, with faults and crashes: at last lake and API agree."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from threading import Lock

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.simulator import World
from pipelines.simulator.messages import Request, Respond, Response, error
from tests.support.extraction import call, listed, raw_rows, synced
from tests.support.simulated import START, simulated_api, small_world
from tests.support.small_lake import SmallLake

pytestmark = pytest.mark.slow

OLDER = timedelta(days=30)
PAGE = 25


class DiedError(BaseException):
    """Simulates a process that ends between two steps."""


class Drift:
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


@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_lake_is_at_last_what_the_api_lists(tmp_path, monkeypatch, seed, order, workers):
    monkeypatch.setattr("pipelines.extract.http.rate_limit._FIRST_WAIT", 0.001)
    storage = SmallLake(tmp_path / "lake").storage
    random, world = Random(seed), small_world(calls=150, seed=seed)
    drift, complete = Drift(world, random), 0
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
