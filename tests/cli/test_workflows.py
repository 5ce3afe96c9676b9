"""A sync has one order of steps, and the command line and Dagster both go through it."""

from __future__ import annotations

import threading

import dagster as dg
import pytest

from assets.instance.in_process_runs import run_extract
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout
from pipelines.simulator.messages import error
from pipelines.workflows import build, sync
from tests.support.program import program, serve
from tests.support.simulated import small_world

__all__ = ["program", "serve"]

ORDER = ["require_same_settings", "reconcile", "finish_erasures", "sync", "refresh_names", "finish_erasures"]


@pytest.fixture
def steps(monkeypatch):
    """The steps of a sync, in the order in which they are taken; each still does its work."""
    taken: list[str] = []

    def spy(module, name):
        real = getattr(module, name)

        def step(*arguments, **options):
            taken.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, step)

    for name in ("reconcile", "finish_erasures", "build_days"):
        spy(build, name)
    for name in ("require_same_settings", "sync", "refresh_names", "finish_erasures"):
        spy(sync, name)
    return taken


def test_a_sync_in_dagster_and_on_the_command_line_takes_the_same_steps(program, serve, steps):
    serve(small_world(calls=20, days=2))
    program.sync("--no-build")
    assert steps == ORDER
    steps.clear()
    program.sync()
    assert steps == [*ORDER, "build_days"]
    steps.clear()
    with dg.DagsterInstance.ephemeral() as instance:
        assert run_extract(instance).success
    assert steps == ORDER


def test_after_a_scan_that_failed_erasures_are_finished_and_what_landed_is_built(program, serve, steps):
    serve(small_world(), faults=[lambda request, answer: error(503, "Down") if request.number > 1 else answer(request)])
    assert program("sync")[0] == 1
    assert steps == [*ORDER[:4], "finish_erasures", "build_days"]
    assert program.rows()


def test_with_other_settings_nothing_is_read_and_nothing_is_built(program, serve, steps, monkeypatch):
    serve(small_world(calls=20, days=2))
    program.sync("--no-build")
    steps.clear()
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Tokyo")
    assert program("sync")[0] == 2
    assert steps == ["require_same_settings"]


def test_a_lake_that_cannot_be_repaired_is_synced_before_the_command_fails(program, serve, monkeypatch):
    def fail(*_):
        message = "The links could not be updated."
        raise ChorusCallsError(message)

    serve(small_world(calls=20, days=2))
    monkeypatch.setattr(build, "reconcile", fail)
    code, _, errors = program("sync")
    assert (code, errors.splitlines()[-1]) == (1, "The links could not be updated.")
    assert program.rows()


@pytest.mark.parametrize("shell", ["command line", "dagster"])
def test_calls_land_in_a_lake_that_cannot_be_repaired(program, serve, steps, shell):
    serve(small_world())
    program.sync("--max-pages", "1", "--no-build")
    landed = len(program.newest())
    (program.lake / layout.MANIFEST).write_text("{")
    steps.clear()
    if shell == "dagster":
        with dg.DagsterInstance.ephemeral() as instance:
            assert not run_extract(instance).success
    else:
        code, _, err = program("sync")
        assert code == 1
        assert "doctor --repair" in err
    assert steps == ["require_same_settings", "reconcile", "sync", "refresh_names", "finish_erasures"]
    assert len(program.newest()) > landed


def test_the_client_is_closed_before_days_are_built(program, serve, monkeypatch):
    serve(small_world(calls=20, days=2))
    threads: list[set[str]] = []
    real = build.build_days

    def build_days(*arguments, **options):
        threads.append({thread.name for thread in threading.enumerate()})
        return real(*arguments, **options)

    monkeypatch.setattr(build, "build_days", build_days)
    assert program.sync()["build"]["days_built"]
    assert threads
    assert not any("requests-watch" in names for names in threads)
