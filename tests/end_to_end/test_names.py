"""Names get from the API to the catalog, by the real program; other fields of an agent get nowhere."""

from __future__ import annotations

import json

import duckdb
import pytest

from pipelines.serve.catalog import DuckDBCatalog
from pipelines.simulator.messages import error
from tests.support.extraction import call
from tests.support.name_lists import item
from tests.support.simulated import KEY, small_world

pytestmark = pytest.mark.slow


@pytest.fixture
def api(serve):
    return serve(small_world(calls=30, days=2))


def agents(program):
    with duckdb.connect(program.lake / "chorus.duckdb", read_only=True) as catalog:
        return dict(catalog.execute("SELECT id, name FROM agents").fetchall())


def called(api):
    return {one["id"]: one["name"] for one in map(json.loads, api.directory["agents"])}


def everything_written(program):
    return b"".join(path.read_bytes() for path in program.lake.parent.rglob("*") if path.is_file())


def test_a_sync_shows_names_and_keeps_no_secret(program, api):
    code, out, err = program("sync")
    assert (code, agents(program)) == (0, called(api))
    assert len(called(api)) == 8
    assert "ames" not in out + err
    written = everything_written(program) + (out + err).encode()
    for agent in map(json.loads, api.directory["agents"]):
        assert agent["name"].encode() in written
        assert agent["postCallWebhookSecret"].encode() not in written
        assert agent["systemPrompt"].encode() not in written
    assert KEY.encode() not in written
    assert "8 agents, 11 phone numbers" in program("status")[1]
    assert json.loads(program("status", "--json")[1])["names"] == {"agents": 8, "phone_numbers": 11}
    assert program("doctor")[0] == 0


def test_a_new_name_is_shown_by_a_sync_that_changes_no_call(program, api):
    program.sync()
    before = program.files()
    first = json.loads(api.directory["agents"][0])
    api.directory["agents"] = [json.dumps({**first, "name": "Another"}).encode()]
    assert program.sync()["names"] == {"agents": 8, "phone_numbers": 11}
    assert agents(program)[first["id"]] == "Another"
    changed = {path for path, known in program.files().items() if before.get(path) != known}
    assert changed == {"chorus.duckdb"}
    before = program.files()
    program.sync()
    assert program.files() == before


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_sync_without_names_is_no_less_complete(program, api, status):
    api.directory_faults.append(lambda *_: error(status, "no"))
    code, out, err = program("sync")
    assert code == 0
    assert "full scan complete" in out
    [said] = [line for line in err.splitlines() if "ames" in line]
    assert "could not be read of agents and phone numbers" in said
    assert agents(program) == dict.fromkeys(agents(program))


def test_names_of_lookup_files_are_shown_by_the_catalog_and_the_sync(program, api):
    api.directory_faults.append(lambda *_: error(404, "no"))
    program.sync()
    one, other = sorted(called(api))[:2]
    folder = program.lake.parent / "data/lookups"
    folder.mkdir(parents=True)
    (folder / "agents.csv").write_text(f"id,name\n{one},From file\n")
    assert program("catalog")[0] == 0
    assert agents(program)[one] == "From file"
    (folder / "agents.csv").write_text(f"id,name\n{other},The other\n")
    code, _, err = program("sync")
    assert code == 0
    assert "of phone numbers" in err
    assert (agents(program)[one], agents(program)[other]) == (None, "The other")
    (folder / "agents.csv").write_bytes(b"id,name\n\xff,x\n")
    for command in ("sync", "catalog"):
        code, _, err = program(command)
        assert code == 0
        assert err.count("is not used: it is not UTF-8") == 1
    assert agents(program)[other] == "The other"


def test_the_next_command_shows_the_names_of_a_sync_that_was_killed_before_the_catalog(program, api, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    program.sync()
    first = json.loads(api.directory["agents"][0])
    api.directory["agents"] = [json.dumps({**first, "name": "Another"}).encode()]
    with monkeypatch.context() as patch:
        patch.setattr(DuckDBCatalog, "make", dies)
        assert program("sync")[0] == 130
    assert agents(program)[first["id"]] == first["name"]
    assert program("build")[0] == 0
    assert agents(program)[first["id"]] == "Another"


def test_names_that_cannot_be_read_stop_neither_sync_nor_build(program, api):
    program.sync()
    (program.lake / "state/names.json").write_text("{")
    code, _, err = program("sync")
    assert (code, err.count("Names were not refreshed")) == (0, 1)
    assert "doctor --repair" in err
    assert program("build", "--all")[0] == 0
    assert program("doctor")[0] == 1
    assert program("doctor", "--repair")[0] == 0
    program.sync()
    assert agents(program) == called(api)


def test_ids_that_are_odd_are_the_same_beside_calls_and_names(program, serve):
    odd = [7, "a\u0000b", "\ud83d", " x ", "ÄÖ"]
    calls = [call(f"call-{number}", agentId=one) for number, one in enumerate(odd)]
    api = serve(items=calls)
    api.directory["agents"] = [item(one, f"Agent {number}") for number, one in enumerate(odd)]
    program.sync()
    sql = "SELECT call_id, name FROM calls LEFT JOIN agents ON agents.id = agent_id ORDER BY call_id"
    with duckdb.connect(program.lake / "chorus.duckdb", read_only=True) as catalog:
        assert catalog.execute(sql).fetchall() == [(f"call-{n}", f"Agent {n}") for n in range(len(odd))]
    assert len(agents(program)) == len(odd)
