"""Old days are removed for good wherever they are, also beside other programs and after a kill, and stay away."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines.dictionary import TABLES
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance import retention
from pipelines.lake.maintenance import retention as module
from pipelines.lake.maintenance.retention import days_before, floor_of
from pipelines.lake.publish import Build, read_plan, write_plan
from pipelines.lake.storage import LakeBusyError
from pipelines.serve.catalog import open_catalog
from tests.support.crash_lake import KILLED, ReferenceRun, crash_lake
from tests.support.faulty_disk import Fault, FaultyDisk
from tests.support.lake_contents import Readers

TODAY = date(2026, 3, 10)
DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4, 5)]
FLOOR = date(2026, 3, 3)
SEVEN = ("prune", "--older-than", "7d")


def call(name, day, **fields):
    item = {
        "id": f"{name}-{day.day}",
        "organizationId": "organisation",
        "agentId": f"agent-{name}",
        "direction": "inbound",
        "status": "completed",
        "durationSeconds": 61,
        "cost": 0.1,
        "customerNumber": f"+155501001{day.day:02}",
        "createdAt": f"{day}T23:50:00Z",
        "transcript": [{"role": "user", "content": f"secret words of {name} on {day}"}],
        **fields,
    }
    return json.dumps(item).encode()


ITEMS = [call(name, day) for day in DAYS for name in ("first", "second")]
CHILD = call("child", FLOOR, parentCallId="first-2", transferStatus="completed")
"""An item of the first day that is kept, whose parent is from an earlier day."""
NOWHERE = call("nowhere", DAYS[0], createdAt="never")


@pytest.fixture
def clock(monkeypatch):
    """Measure ages from a day of the calls; everything else uses the real clock, as the API does."""
    monkeypatch.setattr(module, "floor_of", lambda age: TODAY - age)


@pytest.fixture
def items():
    return [*ITEMS, CHILD]


@pytest.fixture
def lake(program, serve, items, clock):  # noqa: ARG001 - ages are measured from a day of its calls
    """Give a synced lake of five days, and the program on it."""
    serve(items=items)
    program.sync()
    return program


def everything(lake):
    """Return every byte of every file, by path."""
    return {
        path.relative_to(lake.lake).as_posix(): path.read_bytes() for path in lake.lake.rglob("*") if path.is_file()
    }


def days_on_disk(lake):
    return sorted(
        {day for path in lake.lake.rglob("*") if path.is_dir() and (day := layout.day_of(path.name)) is not None}
    )


def answer(lake, sql):
    with open_catalog(lake.lake / "chorus.duckdb") as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.slow
def test_without_yes_it_only_says_what_it_would_do(lake):
    before = everything(lake)
    code, out, err = lake(*SEVEN)
    assert (code, err) == (0, "")
    assert "Would remove 2 days, 2026-03-01 to 2026-03-02: 4 calls, " in out
    assert "for good: days before 2026-03-03 would not be fetched again" in out
    assert "--yes" in out
    assert everything(lake) == before
    facts = json.loads(lake(*SEVEN, "--json")[1])
    size = sum(
        len(data)
        for path, data in before.items()
        if path.startswith(("raw/", "days/"))
        and "-03-0" in path
        and layout.day_of(path.split("/")[-2 if path.startswith("raw") else -3]) < FLOOR
    )
    assert facts == {
        "removed": False,
        "floor": "2026-03-03",
        "days": 2,
        "first_day": "2026-03-01",
        "last_day": "2026-03-02",
        "calls": 4,
        "rejected_items": 0,
        "bytes": size,
    }
    assert everything(lake) == before


def test_with_yes_old_days_are_gone_everywhere(lake):
    code, out, _ = lake(*SEVEN, "--yes")
    assert code == 0
    assert "Removed 2 days, 2026-03-01 to 2026-03-02: 4 calls, " in out
    assert days_on_disk(lake) == DAYS[2:]
    landed = json.loads((lake.lake / "state/landed.json").read_bytes())
    assert sorted(landed["days"]) == [str(day) for day in DAYS[2:]]
    assert answer(lake, "SELECT DISTINCT call_date FROM calls ORDER BY ALL") == [(day,) for day in DAYS[2:]]
    for mart in ("call_metrics_daily", "call_volume_hourly", "_days"):
        assert answer(lake, f"SELECT min(call_date) FROM {mart}") == [(FLOOR,)]
    assert answer(lake, "SELECT landed_days, published_days, stale_days FROM data_freshness") == [(3, 3, 0)]
    code, out, _ = lake("status")
    assert "2026-03-03; days before were pruned" in out
    lake.assert_tables_are_the_oracles()
    assert lake("doctor")[0] == 0


@pytest.mark.slow
def test_the_first_day_that_is_kept_is_built_without_the_day_before(lake):
    legs = "SELECT leg_id, parent_found, agent_id FROM transfer_legs"
    assert answer(lake, legs) == [("child-3", True, "agent-first")]
    lake(*SEVEN, "--yes")
    assert answer(lake, legs) == [("child-3", False, "agent-child")]


@pytest.mark.slow
def test_no_later_sync_brings_them_back(lake, serve):
    lake(*SEVEN, "--yes")
    changed = call("first", DAYS[0], cost=9)
    new, old = call("third", DAYS[1]), call("other", date(2018, 5, 1))
    serve(items=[changed, new, old, *ITEMS[1:], CHILD, call("new", DAYS[4])])
    scan = lake.sync("--full")["scan"]
    assert (scan["complete"], scan["calls_new"], scan["calls_deleted"], scan["items_rejected"]) == (True, 1, 0, 0)
    assert lake.sync()["scan"]["calls_new"] == 0
    assert days_on_disk(lake) == DAYS[2:]


@pytest.mark.slow
def test_calls_that_are_no_longer_listed_are_measured_by_the_days_that_are_kept(lake, serve):
    """Two of seven calls are more than may be marked deleted unasked, though the pruned ones are gone too."""
    lake(*SEVEN, "--yes")
    serve(items=[item for item in ITEMS if b'"first-' in item or b'"second-3"' in item])
    code, _, err = lake("sync", "--full")
    assert code == 1
    assert "of 7 known calls are no longer listed" in err


@pytest.mark.slow
def test_rejected_items_go_by_the_day_on_which_they_arrived(program, serve, monkeypatch, items):
    serve(items=[*items, NOWHERE])
    program.sync()
    (arrived,) = program.versions("rejected")
    monkeypatch.setattr(module, "floor_of", lambda _: arrived + timedelta(days=1))
    facts = json.loads(program(*SEVEN, "--yes", "--json")[1])
    assert (facts["removed"], facts["rejected_items"]) == (True, 1)
    assert program.versions("rejected") == {}
    assert not list((program.lake / "raw").rglob("*.parquet"))


@pytest.mark.slow
def test_a_lake_of_old_days_alone_is_empty_afterwards(lake):
    code, out, _ = lake("prune", "--older-than", "1d", "--yes")
    assert (code, "Removed 5 days" in out) == (0, True)
    assert days_on_disk(lake) == []
    for table in TABLES:
        assert answer(lake, f"SELECT count(*) FROM {table}") == [(0,)]
    assert lake("status")[0] == lake("doctor")[0] == 0
    assert lake.sync("--full")["scan"]["calls_new"] == 0


@pytest.mark.slow
def test_it_says_so_where_there_is_nothing_to_do(lake, tmp_path, monkeypatch):
    before = everything(lake)
    code, out, _ = lake("prune", "--older-than", "9d")
    assert (code, out) == (0, "Nothing to remove: the lake has no day before 2026-03-01.\n")
    lake(*SEVEN, "--yes")
    after = everything(lake)
    code, out, _ = lake("prune", "--older-than", "1w", "--yes")
    assert code == 0
    assert out.startswith("Nothing to remove: the lake has no day before 2026-03-03.\n")
    assert everything(lake) == after != before
    monkeypatch.setenv("CHORUS_LAKE", str(tmp_path / "none"))
    assert lake(*SEVEN, "--yes")[:2] == (0, "Nothing to remove: the lake has no day before 2026-03-03.\n")
    assert not (tmp_path / "none").exists()


def test_ages_are_measured_from_today_in_utc():
    before = datetime.now(UTC).date()
    found = floor_of(timedelta(days=400))
    assert before - timedelta(days=400) <= found <= datetime.now(UTC).date() - timedelta(days=400)


@pytest.mark.slow
def test_the_floor_never_goes_back(lake):
    lake(*SEVEN, "--yes")
    code, out, _ = lake("prune", "--older-than", "400d", "--yes")
    assert (code, "before 2026-03-03" in out) == (0, True)
    assert lake.sync("--full")["scan"]["calls_new"] == 0


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("age", ["0d", "-3d", "400", "12h", "3m", "d", "", "1.5d", "999999999d"])
def test_an_age_that_is_none_is_wrong_usage(lake, age):
    before = everything(lake)
    code, _, err = lake("prune", f"--older-than={age}", "--yes")
    assert code == 2
    assert "--older-than" in err
    assert everything(lake) == before


@pytest.mark.slow
def test_other_settings_than_the_lakes_are_refused(lake, monkeypatch):
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    before = everything(lake)
    assert lake(*SEVEN, "--yes")[0] == 2
    assert everything(lake) == before


@pytest.mark.slow
def test_a_lost_manifest_stops_it_before_anything_is_changed(lake):
    (lake.lake / "manifest.json").unlink()
    before = everything(lake)
    code, _, err = lake(*SEVEN, "--yes")
    assert (code, "doctor --repair" in err) == (1, True)
    assert everything(lake) == before


PRUNE = "prune --older-than 9d --yes"
ENDING = ("build", "sync --full", "prune --older-than 1d --yes")
"""Commands that end what was begun; each point is given to one of them."""


@pytest.fixture(scope="module")
def crashing_lake(tmp_path_factory):
    with crash_lake(tmp_path_factory.mktemp("crash")) as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "floor_of", lambda _: FLOOR)
        assert made.run("sync --full").code == 0  # so that a sync finds nothing new, and leaves what the others leave
        made.keep()
        yield made


def floor(crashing_lake):
    return json.loads((crashing_lake.lake / "state/lake.json").read_bytes())["retention_floor"]


@pytest.mark.slow
def test_a_prune_may_be_killed_at_every_step(crashing_lake):
    known = ReferenceRun(crashing_lake, PRUNE, repaired_by="build")
    points = list(known.sample(Fault.KILL))
    assert (len(known.states), len(points) > 25) == (
        3,
        True,
    )  # before, without the old days, with the first day built again
    left = set()
    for number, point in enumerate(points):
        known.restore()
        readers = Readers(crashing_lake.lake)
        readers.observe()
        assert crashing_lake.run(PRUNE, FaultyDisk(Fault.KILL, point)).code == KILLED
        readers.observe()
        assert all(state in known.states for state in readers.generations.values()), known.steps[point]
        ending = ENDING[number % len(ENDING)] if floor(crashing_lake) else PRUNE
        left.add((ending, bool(days_before(LocalStorage(crashing_lake.lake), FLOOR))))
        assert crashing_lake.run(ending).code == 0
        readers.observe()
        assert crashing_lake.content() == known.content, (known.steps[point], ending)
    assert left >= {(ending, True) for ending in (PRUNE, *ENDING)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shared", "word"), [("sync", False, "a sync"), ("lake", True, "builds")])
def test_it_waits_for_a_running_sync_or_build(lake, monkeypatch, name, shared, word):
    storage, said = LocalStorage(lake.lake), []
    holding, prune_waits, over = threading.Event(), threading.Event(), threading.Event()

    def hold():
        with storage.lock(name, shared=shared):
            holding.set()
            prune_waits.wait(30)
            over.set()

    def say(line):
        said.append(line)
        prune_waits.set()

    def remove(*arguments):
        assert over.is_set()
        with pytest.raises(LakeBusyError), storage.lock(name, shared=True, wait=0):
            pass
        return real(*arguments)

    real = module.remove_before_floor
    monkeypatch.setattr(module, "remove_before_floor", remove)
    monkeypatch.setattr("pipelines.cli.lake.say", say)
    other = threading.Thread(target=hold)
    other.start()
    assert holding.wait(30)
    assert lake(*SEVEN, "--yes")[0] == 0
    other.join()
    assert said[0].startswith(f"Waiting for {word} to end. Nothing has been changed yet")
    assert days_on_disk(lake) == DAYS[2:]


@pytest.mark.slow
def test_no_program_starts_while_it_removes(lake, monkeypatch):
    storage, tried = LocalStorage(lake.lake), []

    def meanwhile(*arguments):
        for name, shared in (("sync", False), ("lake", True)):
            with pytest.raises(LakeBusyError), storage.lock(name, shared=shared, wait=0):
                pass
            tried.append(name)
        return real(*arguments)

    real = module.remove_before_floor
    monkeypatch.setattr(module, "remove_before_floor", meanwhile)
    assert lake(*SEVEN, "--yes")[0] == 0
    assert tried == ["sync", "lake"]


@pytest.mark.slow
def test_a_planned_run_does_not_bring_them_back(lake):
    storage = LocalStorage(lake.lake)
    write_plan(storage, "run", {day: Build("a" * 24, None) for day in (*DAYS[:2], DAYS[4])})
    lake(*SEVEN, "--yes")
    assert list(read_plan(storage, "run")) == [DAYS[4]]
