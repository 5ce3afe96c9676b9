"""Kills cost no data: after any number of kills, one ordinary sync gives the lake of a sync that was never killed.

KILLS says how often to kill, SEED which world, moves and moments; `make kills` kills 200 times and prints the phases.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipelines.simulator import SimulatedApi, World
from tests.oracle.compare import assert_same_tables
from tests.oracle.rows import Shaping
from tests.oracle.tables import expected_lake
from tests.support import lake_contents as contents
from tests.support.killed_runs import PHASES, Run, Trace, histogram, leftovers, mark, traces
from tests.support.lake_contents import Readers
from tests.support.simulated import KEY, small_world

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("SEED", "1"))
PII_KEY = "a pii key for tests only"
COMMANDS = ["sync", "sync", "sync --full", "sync --full", "build", "build --all", "sync --no-build"]
SOUGHT = 0.4
"""The share of kills for which a phase is waited for that is too short to be met by chance."""
TOO_LONG = 120


class Moving:
    """An API whose calls change while it is read: the clock runs, and calls of any day get a word added."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance

    def move(self) -> None:
        """Let some minutes pass, and change some calls."""
        self._world.advance(minutes=self._chance.choice([0, 1, 10, 45]))
        for item in self._chance.sample(self._world.items(), self._chance.randint(0, 6)):
            call = json.loads(item)
            call["metadata"] = {**(call.get("metadata") or {}), "moved": self._chance.randrange(1_000_000)}
            self._world.replace(call["id"], call)

    def __call__(self, request: Any, respond: Any) -> Any:
        """Move between a page and the next, now and then."""
        if self._chance.random() < 0.2:
            self.move()
        return respond(request)


class Killer:
    """Runs commands on one lake, most of which it kills, and observes what readers see afterwards."""

    def __init__(self, folder: Path, url: str, chance: random.Random, stack: ExitStack) -> None:
        folder.mkdir()
        self.lake = folder / "lake"
        self.readers = Readers(self.lake)
        self.found: list[set[Trace]] = []
        self.runs = 0
        self._killed: list[Run] = []
        self._url = url
        self._chance = chance
        self._stack = stack
        self.expected_seconds = dict.fromkeys(COMMANDS, 1.0)
        self._next = self._start()

    def run(self, command: str) -> float:
        """Run a command to its end, and return the seconds it took."""
        run = self._begin(command)
        begun = time.monotonic()
        assert run.ends_within(TOO_LONG)
        assert run.code() == 0, run.said()
        self.readers.observe()
        return time.monotonic() - begun

    def kill(self, command: str) -> None:
        """Run a command and kill it at some moment, unless it ends before; half of the time it dies alone."""
        before = traces(self.lake)
        run = self._begin(command)
        begun = time.monotonic()
        alive = self._lives_until_a_phase(run) if self._chance.random() < SOUGHT else self._lives_until(run, command)
        seconds = time.monotonic() - begun
        if alive:
            run.kill(alone=self._chance.random() < 0.5)
            self.expected_seconds[command] = max(self.expected_seconds[command], seconds * 1.1)  # it had more to do
            self._killed.append(run)
            self.found.append(traces(self.lake) - before)
        else:
            assert run.code() == 0, run.said()
            self.expected_seconds[command] = (self.expected_seconds[command] + seconds) / 2
        self.readers.observe()

    def _lives_until(self, run: Run, command: str) -> bool:
        """Wait for a random moment of its life, and return whether it still lives then."""
        return not run.ends_within(self._chance.uniform(0, 1.1) * self.expected_seconds[command])

    def _lives_until_a_phase(self, run: Run) -> bool:
        """Wait for one of the phases that chance would miss, and return whether the run came to it."""
        phase, delay = self._chance.choice(PHASES), self._chance.choice([0, 0, 0.002])
        before = mark(self.lake, phase)
        while mark(self.lake, phase) == before:
            if run.ends_within(0.0005):
                return False
        return not run.ends_within(delay)

    def assert_nothing_runs(self) -> None:
        """Check that what a killed run had started ends by itself, and soon."""
        deadline = time.monotonic() + TOO_LONG
        while any(run.left_others() for run in self._killed):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _begin(self, command: str) -> Run:
        self.runs += 1
        run, self._next = self._next, self._start()
        run.begin(*command.split())
        return run

    def _start(self) -> Run:
        settings = {
            "CHORUS_API_KEY": KEY,
            "CHORUS_API_URL": self._url,
            "CHORUS_LAKE": str(self.lake),
            "CHORUS_PII_KEY": PII_KEY,
            "CHORUS_KEEP_VERSIONS_HOURS": "0",
        }
        run = Run(self.lake.parent, settings)
        self._stack.callback(run.close)
        return run


def plain_call(payload: str | None) -> Any:
    """A call without what may differ though it has not changed: addresses of recordings are signed again each day."""
    call = json.loads(payload or "null")
    for part in (call, *(call["transferCalls"] or ())):
        part["recordingUrl"] = part["recordingUrl"] is not None
    return call


def assert_same_lakes(killed: Path, reference: Path) -> None:
    """Assert that every call is there once and as it is now, and every row of every table is right."""
    newest = {lake: contents.newest(lake) for lake in (killed, reference)}
    calls = [{call: plain_call(payload) for call, payload in known.items()} for known in newest.values()]
    assert calls[0] == calls[1]
    rows = {lake: contents.rows(lake) for lake in (killed, reference)}
    assert rows[killed].keys() == rows[reference].keys()
    for day, tables in rows[reference].items():
        assert_same_frames(contents.comparable(rows[killed][day]), contents.comparable(tables))
    for lake, days in rows.items():
        shaping = Shaping(pii_key=PII_KEY.encode())
        expected = expected_lake(contents.versions(lake), contents.versions(lake, "rejected"), shaping)
        assert days.keys() == expected.keys()
        for day, tables in expected.items():
            assert_same_tables(days[day], tables)


def assert_same_frames(one: contents.Rows, other: contents.Rows) -> None:
    """Compare tables row for row."""
    for table, rows in other.items():
        assert one[table] == rows, table


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


def test_kills_cost_nothing(tmp_path, stack, capsys):
    chance = random.Random(SEED)
    world = small_world(seed=SEED, calls=200, days=8)
    moving = Moving(world, random.Random(SEED))
    api = stack.enter_context(SimulatedApi(world, key=KEY, faults=[moving]))
    killer = Killer(tmp_path / "killed", api.url, chance, stack)
    killer.usual = dict.fromkeys(COMMANDS, Killer(tmp_path / "measured", api.url, chance, stack).run("sync"))
    while len(killer.found) < KILLS:
        moving.move()
        killer.kill(chance.choice(COMMANDS))
    api.faults.clear()
    killer.run("sync --full")
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(killer.found)} kills in {killer.runs} runs, {killer.readers.manifest} states published:\n"
            f"{histogram(killer.found)}\n"
        )
    reference = Killer(tmp_path / "reference", api.url, chance, stack)
    reference.run("sync --full")
    assert_same_lakes(killer.lake, reference.lake)
    killer.assert_nothing_runs()
    assert leftovers(killer.lake) == []
