"""The definitions load without settings and with wrong ones, and describe every table by the dictionary."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.definitions import defs
from assets.extract import ExtractConfig
from pipelines.dictionary import CORE_TABLES, MARTS, TABLES
from pipelines.materialize.anomalies import EXTRACT_ANOMALY_CHECKS
from pipelines.quality import CHECKS
from pipelines.quality.anomalies import DAILY_ANOMALY_CHECKS

ROOT = Path(__file__).parents[2]


def test_every_asset_of_the_contract_is_there():
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {"call_pages", "landed_calls", "catalog", "report", *TABLES}


def test_groups_follow_the_way_of_the_data():
    graph = defs.resolve_asset_graph()
    groups = {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert groups == {
        "call_pages": "extract",
        "landed_calls": "extract",
        "catalog": "serving",
        "report": "serving",
        **dict.fromkeys(CORE_TABLES, "core"),
        **dict.fromkeys(MARTS, "marts"),
    }


def test_every_job_resolves():
    names = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert names == {"extract_calls", "build_days", "make_report", "purge_runs"}
    dg.Definitions.validate_loadable(defs)


def test_schedules_and_sensors_run_without_being_switched_on():
    repository = defs.get_repository_def()
    assert {schedule.name: schedule.default_status.value for schedule in repository.schedule_defs} == {
        "hourly_extract": "RUNNING",
        "nightly_full_extract": "RUNNING",
        "daily_report": "RUNNING",
        "weekly_purge": "RUNNING",
    }
    assert {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs} == {
        "changed_days": "RUNNING",
        "run_failure_alert": "RUNNING",
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_columns_of_the_dictionary(table):
    asset = defs.resolve_asset_graph().get(dg.AssetKey(table))
    schema = asset.metadata["dagster/column_schema"]
    documented = TABLES[table].all_columns
    assert [(column.name, column.type, column.description) for column in schema.columns] == [
        (column.name, str(column.type), column.description) for column in documented
    ]
    assert TABLES[table].description in asset.description
    assert asset.owners == ("team:call-analytics",)


def test_every_asset_says_whose_it_is_and_leads_to_its_documentation():
    graph = defs.resolve_asset_graph()
    for node in (graph.get(key) for key in graph.get_all_asset_keys()):
        assert node.description, node.key
        assert node.kinds, node.key
        assert list(node.owners) == ["team:call-analytics"], node.key
        page, _, heading = str(node.metadata["docs"].value).partition("#")
        lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
        headings = {line.lstrip("# ").lower().replace(" ", "-") for line in lines if line.startswith("#")}
        assert not heading or heading in headings, f"{page} has no heading {heading}"


def test_a_table_is_tagged_with_its_personal_data():
    graph = defs.resolve_asset_graph()
    tags = {table: graph.get(dg.AssetKey(table)).tags["personal_data"] for table in TABLES}
    assert tags == {
        "calls": "content",
        "transcript_turns": "content",
        "transfer_legs": "content",
        "call_attributes": "content",
        "data_issues": "content",
        **dict.fromkeys(MARTS, "none"),
    }


def test_every_check_is_shown_on_its_table():
    keys = defs.resolve_asset_graph().asset_check_keys
    assert {(key.asset_key.to_user_string(), key.name) for key in keys} == {
        *((check.table, check.name) for check in (*CHECKS, *DAILY_ANOMALY_CHECKS)),
        *(("call_pages", name) for name in EXTRACT_ANOMALY_CHECKS),
    }


def test_nothing_waits_for_an_anomaly_check():
    job = defs.resolve_job_def("build_days")
    waiting = job.graph.dependency_structure.input_to_upstream_outputs_for_node
    upstream = {
        output.node_name for node in job.graph.node_dict for outputs in waiting(node).values() for output in outputs
    }
    assert upstream >= {"core_tables", "daily_quality_checks"}
    assert not upstream & {"daily_anomaly_checks", "extract_anomaly_checks"}


def test_publishing_waits_for_the_checks():
    job = defs.resolve_job_def("build_days")
    upstream = job.graph.dependency_structure.input_to_upstream_outputs_for_node("catalog")
    assert "daily_quality_checks" in {output.node_name for outputs in upstream.values() for output in outputs}


def test_loading_warns_of_nothing_needs_no_key_and_draws_nothing(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CHORUS_", "DAGSTER"))}
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import assets.definitions, sys; sys.exit(bool({'altair', 'duckdb'} & set(sys.modules)))",
        ],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == [], "loading must leave no trace"


WRONG = {
    "CHORUS_WORKERS": "many",
    "CHORUS_START_DATE": "yesterday",
    "CHORUS_LAKE": "s3://bucket/lake",
    "CHORUS_TIMEZONE": "Europe/Berln",
    "CHORUS_OUTCOMES": "nowhere.toml",
    "CHORUS_PII": "sometimes",
    "ALERT_WEBHOOK_URL": "nobody",
}
LOAD_AND_RUN = """
import sys
import dagster as dg
from assets.definitions import defs
from assets.partitions import daily_partitions
print(daily_partitions().start.date(), len(defs.resolve_asset_graph().get_all_asset_keys()))
if sys.argv[1:]:
    from assets.instance.in_process_runs import run_extract
    with dg.DagsterInstance.ephemeral() as instance:
        for event in run_extract(instance).all_events:
            if event.is_step_failure:
                print(event.step_failure_data.user_failure_data.description)
