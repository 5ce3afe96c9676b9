"""What goes wrong ends with the promised exit code and words; what was landed stays and is built."""

from __future__ import annotations

import pytest

from pipelines.simulator.messages import error
from tests.support.simulated import KEY, small_world


def refused_from(number):
    """Answer 503 from the given request on."""
    return lambda request, respond: error(503, "Down") if request.number >= number else respond(request)


def test_wrong_settings_get_one_line_each(program, monkeypatch):
    monkeypatch.setenv("CHORUS_TIMEZONE", "Mars/Olympus")
    monkeypatch.setenv("CHORUS_PII", "some")
    monkeypatch.setenv("CHORUS_API_URL", "http://api.example.test/v1")
    for command in ("sync", "build"):
        code, out, err = program(command)
        assert (code, out) == (2, "")
        lines = sorted(err.splitlines())
        assert [line.partition(":")[0] for line in lines] == ["CHORUS_API_URL", "CHORUS_PII", "CHORUS_TIMEZONE"]
        assert KEY not in err
    assert not program.lake.exists()


def test_without_a_key_only_sync_stops(program, monkeypatch):
    monkeypatch.delenv("CHORUS_API_KEY")
    code, out, err = program("sync")
    assert (code, out) == (2, "")
    assert err.startswith("CHORUS_API_KEY")
    assert len(err.splitlines()) == 1
    assert program("build")[0] == 0


def test_a_key_that_is_refused(program, serve):
    serve(small_world(), key="sk_test_another")
    code, out, err = program("sync")
    assert (code, out) == (3, "")
    assert "refused the key" in err
    assert "Traceback" not in err
    assert KEY not in err


def test_an_api_that_is_not_there(program):
    code, _, err = program("sync")
    assert code == 1
    (line,) = [line for line in err.splitlines() if "incomplete" in line]
    assert "could not be reached" in line
    assert "Traceback" not in err


@pytest.mark.slow
def test_what_landed_before_the_api_went_down_stays_and_is_built(program, serve):
    world = small_world(calls=350, days=3)
    api = serve(world, faults=[refused_from(3)])
    code, _, err = program("sync")
    assert code == 1
    assert "incomplete" in err
    landed = program.newest()
    assert 0 < len(landed) < len(world.items())
    program.assert_tables_are_the_oracles()
    assert sum(len(tables["calls"]) for tables in program.rows().values()) == len(landed)
    api.faults.clear()
    assert program.sync()["scan"]["complete"]
    assert program.newest() == sorted(item.decode() for item in world.items())
    program.assert_tables_are_the_oracles()


@pytest.mark.slow
def test_pages_that_come_at_last_make_a_complete_sync(program, serve, monkeypatch):
    monkeypatch.setenv("CHORUS_RETRY_SECONDS", "60")
    failing = {2, 3}
    api = serve(small_world(calls=250, days=2))
    api.faults.append(
        lambda request, respond: (
            error(429, "Slow down").with_headers(**{"Retry-After": "0"})
            if request.number in failing
            else respond(request)
        )
    )
    assert program.sync()["scan"]["complete"]
    program.assert_tables_are_the_oracles()


@pytest.mark.slow
def test_a_limited_sync_says_so(program, serve):
    serve(small_world(calls=250, days=2))
    code, out, _ = program("sync", "--max-pages", "1")
    assert code == 0
    assert "limited" in out
    program.assert_tables_are_the_oracles()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("CHORUS_TIMEZONE", "Asia/Kolkata"), ("CHORUS_PII", "raw")])
def test_other_settings_than_the_lakes_wait_to_be_accepted(program, serve, monkeypatch, name, value):
    serve(small_world(calls=40, days=2))
    program.sync()
    before = program.files()
    monkeypatch.setenv(name, value)
    for command in ("sync", "build"):
        code, _, err = program(command)
        assert code == 2
        assert "--accept-settings" in err
    assert program.files() == before
    assert program("build", "--accept-settings")[0] == 0
    program.assert_tables_are_the_oracles(**{name.removeprefix("CHORUS_").lower(): value})
    assert program("sync")[0] == 0


@pytest.mark.slow
def test_another_accounts_calls_are_refused(program, serve):
    serve(small_world(calls=40, days=2))
    program.sync()
    before = program.files()
    serve(small_world(seed=8, calls=40, days=2))
    code, _, err = program("sync", "--full")
    assert code == 1
    assert "One lake holds one account" in err
    assert program.files() == before
