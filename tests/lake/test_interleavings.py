"""Programs that meet in the lake at the worst moments, each of which once was, or could be, a way to lose something."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pipelines.lake import layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.publish import Build
from pipelines.lake.versions import fingerprint, stale_days
from tests.support import lake_programs as programs
from tests.support.lake_model import KEEP, SETTINGS, ModelledLake, SteppedThread, finish
from tests.support.lake_programs import StubBuilder

pytestmark = pytest.mark.matrix(quick=10)

DAY = date(2026, 3, 10)
AFTER = DAY + timedelta(days=3)


class Stage:
    """A lake with two days, of which no call is the other's business, and programs that go by steps."""

    def __init__(self, lake: ModelledLake) -> None:
        self.lake, self.files, self.api = lake, LocalStorage(lake.root), programs.Listing()
        self.said = 0
        self.actors: list[SteppedThread] = []

    def start(self, name, *rest, **options) -> SteppedThread:
        work = getattr(programs, name)
        self.actors.append(SteppedThread(name, lambda: work(self.lake, *rest, **options)))
        return self.actors[-1]

    def run(self, name, *rest, **options) -> None:
        """Let a program come to its end; where it has to wait for another, that one continues just as far as needed."""
        actor = self.start(name, *rest, **options)
        while not actor.done:
            assert actor.advance() or any(other.advance(1) for other in self.actors if other is not actor)
        end(actor)

    def change(self, *days: date) -> None:
        """Let a call of some days change, and land it."""
        for day in days:
            self.said += 1
            self.api.say(day, f"call-{day}", f"text {self.said}")
        self.run("land", self.api)

    def build(self, **options) -> None:
        self.run("command_build", options.pop("settings", self.lake.settings), **options)

    def published(self, day: date = DAY) -> str:
        return state.load_manifest(self.files).value.days[day].version

    def current(self, day: date = DAY) -> str:
        return fingerprint(state.load_landed(self.files).value, day, self.lake.settings)

    def stale(self) -> list[date]:
        landed, manifest = state.load_landed(self.files).value, state.load_manifest(self.files).value
        return stale_days(landed, manifest, self.lake.settings)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    lake = ModelledLake(tmp_path / "lake")
    programs.replace_slow_parts(monkeypatch, lake)
    made = Stage(lake)
    made.api.say(AFTER, f"call-{AFTER}", "text")
    made.change(DAY)
    made.build()
    yield made
    for actor in made.actors:
        actor.kill()


def before(word: str, path: str = ""):
    """Tell the step before which a program is to stop."""
    return lambda is_word, is_path: is_word == word and is_path.startswith(path)


def end(*actors: SteppedThread) -> None:
    finish(actors)
    for actor in actors:
        if actor.error:
            raise actor.error


def test_a_slow_build_is_superseded_by_one_that_began_later_and_was_quicker(stage):
    stage.change(DAY)
    slow = stage.start("command_build", SETTINGS[0])
    slow.advance(until=before("finish", layout.DAYS))
    stage.change(DAY)
    stage.build()
    newest = stage.published()
    end(slow)
    assert stage.published() == newest == stage.current()


def test_where_nobody_else_built_the_slow_build_is_published_and_the_next_one_goes_on(stage):
    stage.change(DAY)
    slow = stage.start("command_build", SETTINGS[0])
    slow.advance(until=before("finish", layout.DAYS))
    stage.change(DAY)
    first = stage.published()
    end(slow)
    assert first != stage.published() != stage.current()
    assert stage.stale() == [DAY]
    stage.build()
    assert stage.published() == stage.current()


@pytest.mark.parametrize(("program", "rest"), [("command_build", SETTINGS[:1]), ("dagster_run", ["run"])])
@pytest.mark.parametrize("step", range(1, 40))
def test_a_build_that_is_overtaken_while_it_looks_at_the_lake_takes_no_day_back(stage, program, rest, step):
    stage.change(DAY)
    slow = stage.start(program, *rest)
    slow.advance(step)
    stage.change(DAY)
    stage.build()
    newest = stage.published()
    end(slow)
    assert stage.published() == newest


def test_a_build_with_settings_that_have_changed_meanwhile_takes_no_day_back_to_them(stage):
    stage.change(DAY)
    slow = stage.start("command_build", SETTINGS[0])
    slow.advance(until=before("finish", layout.DAYS))
    stage.build(settings=SETTINGS[1], accept=True)
    newest = stage.published()
    end(slow)
    assert stage.published() == newest == stage.current()


