"""From the API's answer to the tables through the command line, what a failure ends with, and the API's own example."""

from __future__ import annotations

import json
import logging
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.dictionary import TABLES
from pipelines.simulator import World
from pipelines.simulator.conversation import read_dialogues
from pipelines.simulator.messages import error
from tests.oracle.examples import API_CALL, API_LEG, OWN_ID, PARENT_ID
from tests.support.simulated import KEY, START, small_world


def test_tables_are_the_oracles(program, serve):
    world = small_world(calls=150, days=3)
    serve(world)
    report = program.sync()
    assert report["scan"]["complete"]
    assert report["build"]["days_refused"] == {}
    assert program.newest() == sorted(item.decode() for item in world.items())
    program.assert_tables_are_the_oracles()


@pytest.mark.slow
def test_tables_are_the_oracles_with_other_settings(program, serve, monkeypatch):
    monkeypatch.setenv("CHORUS_TIMEZONE", "America/New_York")
    monkeypatch.setenv("CHORUS_PII", "raw")
    serve(small_world(calls=60, days=2), order="oldest")
    program.sync()
    program.assert_tables_are_the_oracles(timezone="America/New_York", pii="raw")


@pytest.mark.slow
def test_a_second_sync_writes_no_file_outside_the_state(program, serve):
    serve(small_world())
    program.sync()
    before = program.files()
    report = program.sync()
    assert (report["scan"]["calls_new"], report["scan"]["calls_changed"]) == (0, 0)
    assert report["build"]["days_built"] == 0
    assert program.files() == before
    program.sync("--full")
    assert program.files() == before


