"""Whatever the order in which programs take their steps, no reader loses a file, no day goes back, and all is built."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import read_plan
from pipelines.lake.state import Manifest
from pipelines.lake.storage import LakeBusyError
from pipelines.lake.versions import fingerprint, stale_days
from tests.support import lake_programs as programs
from tests.support.examples import examples
from tests.support.lake_model import KEEP, SETTINGS, ModelledLake, SteppedThread, finish
from tests.support.lake_programs import BAD, calls_of

DAYS = [date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 13)]
TURNS = [
    *(("read", path) for path in (layout.LANDED, layout.MANIFEST, layout.LAKE, layout.PLANS)),
    *(("lock", name) for name in ("sync", "lake", "publish", "swap")),
    *(("unlocked", name) for name in ("sync", "lake", "publish")),
    *(("create", path) for path in (layout.RAW, layout.DAYS, layout.LANDED, layout.MANIFEST, layout.PLANS)),
    *((word, "") for word in ("delete", "link", "make", "page")),
]
"""Steps before which it matters most who else takes one."""
Stop = int | tuple[str, str] | None
days, actors, stops = st.sampled_from(DAYS), st.integers(0, 3), st.integers(1, 40) | st.sampled_from(TURNS) | st.none()
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files are made and removed quickly, where there is such a place."""
MOST = 4
"""Programs that are under way at most."""


@dataclass
class Reader:
    """Somebody who has read what is published and then reads its files, for as long as they are promised."""

    manifest: Manifest
    until: datetime