def test_settings_that_come_back_bring_their_versions_back(stage):
    first = stage.published()
    stage.build(settings=SETTINGS[1], accept=True)
    stage.lake.now += KEEP - timedelta(hours=1)
    stage.build(settings=SETTINGS[0], accept=True)
    assert stage.published() == first
    stage.lake.now += timedelta(hours=2)
    stage.run("tick")
    assert stage.lake.lacking(state.load_manifest(stage.files).value) == []


@pytest.mark.parametrize("step", range(1, 60))
def test_a_version_that_comes_back_into_use_is_not_cleaned_away_from_under_its_build(stage, step):
    first = stage.published()
    stage.build(settings=SETTINGS[1], accept=True)
    stage.lake.now += KEEP + timedelta(hours=1)  # its time is over, but nobody has cleaned since
    again = stage.start("command_build", SETTINGS[0], accept=True)
    again.advance(step)
    cleaner = stage.start("tick")
    end(cleaner, again)
    assert stage.published() == first
    assert stage.lake.lacking(state.load_manifest(stage.files).value) == []


@pytest.mark.parametrize("step", range(1, 60))
def test_expiry_stops_for_a_build_at_any_moment(stage, step):
    first = stage.published()
    stage.build(settings=SETTINGS[1], accept=True)
    stage.lake.now += KEEP + timedelta(hours=1)
    cleaner = stage.start("clean_up")
    cleaner.advance(step)
    again = stage.start("command_build", SETTINGS[0], accept=True)
    again.advance(until=before("read", layout.version_folder(DAY, first)))
    end(cleaner, again)
    assert stage.published() == stage.current() == first
    assert stage.lake.lacking(state.load_manifest(stage.files).value) == []


@pytest.mark.parametrize("step", range(1, 60))
def test_a_run_that_holds_no_lock_between_its_steps_keeps_what_it_has_planned(stage, step):
    stage.change(DAY)
    run = stage.start("dagster_run", "run")
    run.advance(step)
    stage.change(DAY)
    stage.build()
    for _ in range(2):  # noted as unreferenced, then old enough
        stage.lake.now += KEEP + timedelta(hours=1)
        stage.run("tick")
    end(run)
    assert stage.published() == stage.current()


def test_raw_files_that_were_merged_stay_while_a_build_reads_them(stage):
    stage.change(DAY)
    build = stage.start("command_build", SETTINGS[0])
    build.advance(until=before("open", layout.raw_folder("calls", DAY)))
    planned = set(state.load_landed(stage.files).value.days[DAY].calls)
    stage.change(DAY)
    assert planned.isdisjoint(state.load_landed(stage.files).value.days[DAY].calls)
    stage.run("tick")
    end(build)
    stage.run("tick")
    assert len(stage.files.list(layout.RAW)) == 2


def test_a_catalog_that_lagged_gives_its_readers_their_whole_time(stage):
    read = stage.lake.catalog.made
    stage.lake.catalog.failing = True
    stage.change(DAY)
    with pytest.raises(OSError, match="no space left"):
        stage.build()
    stage.lake.now += KEEP + timedelta(hours=1)
    assert stage.lake.catalog.made is read  # opened now, say
    stage.lake.catalog.failing = False
    stage.run("tick")
    stage.lake.now += KEEP
    stage.run("tick")
    assert stage.lake.lacking(read) == []
    stage.lake.now += timedelta(hours=1)
    stage.run("tick")
    assert stage.lake.lacking(read) != []


def test_two_who_publish_other_days_lose_neither(stage):
    stage.change(DAY, AFTER)
    landed = state.load_landed(stage.files).value
    builder = StubBuilder(stage.lake.storage, None, landed)
    for day in (DAY, AFTER):
        builder.build(day, stage.current(day))
    actors = [
        stage.start("publish_only", {day: Build(stage.current(day), stage.published(day))}) for day in (DAY, AFTER)
    ]
    for number in range(200):
        actors[number % 2].advance(1 + number % 3)
    end(*actors)
    assert stage.stale() == []
    assert stage.lake.catalog.made.days == state.load_manifest(stage.files).value.days
