"""From the API's answer to the tables: the whole way, over HTTP and through the command line."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines.dictionary import TABLES
from tests.support.simulated import KEY, small_world


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
