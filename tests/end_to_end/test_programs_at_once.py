"""Syncs and builds in processes of their own, at once, against an API that moves: what they leave is the oracle's."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.extract import sync
from pipelines.extract.landing.items import same_call
from pipelines.lake import layout, state
from pipelines.lake.local import LocalStorage
from pipelines.serve.catalog import read_generation
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

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