"""


def load(folder, settings, *arguments, dot_env=None):
    """Load the definitions in a process of their own: the first partition, the number of assets, why a run failed."""
    if dot_env is not None:
        (folder / ".env").write_bytes(dot_env)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CHORUS_", "DAGSTER"))}
    environment.pop("ALERT_WEBHOOK_URL", None)
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD_AND_RUN, *arguments],
        cwd=folder,
        env={**environment, **settings, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    return loaded.stdout.splitlines()


def test_wrong_settings_fail_a_run_with_their_own_words_and_not_the_loading(tmp_path):
    loaded, *reasons = load(tmp_path, WRONG, "run")
    assert loaded == "2019-01-01 12", "a start that cannot be used falls back to the default"
    for name in WRONG:
        assert f"{name}: " in "\n".join(reasons)


def test_the_first_partition_is_read_from_dot_env_and_other_wrong_settings_do_not_move_it(tmp_path):
    others = {name: value for name, value in WRONG.items() if name != "CHORUS_START_DATE"}
    assert load(tmp_path, others, dot_env=b"CHORUS_START_DATE=2026-02-20\n") == ["2026-02-20 12"]


@pytest.mark.slow
def test_a_dot_env_that_cannot_be_read_fails_a_run_and_not_the_loading(tmp_path):
    first, *reasons = load(tmp_path, {}, "run", dot_env=b"CHORUS_START_DATE=\xff\n")
    assert first == "2019-01-01 12"
    assert ".env: cannot be read" in "\n".join(reasons)


def test_a_changed_setting_counts_from_the_next_tick_on(tick, land, monkeypatch, tmp_path):
    land("2026-03-01")
    assert tick() == [("2026-03-01", "2026-03-01")]
    monkeypatch.setenv("CHORUS_WORKERS", "many")
    with pytest.raises(dg.Failure, match="CHORUS_WORKERS: 'many' is not allowed"):
        tick()
    monkeypatch.setenv("CHORUS_WORKERS", "2")
    assert tick() == [("2026-03-01", "2026-03-01")]
    monkeypatch.setenv("CHORUS_LAKE", str(tmp_path / "another lake"))
    assert tick() == "Nothing has landed yet."


def test_resources_are_described_and_have_no_config_that_could_hold_a_secret():
    resources = defs.resources
    assert set(resources) == {"lake", "calls_api"}
    for name, resource in resources.items():
        assert isinstance(resource, dg.ConfigurableResource)
        assert f"CHORUS_{'LAKE' if name == 'lake' else 'API_KEY'}" in type(resource).__doc__
        assert type(resource).model_fields == {}


def test_the_launchpad_says_what_each_setting_of_an_extract_does_and_asks_for_nothing():
    job = defs.resolve_job_def("extract_calls")
    assert dg.validate_run_config(job, {})["ops"]["call_pages"]["config"]["mode"] == "recent"
    assert all(field.description and not field.is_required() for field in ExtractConfig.model_fields.values())
    for wrong in ({"mode": "EVERYTHING"}, {"max_pages": "many"}, {"pages": 3}):
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(job, {"ops": {"call_pages": {"config": wrong}}})
