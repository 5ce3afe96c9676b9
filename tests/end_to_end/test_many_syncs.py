"""Many syncs, one after the other and at once: few raw files, few requests, one order of locks, correct tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.definitions import defs
from assets.instance.in_process_runs import run_extract
from assets.resources import LakeResource
from assets.sensors import changed_days
from pipelines.extract import sync
from pipelines.extract.landing.items import same_call
from pipelines.lake import layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.compaction import MANY
from pipelines.serve.catalog import read_generation
from tests.oracle.compare import assert_same_tables
from tests.oracle.rows import Shaping
from tests.oracle.tables import expected_lake
from tests.support.dagster_runs import run_stale_days
from tests.support.program import PII_KEY
from tests.support.program_account import Drift, account, change_young_calls
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

SYNCS = 30


def test_thirty_syncs(program, serve):
    world = small_world(calls=60, days=2)
    serve(world)
    seen: dict = {}
    merged = set()
    landed = 0
    for number in range(SYNCS):
        scan = program.sync(*(["--no-build"] if number % 10 else []))["scan"]
        landed += scan["calls_new"] + scan["calls_changed"]
        for day, names in counted_files(program).items():
            assert len(names) < MANY
            merged.update((day, name) for name in names if "compact" in name)
        for day, versions in program.versions().items():
            seen.setdefault(day, {}).update(((one.call_id, one.landed_at), one) for one in versions)
        world.advance(hours=1)
    assert program("build")[0] == 0
    on_disk = list((program.lake / "raw").rglob("*.parquet"))
    assert len(on_disk) == sum(map(len, counted_files(program).values()))
    assert max(Counter(day for day, _ in merged).values()) > 1  # what was merged is merged again
    history = {day: in_order(versions.values()) for day, versions in seen.items()}
    assert {day: in_order(versions) for day, versions in program.versions().items()} == history
    assert sum(map(len, history.values())) == landed
    rows = program.rows()
    for day, tables in expected_lake(history, {}, Shaping(pii_key=PII_KEY.encode())).items():
        assert_same_tables(rows[day], tables)
    assert sum(call["version_count"] > 1 for tables in rows.values() for call in tables["calls"]) > 5


def counted_files(program):
    days = json.loads((program.lake / "state/landed.json").read_bytes())["days"]
    return {day: list(landed["calls"]) for day, landed in days.items()}


def in_order(versions):
    return sorted(versions, key=lambda version: (version.call_id, version.landed_at))


ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("CHORUS_TEST_ROUNDS", "1"))
"""How often the programs are started together; more find more, at some seconds each."""
PROGRAM = "import sys; from pipelines.cli.main import main; sys.exit(main(sys.argv[1:]))"
HOLD = (
    "import sys; from pathlib import Path; from pipelines.lake.local import LocalStorage\n"
    "with LocalStorage(Path(sys.argv[1])).lock('sync'):\n    print('held', flush=True); sys.stdin.read()\n"
)


def start(*words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_syncs_and_builds_at_once_leave_what_the_oracle_says(program, serve):
    world = small_world(calls=60, days=3)
    serve(world)
    for _ in range(ROUNDS):
        running = [start(*words.split()) for words in ("sync --full", "build", "build --all", "sync")]
        world.advance(minutes=40)
        for process in running:
            _, err = process.communicate()
            # Of two syncs at once the second is refused; nothing else may go wrong.
            assert process.returncode == 0 or ("sync" in process.args and "Another process" in err), err
            assert "Traceback" not in err
        world.advance(hours=5)
    program.sync("--full")
    # The addresses of recordings alone may be older: a new one is no change of a call.
    listed = sorted(world.items())
    assert all(same_call(known.encode(), item) for known, item in zip(program.newest(), listed, strict=True))
    program.assert_tables_are_the_oracles()
    manifest = state.load_manifest(LocalStorage(program.lake)).value
    assert read_generation(program.lake / "chorus.duckdb") == manifest.generation


@contextmanager
def held_elsewhere(lake: Path):
    """Another process syncs."""
    words = [sys.executable, "-c", HOLD, str(lake)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.stdin.close()


def test_a_second_sync_is_refused_in_one_line_and_a_dead_one_is_no_obstacle(program, serve, monkeypatch):
    monkeypatch.setattr(sync, "_LOCK_WAIT_SECONDS", 0)
    serve(small_world(calls=20, days=2))
    with held_elsewhere(program.lake) as holder:
        code, out, err = program("sync")
        assert (code, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert "Another process is working on the lake" in err
        holder.kill()
        holder.wait()
        program.sync()
    program.assert_tables_are_the_oracles()


def test_settings_that_are_accepted_while_a_first_sync_lands_stop_nobody(program, serve, monkeypatch):
    serve(small_world(calls=20, days=2))
    commit = state.commit
    once = [("build", "--accept-settings")]

    def commit_after_another(storage, kept):
        if kept.path == layout.LAKE and kept.value.organisations and once:
            with monkeypatch.context() as other:
                other.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
                assert program(*once.pop())[0] == 0
        commit(storage, kept)

    monkeypatch.setattr(state, "commit", commit_after_another)
    program.sync()
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    program.sync()
    program.assert_tables_are_the_oracles(timezone="Asia/Kolkata")


ORDER = ["sync", "lake", "publish", "swap"]


@pytest.fixture
def taken(monkeypatch):
    """Watch who takes which lock; gives the locks that were held together, each as a chain in the order of taking."""
    held = defaultdict(list)
    chains: set[tuple[str, ...]] = set()
    lock = LocalStorage.lock

    @contextmanager
    def watched(storage, name, *, shared=False, wait=None):
        mine = held[threading.get_ident()]
        assert name in ORDER
        assert all(ORDER.index(other) < ORDER.index(name) for other in mine), (mine, name)
        assert name != "lake" or shared or wait is not None, "waits until everybody has left the lake"
        with lock(storage, name, shared=shared, wait=wait):
            mine.append(name)
            chains.add(tuple(mine))
            try:
                yield
            finally:
                mine.remove(name)

    monkeypatch.setattr(LocalStorage, "lock", watched)
    return chains


@pytest.fixture
def world(serve):
    made = small_world(calls=60, days=2)
    serve(made)
    return made


def test_commands_take_locks_in_one_order(program, world, monkeypatch, taken):
    monkeypatch.setenv("CHORUS_KEEP_VERSIONS_HOURS", "0")
    program.sync()
    world.advance(hours=3)
    program.sync("--full")
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    for command in ("build", "build --accept-settings", "build --all --recheck", "catalog", "status", "sync"):
        program(*command.split())
    program("forget", "--number", next(number for number in numbers(program) if number.startswith("+1")))
    (program.lake / "manifest.json").unlink()
    for command in ("doctor", "doctor --repair", "doctor"):
        program(*command.split())
    program("sync", "--full")
    assert {("sync", "lake", "swap"), ("lake", "publish", "swap"), ("sync", "lake", "publish", "swap")} <= taken
    program.assert_tables_are_the_oracles(timezone="Asia/Kolkata")
    assert program("prune", "--older-than", "1d", "--yes")[0] == 0


def numbers(program):
    return (json.loads(payload)["customerNumber"] or "" for payload in program.newest())


def test_dagsters_jobs_take_locks_in_one_order(program, world, taken):
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            assert run_extract(instance, full=True).success
            repository, lake = defs.get_repository_def(), {"lake": LakeResource()}
            changed_days.evaluate_tick(
                dg.build_sensor_context(instance=instance, repository_def=repository, resources=lake)
            )
            assert all(result.success for result in run_stale_days(instance))
            world.advance(hours=3)
    assert {("sync", "lake", "swap"), ("lake", "publish", "swap")} <= taken
    program.assert_tables_are_the_oracles()


def test_a_list_that_changes_all_the_time_costs_no_call_and_few_requests(tmp_path):
    with account(tmp_path, calls=3_000, days=30) as one:
        pages, drift = one.pages, Drift(one.world)
        one.api.faults.append(drift)
        assert one.sync("--no-build")["scan"]["complete"]
        landed = one.raw()["call_id"]
        assert drift.stayed <= set(landed)
        assert len(landed) == landed.n_unique()
        assert len(one.api.requests) <= 1.2 * pages + 10
        one.assert_the_token_is_nowhere()


def test_a_few_changes_cost_a_few_requests_and_their_days(tmp_path):
    with account(tmp_path, calls=600, days=20) as one:
        one.sync()
        before = one.written()
        days = change_young_calls(one.world, 10, 40)
        report = one.sync()
        assert report["scan"]["calls_changed"] > 3
        assert len(one.api.requests) <= 4
        touched = {part for path, _ in one.written() - before for part in path.split("/") if "=" in part}
        assert touched <= {f"call_date={day + timedelta(days=after)}" for day in days for after in (0, 1)}
        one.assert_the_token_is_nowhere()


def test_a_killed_scan_is_resumed_and_ends_with_the_tables_of_an_undisturbed_one(tmp_path):
    with account(tmp_path, calls=3_000, days=3) as one:
        one.sync(lake="undisturbed")
        whole = len(one.api.requests)
        one.sync("--no-build", kill_at=round(whole * 0.6))
        assert one.sync()["scan"]["resumed"]
        assert len(one.api.requests) < 0.8 * whole
        other = one.tables("undisturbed")
        assert {name: frame.equals(other[name]) for name, frame in one.tables().items()} == dict.fromkeys(other, True)
        one.assert_the_token_is_nowhere()