@pytest.mark.slow
def test_what_is_derived_comes_back_from_raw_and_state(program, serve):
    serve(small_world())
    program.sync()
    rows = program.rows()
    for path in program.lake.iterdir():
        if path.is_dir() and path.name not in ("raw", "state"):
            shutil.rmtree(path)
    assert program("build", "--all")[0] == 0
    assert program.rows() == rows
    for path in program.lake.iterdir():
        if path.name not in ("raw", "state"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert program("build", "--all")[0] == 0
    assert program.rows() == rows
    code, out, _ = program("query", "--csv", "SELECT count(*) AS calls FROM calls")
    assert (code, out.split()) == (0, ["calls", str(sum(len(tables["calls"]) for tables in rows.values()))])


@pytest.mark.slow
def test_only_days_that_changed_are_built_again(program, serve):
    world = small_world(calls=120, days=4)
    serve(world)
    program.sync()
    before = {day: program.lake / f"days/call_date={day}" for day in program.rows()}
    versions = {day: {path.name for path in folder.iterdir()} for day, folder in before.items()}
    world.advance(hours=2)
    report = program.sync("--full")
    changed = {date.fromisoformat(day) for day in report["scan"]["changed_days"]}
    assert changed
    touched = {day for day in before if {path.name for path in before[day].iterdir()} != versions[day]}
    followers = {day + timedelta(days=1) for day in changed}
    assert changed & before.keys() <= touched <= changed | followers
    assert touched != set(before)
    assert report["build"]["days_built"] == len((changed | followers) & program.rows().keys())
    program.assert_tables_are_the_oracles()


@pytest.mark.slow
def test_an_item_that_is_no_call_is_kept_once(program, serve):
    created = datetime.now(UTC).isoformat()
    items = [{"id": "c1", "createdAt": created}, {"createdAt": created}, [7], {"id": "c2"}]
    serve(items=[json.dumps(item).encode() for item in items])
    for _ in range(2):
        program.sync("--full")
    rejected = [version for versions in program.versions("rejected").values() for version in versions]
    assert sorted(version.payload for version in rejected) == sorted(json.dumps(item) for item in items[1:])
    noted = [row for tables in program.rows().values() for row in tables["data_issues"]]
    assert [row["kind"] for row in noted] == ["rejected_item"] * 3
    assert [row["call_id"] for tables in program.rows().values() for row in tables["calls"]] == ["c1"]
    program.assert_tables_are_the_oracles()


@pytest.mark.slow
def test_an_account_without_calls_is_read_again_and_again(program, serve):
    api = serve(items=[])
    assert program.sync()["scan"]["complete"]
    assert program.sync()["scan"]["complete"]
    api.stop()
    serve(items=[{"id": "c1", "createdAt": datetime.now(UTC).isoformat()}])
    assert program.sync()["scan"]["calls_new"] == 1


@pytest.mark.slow
def test_the_key_is_written_nowhere(program, serve, caplog):
    caplog.set_level(logging.DEBUG)
    serve(small_world(calls=30, days=2))
    said = [*program("sync"), *program("status"), *program("sync", "--json", "--full")]
    serve(small_world(calls=30, days=2), key="sk_test_another")
    said += program("sync", "--debug")
    assert said[-3] == 3
    # The API's own log is not the program's.
    logged = "\n".join(record.getMessage() for record in caplog.records if "simulator" not in record.name)
    assert KEY not in "\n".join(map(str, said)) + logged
    files = [path for path in program.lake.parent.rglob("*") if path.is_file()]
    assert len(files) > len(TABLES)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


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


NAMED = "CHORUS_TEST_DIALOGUES"
DIALOGUES = Path(
    os.environ.get(NAMED) or Path(__file__).parents[3] / "shared" / "data" / "dialogues" / "sgd_dialogues.jsonl"
)


@pytest.mark.slow
@pytest.mark.skipif(not DIALOGUES.is_file(), reason=f"{DIALOGUES} is not there; {NAMED} may name another file")
def test_tables_of_recorded_conversations_are_the_oracles(program, serve):
    world = World(seed=11, calls=3_000, days=12, start=START, dialogues=read_dialogues(DIALOGUES))
    serve(world)
    report = program.sync()
    assert report["scan"]["calls_seen"] == len(world.items()) >= 3_000
    assert program.newest() == sorted(item.decode() for item in world.items())
    program.assert_tables_are_the_oracles()


RATIOS = {
    "call_metrics_daily": (
        *("cost_per_minute", "average_duration_seconds", "completion_rate", "containment_rate"),
        *("agent_word_share",),
    ),
    "transfer_metrics_daily": ("transfer_success_rate", "cost_per_minute"),
}


@pytest.fixture
def tables(program, serve):
    """Sync one call and return the tables of its day."""

    def sync(call: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        serve(items=[json.dumps(call).encode()])
        program.sync()
        program.assert_tables_are_the_oracles()
        (of_day,) = program.rows().values()
        return of_day

    return sync


def counts(of_day, *names):
    return [len(of_day[name]) for name in names]


def test_the_example_is_one_call_one_leg_and_one_turn(tables):
    of_day = tables(API_CALL)
    assert counts(of_day, "calls", "transfer_legs", "transcript_turns") == [1, 1, 1]
    (call,), (leg,), (turn,) = (of_day[name] for name in ("calls", "transfer_legs", "transcript_turns"))
    assert (call["call_id"], call["parent_call_id"], call["is_root"]) == (OWN_ID, PARENT_ID, False)
    assert (call["outcome"], call["is_transferred"], call["transfer_leg_count"]) == ("unknown", True, 1)
    assert (leg["leg_id"], leg["call_id"], leg["source"]) == (OWN_ID, OWN_ID, "nested")
    assert (leg["transfer_outcome"], leg["seconds_to_transfer"]) == ("pending", 0.0)
    assert (turn["call_id"], turn["leg_id"], turn["speaker"], turn["word_count"]) == (OWN_ID, OWN_ID, "customer", 1)
    # It is a leg of another call, and call metrics count root calls.
    assert counts(of_day, "call_metrics_daily", "call_volume_hourly", "call_attributes") == [0, 0, 0]
    (metrics,) = of_day["transfer_metrics_daily"]
    assert (metrics["legs"], metrics["pending_legs"], metrics["duration_seconds"], metrics["cost"]) == (1, 1, 0.0, 0.0)
    assert {metrics[name] for name in RATIOS["transfer_metrics_daily"]} == {None}


@pytest.mark.slow
def test_as_a_root_call_with_a_leg_of_another_id_it_counts(tables):
    of_day = tables({**API_CALL, "parentCallId": None, "transferCalls": [{**API_LEG, "id": "another"}]})
    assert counts(of_day, "calls", "transfer_legs", "transcript_turns") == [1, 1, 2]
    assert [turn["leg_id"] for turn in of_day["transcript_turns"]] == [None, "another"]
    assert counts(of_day, *(name for name in TABLES if name.endswith(("_daily", "_hourly")))) == [1, 1, 1]
    (metrics,) = of_day["call_metrics_daily"]
    assert [metrics[name] for name in ("calls", "transferred_calls", "connected_calls", "terminal_calls")] == [
        1,
        1,
        1,
        0,
    ]
    assert [metrics[name] for name in RATIOS["call_metrics_daily"]] == [None, 0.0, None, None, 0.0]
    assert (metrics["transfer_rate"], metrics["transfer_rate_all"]) == (1.0, 1.0)
    (legs,) = of_day["transfer_metrics_daily"]
    assert {legs[name] for name in RATIOS["transfer_metrics_daily"]} == {None}


@pytest.mark.slow
def test_its_words_that_no_map_has_are_noted(tables):
    noted = [(row["path"], row["kind"]) for row in tables(API_CALL)["data_issues"]]
    assert noted == [("$.status", "unknown_value")]