class Programs(RuleBasedStateMachine):
    """Programs of all kinds that work on one lake at once."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.lake = ModelledLake(Path(tempfile.mkdtemp(dir=MEMORY)) / "lake")
        self.files = LocalStorage(self.lake.root)
        self.api = programs.Listing()
        self.running: list[SteppedThread] = []
        self.readers: dict[int, Reader] = {}
        self.runs: list[str] = []
        self.said = 0
        programs.replace_slow_parts(self.patch, self.lake)

    @initialize()
    def first_calls(self) -> None:
        for day in DAYS:
            self.api_moves(day, 0, bad=False)
        programs.command_sync(self.lake, self.api, full=True)

    @rule(day=days, number=st.integers(0, 2), bad=st.booleans())
    def api_moves(self, day: date, number: int, bad: bool) -> None:
        self.said += 1
        self.api.say(day, f"call-{day}-{number}", BAD if bad else f"text {self.said}")

    def start(self, stop: Stop, name: str, *rest: Any, **options: Any) -> None:
        work = getattr(programs, name)
        self.running.append(SteppedThread(name, lambda: work(self.lake, *rest, **options)))
        self.go(len(self.running) - 1, stop)

    def go(self, number: int, stop: Stop) -> None:
        """Let a program continue for some steps, or until it is before a step of a kind, or to its end."""
        actor = self.running[number % len(self.running)]
        if isinstance(stop, int):
            actor.advance(stop)
        else:
            actor.advance(until=stop and (lambda word, path: word == stop[0] and path.startswith(stop[1])))
        self.look_at_the_ended()

    has_room = precondition(lambda self: len(self.running) < MOST)
    has_actors = precondition(lambda self: self.running)

    @has_room
    @rule(full=st.booleans(), stop=stops)
    def start_sync(self, full: bool, stop: Stop) -> None:
        self.start(stop, "command_sync", self.api, full=full)

    @has_room
    @rule(settings=st.sampled_from(SETTINGS), accept=st.booleans(), stop=stops)
    def start_build(self, settings: Any, accept: bool, stop: Stop) -> None:
        self.start(stop, "command_build", settings, accept=accept)

    @has_room
    @rule(stop=stops)
    def start_tick(self, stop: Stop) -> None:
        self.start(stop, "tick")

    @has_room
    @rule(stop=stops)
    def start_run(self, stop: Stop) -> None:
        self.runs.append(f"run-{len(self.runs)}")
        self.start(stop, "dagster_run", self.runs[-1])

    @has_room
    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 9), stop=stops)
    def take_up_run(self, number: int, stop: Stop) -> None:
        run = self.runs[number % len(self.runs)]
        if programs.began(self.lake, run):
            self.start(stop, "later_steps", run)

    @has_actors
    @rule(number=actors, stop=stops)
    def advance(self, number: int, stop: Stop) -> None:
        self.go(number, stop)

    @has_actors
    @rule(number=actors)
    def kill(self, number: int) -> None:
        self.running.pop(number % len(self.running)).kill()

    @precondition(lambda self: self.nobody_publishes())
    @rule(hours=st.sampled_from([1, 12, 25]))
    def time_passes(self, hours: int) -> None:
        self.lake.now += timedelta(hours=hours)

    def nobody_publishes(self) -> bool:
        """No step of publishing takes hours."""
        try:
            with self.files.lock("publish", wait=0):
                return True
        except LakeBusyError:
            return False

    @rule(failing=st.booleans())
    def disk_of_the_catalog(self, failing: bool) -> None:
        self.lake.catalog.failing = failing

    @invariant()
    def readers_find_their_files(self) -> None:
        """At every moment somebody reads the manifest, or opens the catalog, and goes on to read the files it names."""
        for manifest in (state.load_manifest(self.files).value, self.lake.catalog.made):
            if manifest:
                self.readers[manifest.generation] = Reader(manifest, self.lake.now + KEEP)
        for reader in self.readers.values():
            assert self.lake.now > reader.until or self.lake.lacking(reader.manifest) == []

    @invariant()
    def published_days_are_complete(self) -> None:
        assert self.lake.lacking(state.load_manifest(self.files).value) == []

    def look_at_the_ended(self) -> None:
        """Check that programs ended with a message for people or for want of space, and in no other way."""
        for actor in [actor for actor in self.running if actor.done]:
            self.running.remove(actor)
            error = actor.error
            if isinstance(error, ChorusCallsError):
                error = error.__cause__  # a day that could not be built ends its build with a message too
            if error and "no space left" not in str(error):
                raise error

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.everybody_comes_to_an_end()
        finally:
            for actor in self.running:
                actor.kill()
            self.patch.undo()
            shutil.rmtree(self.lake.root.parent)

    def everybody_comes_to_an_end(self) -> None:
        self.lake.catalog.failing = False
        finish(self.running)
        self.look_at_the_ended()
        self.readers_find_their_files()
        for day, calls in self.api.days().items():
            for call_id in calls:
                self.api.say(day, call_id, "good at last")
        programs.command_sync(self.lake, self.api, full=True)
        self.all_is_published()
        self.lake.now += KEEP + timedelta(hours=1)
        reconcile(self.files, self.lake.catalog, KEEP)
        self.lake.now += KEEP + timedelta(hours=1)
        reconcile(self.files, self.lake.catalog, KEEP)
        self.all_is_published()
        self.nothing_is_left_over()

    def all_is_published(self) -> None:
        manifest, landed = state.load_manifest(self.files).value, state.load_landed(self.files).value
        assert stale_days(landed, manifest, self.lake.settings) == []
        assert self.lake.catalog.made.days == manifest.days
        assert self.lake.catalog.generation() == manifest.generation
        rows = {day: calls_of(self.files, day, entry.version) for day, entry in manifest.days.items()}
        assert rows == self.api.days()
        for day, entry in manifest.days.items():
            for table in TABLES:
                assert self.files.is_linked(layout.table_file(day, entry.version, table), layout.link_file(day, table))

    def nothing_is_left_over(self) -> None:
        landed = state.load_landed(self.files).value
        needed = {layout.version_folder(day, fingerprint(landed, day, self.lake.settings)) for day in DAYS}
        for run in self.runs:
            needed |= {layout.version_folder(*item) for item in _planned(self.files, run)}
        assert {file.path.rpartition("/")[0] for file in self.files.list("days")} <= needed
        counted = {layout.raw_file("calls", day, name) for day in DAYS for name in landed.days[day].calls}
        assert {file.path for file in self.files.list("raw")} == counted


def _planned(storage: LocalStorage, run: str) -> list[tuple[date, str]]:
    return [(day, build.version) for day, build in (read_plan(storage, run) or {}).items()]


TestPrograms = Programs.TestCase
TestPrograms.settings = settings(
    max_examples=examples(200),
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
