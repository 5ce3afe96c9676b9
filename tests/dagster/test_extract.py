"""A run of extract_calls against a simulated API, and the way from there to published days."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import dagster as dg
import pytest

from assets.instance.in_process_runs import run_extract, run_job
from pipelines.errors import ChorusCallsError
from pipelines.lake import state
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from pipelines.simulator.faults import parse_faults
from pipelines.simulator.messages import error
from tests.support.dagster_runs import materialized, run_stale_days, staleness, step_failures
from tests.support.simulated import KEY, simulated_api, small_world

pytestmark = pytest.mark.usefixtures("workspace", "api")


@pytest.fixture
def world():
    return small_world(calls=90, days=3)


@pytest.fixture
def api(world, monkeypatch):
    with simulated_api(world, clock=lambda: datetime.now(UTC)) as running:
        monkeypatch.setenv("CHORUS_API_URL", running.url)
        monkeypatch.setenv("CHORUS_API_KEY", KEY)
        monkeypatch.setenv("CHORUS_RETRY_SECONDS", "0")
        yield running


def landed_days(workspace):
    return {str(day) for day in state.load_landed(workspace.storage).value.days}


def published_days(workspace):
    return {str(day) for day in state.load_manifest(workspace.storage).value.days}


def facts(result):
    event = next(
        event for event in result.all_events if event.is_step_materialization and "call_pages" in event.message
    )
    metadata = event.step_materialization_data.materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def test_from_the_api_to_the_catalog(instance, workspace):
    extract = run_extract(instance)
    assert extract.success
    days = landed_days(workspace)
    assert materialized(instance, "landed_calls") == days

    assert all(build.success for build in run_stale_days(instance))
    assert published_days(workspace) == days == materialized(instance, "catalog")
    assert set(staleness(instance, "calls", *days)) == {"FRESH"}


@pytest.mark.slow
def test_a_run_says_what_it_did(instance, workspace):
    said = facts(run_extract(instance))
    total = said["total end"]
    assert said["complete"] is True
    assert (said["calls new"], said["calls changed"], said["calls unchanged"]) == (total, 0, 0)
    assert said["days changed"] == len(landed_days(workspace))
    assert said["pages"] >= 1

    again = facts(run_extract(instance, full=True))
    assert (again["mode"], again["calls new"], again["calls unchanged"]) == ("full", 0, total)
    assert again["days changed"] == 0


@pytest.mark.slow
def test_for_each_changed_day_the_observation_comes_before_the_materialization(instance, workspace):
    result = run_extract(instance)
    logged = [
        (type(data).__name__, data.partition)
        for event in result.all_events
        if (data := landed_event(event)) is not None
    ]
    days = sorted(landed_days(workspace), reverse=True)
    assert logged == [pair for day in days for pair in (("AssetObservation", day), ("AssetMaterialization", day))]


def landed_event(event):
    if event.is_asset_observation:
        return event.asset_observation_data.asset_observation
    if event.is_step_materialization:
        found = event.step_materialization_data.materialization
        return found if found.asset_key == dg.AssetKey("landed_calls") else None
    return None


def test_an_extract_that_is_cut_off_fails_and_keeps_what_landed(api, instance, workspace):
    api.faults.extend(parse_faults("server_error:every=2"))
    result = run_extract(instance)
    assert not result.success
    words = step_failures(result)["call_pages"]
    assert "incomplete" in words.lower()
    assert KEY not in words
    assert materialized(instance, "landed_calls") == landed_days(workspace) != set()


def test_a_lake_that_cannot_be_repaired_keeps_no_call_from_landing(instance, workspace, monkeypatch):
    def fail(*_):
        message = "The catalog could not be written."
        raise ChorusCallsError(message)

    monkeypatch.setattr(DuckDBCatalog, "make", fail)
    result = run_extract(instance)
    assert step_failures(result) == {"call_pages": "The catalog could not be written."}
    assert materialized(instance, "landed_calls") == landed_days(workspace) != set()


def test_a_page_limit_is_no_failure(instance):
    result = run_extract(instance, max_pages=1)
    assert result.success
    assert facts(result)["complete"] is False


@pytest.mark.slow
def test_too_many_deletions_fail_the_run_until_they_are_accepted(instance, workspace, world):
    run_extract(instance)
    lost = [json.loads(item)["id"] for item in world.items()[:20]]
    for name in lost:
        world.delete(name)
    result = run_extract(instance, full=True)
    assert "20 of" in step_failures(result)["call_pages"]
    config = {"ops": {"call_pages": {"config": {"mode": "RECENT", "accept_deletions": True}}}}
    said = facts(run_job("extract_calls", instance=instance, run_config=config))
    assert (said["mode"], said["calls deleted"], said["calls moved"]) == ("full", 20, 0)
    assert materialized(instance, "landed_calls") == landed_days(workspace)


def test_a_refused_key_is_said_plainly(instance, monkeypatch):
    monkeypatch.setenv("CHORUS_API_KEY", "sk_test_wrong")
    result = run_extract(instance)
    assert not result.success
    assert "CHORUS_API_KEY" in step_failures(result)["call_pages"]
    assert "sk_test_wrong" not in str([event.message for event in result.all_events])


def test_without_a_key_the_run_says_what_to_set(instance, monkeypatch):
    monkeypatch.delenv("CHORUS_API_KEY")
    result = run_extract(instance)
    assert "CHORUS_API_KEY is not set" in step_failures(result)["call_pages"]


@pytest.mark.slow
def test_the_key_is_in_no_event_log_or_file(api, tmp_path, capfd, caplog):
    caplog.set_level("DEBUG")
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as lasting:
        assert run_extract(lasting).success
        run_stale_days(lasting)
        api.faults.extend(parse_faults("disconnect:every=2"))
        failed = run_extract(lasting)
        api.faults[:] = parse_faults("unauthorized:every=1")
        refused = run_extract(lasting)
        assert not failed.success
        assert not refused.success
        records = [record for run in lasting.get_run_records() for record in lasting.all_logs(run.dagster_run.run_id)]
    assert len(records) > 20
    assert KEY not in "".join(map(repr, records)) + "".join(capfd.readouterr())
    # The API's own log is not the pipeline's.
    assert KEY not in "".join(record.getMessage() for record in caplog.records if "simulator" not in record.name)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


@pytest.mark.slow
def test_names_are_shown_and_never_fail_a_run(api, instance, workspace, caplog):
    caplog.set_level("DEBUG")
    assert run_extract(instance).success
    assert all(build.success for build in run_stale_days(instance))
    listed = [json.loads(item) for item in api.directory["agents"]]
    renamed = {agent["id"]: f"{agent['name']} again" for agent in listed}
    api.directory["agents"] = [json.dumps({**agent, "name": renamed[agent["id"]]}).encode() for agent in listed]
    assert run_extract(instance).success  # which changes no day
    with open_catalog(workspace.settings.catalog_path) as catalog:
        assert dict(catalog.execute("SELECT id, name FROM agents").fetchall()) == renamed
    api.directory_faults.append(lambda *_: error(403, "no"))
    assert run_extract(instance).success
    events = str([entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)])
    assert events.count("Names could not be read of agents and phone numbers (the API refused the key") == 1
    for agent in listed:
        assert agent["postCallWebhookSecret"] not in events + caplog.text
        assert agent["systemPrompt"] not in events + caplog.text
