"""Nothing that a customer said or is called is in logs, metadata or run output, and an erasure names nobody."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from dagster._serdes import serialize_value

from assets.events import CATALOG, LANDED, known_versions
from assets.instance.in_process_runs import run_extract
from pipelines.cli.main import main
from pipelines.dictionary import MARTS
from pipelines.lake import identity, state
from pipelines.materialize.days import build_days
from pipelines.privacy.forget import forget, read_request
from pipelines.suppression.suppression_list import load_suppression_list
from tests.support.dagster_runs import run_stale_days
from tests.support.simulated import KEY, START, simulated_api, small_world

STRANGE = {
    "id": "strange-call-of-somebody",
    "customerNumber": ["+15550100123", "Mrs Somebody"],
    "status": {"of": "Mrs Somebody"},
    "createdAt": START.isoformat(),
    "durationSeconds": "as long as Mrs Somebody wanted",
    "transcript": [{"role": "user", "content": "My name is Mrs Somebody."}, "Mrs Somebody said something"],
}
NOWHERE = {"note": "Mrs Somebody has no id and no day", "customerNumber": "+15550100124"}
SHORTEST = 10
"""Shorter texts, such as the name of a kind of transfer, rightly occur in other places."""
PERSONAL = re.compile(
    r"\.(id|callSid|parentCallId|customerNumber|recordingUrl|content|summary|note)$|extractions|contextVariables|metadata"
)
OF_THE_COMPANY = {"organizationId", "agentId", "phoneNumberId"}


@pytest.fixture
def company(workspace, instance, monkeypatch, caplog, capfd) -> dict[str, str]:
    """A company's lake, made through Dagster and the command line, and all that was said about it, by where."""
    items = [*small_world(calls=90, days=3).items(START), *(json.dumps(item).encode() for item in (STRANGE, NOWHERE))]
    with simulated_api(items=items) as api, caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("CHORUS_API_URL", api.url)
        monkeypatch.setenv("CHORUS_API_KEY", KEY)
        assert run_extract(instance, full=True).success
        assert all(run.success for run in run_stale_days(instance))
        for command in ("sync --full", "build --all", "catalog --marts-only out.duckdb", "status", "doctor"):
            assert main(command.split()) == 0
    said = capfd.readouterr()
    lake = Path(workspace.storage.address())
    records = [record for record in caplog.records if not record.name.startswith("pipelines.simulator")]
    return {
        "stdout": said.out,
        "stderr": said.err,
        "logs": "\n".join(f"{record.name} {record.getMessage()} {record.exc_text or ''}" for record in records),
        "Dagster": "\n".join(events(instance)),
        "handed out": everything(Path("out.duckdb")),
        **{mart: "\n".join(rows(path) for path in (lake / mart).rglob("*.parquet")) for mart in MARTS},
        "manifest": (lake / "manifest.json").read_text(),
        "verdicts": "\n".join(path.read_text() for path in (lake / "days").rglob("_audit.json")),
    }


def events(instance) -> Iterator[str]:
    """Yield every event of every run, and of none, as it is stored."""
    for run in instance.get_runs():
        yield serialize_value(run)
        yield from (serialize_value(entry) for entry in instance.all_logs(run.run_id))
    for key in instance.get_asset_keys():
        for fetch in (instance.fetch_materializations, instance.fetch_observations):
            yield from (serialize_value(record.event_log_entry) for record in fetch(key, limit=1_000).records)


def rows(path: Path) -> str:
    """Return all that a Parquet file holds."""
    with pq.ParquetFile(path) as file:
        return f"{file.schema_arrow} {file.metadata.metadata} {file.read().to_pylist()} {path.read_bytes()!r}"


def everything(path: Path) -> str:
    """Return all that a catalog holds: rows, definitions, comments, and its bytes as they are."""
    with duckdb.connect(str(path), read_only=True) as catalog:
        names = [name for (name,) in catalog.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        found = [catalog.execute(f'FROM "{name}"').fetchall() for name in names]
        places = ("duckdb_tables", "duckdb_views", "duckdb_columns", "duckdb_functions", "duckdb_schemas")
        found += [catalog.execute(f"FROM {place}() WHERE database_name = 'out'").fetchall() for place in places]
    return f"{found} {path.read_bytes()!r}"


def leaves(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}")
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, path)
    elif value is not None:
        yield path, str(value)


def personal_values() -> dict[str, str]:
    """Return every personal value of the calls, with its field."""
    calls = [json.loads(item) for item in small_world(calls=90, days=3).items(START)]
    found = {text: path for call in [*calls, STRANGE, NOWHERE] for path, text in leaves(call) if PERSONAL.search(path)}
    found |= {re.sub(r"\D", "", text): path for text, path in found.items() if "customerNumber" in path}
    of_the_company = {str(call.get(name)) for call in calls for name in OF_THE_COMPANY}
    return {text: path for text, path in found.items() if len(text) >= SHORTEST and text not in of_the_company}


@pytest.mark.slow
def test_no_word_and_no_number_of_a_call_is_logged_or_handed_out(company, tmp_path):
    values = personal_values()
    kinds = {path.rpartition(".")[2] for path in values.values()}
    assert kinds >= {"id", "callSid", "customerNumber", "recordingUrl", "content", "summary"}
    assert len(values) > 500
    core = "\n".join(rows(path) for path in (tmp_path / "lake/transcript_turns").rglob("*.parquet"))
    assert sum(text in core for text in values) > 300, "what is looked for is not found where it is"
    assert {where for where, text in company.items() if not text} <= {"stdout", "stderr"}
    found = {
        (where, path, text)
        for where, told in company.items()
        for text, path in [*values.items(), ("Somebody", "$.note")]
        if text in told
    }
    assert found == set()


@pytest.mark.slow
def test_what_is_handed_out_names_no_place_of_the_lake(company, tmp_path):
    assert str(tmp_path) not in company["handed out"]


DAYS = [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]


@pytest.fixture
def lake(workspace, land, tick):
    """A lake of three days that Dagster knows as they are."""
    identity.require_same_settings(workspace.storage, workspace.table_settings)
    land(*map(str, DAYS))
    build_days(workspace, DAYS)
    tick()
    return workspace


@pytest.mark.slow
def test_days_that_were_published_again_are_logged(lake, tick, instance):
    known = known_versions(instance, CATALOG)
    forget(lake, read_request(None, "call-2026-03-01-0"), lambda _: None)
    assert tick() == "Every landed day is published as it is."
    manifest, landed = state.load_manifest(lake.storage).value, state.load_landed(lake.storage).value
    assert known_versions(instance, CATALOG) == {day: manifest.days[day].version for day in DAYS}
    assert known_versions(instance, LANDED) == {day: landed.days[day].digest for day in DAYS}
    assert [day for day in DAYS if known[day] != manifest.days[day].version] == DAYS[:2]


def test_the_sensor_finishes_what_is_listed(lake, tick, instance):
    erasures = load_suppression_list(lake.storage)
    erasures.add_call("call-2026-03-02-1")
    erasures.commit(lake.storage, [])
    tick()
    assert load_suppression_list(lake.storage).pending is None
    assert state.load_manifest(lake.storage).value.days[DAYS[1]].rows["calls"] == 1
    events = instance.fetch_materializations(CATALOG, limit=99).records
    assert not any("call-2026" in repr(event) for event in events)
