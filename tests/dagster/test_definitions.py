"""The definitions load for somebody who has set nothing, and say of every table what the dictionary says."""

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


def test_a_table_says_what_it_tells_about_people():
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


def test_no_warning_stands_before_anything():
    job = defs.resolve_job_def("build_days")
    waiting = job.graph.dependency_structure.input_to_upstream_outputs_for_node
    upstream = {
        output.node_name for node in job.graph.node_dict for outputs in waiting(node).values() for output in outputs
    }
    assert upstream >= {"core_tables", "audit"}
    assert not upstream & {"look_at_days", "look_at_extract"}


def test_publishing_waits_for_the_checks():
    job = defs.resolve_job_def("build_days")
    upstream = job.graph.dependency_structure.input_to_upstream_outputs_for_node("catalog")
    assert "audit" in {output.node_name for outputs in upstream.values() for output in outputs}


def test_loading_warns_of_nothing_needs_no_key_and_draws_nothing(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CHORUS_", "DAGSTER"))}
    loaded = subprocess.run(
        [sys.executable, "-c", "import assets.definitions, sys; sys.exit('altair' in sys.modules)"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == [], "loading must leave no trace"


def test_the_launchpad_says_what_each_setting_of_an_extract_does_and_asks_for_nothing():
    job = defs.resolve_job_def("extract_calls")
    assert dg.validate_run_config(job, {})["ops"]["call_pages"]["config"]["mode"] == "recent"
    assert all(field.description and not field.is_required() for field in ExtractConfig.model_fields.values())
    for wrong in ({"mode": "EVERYTHING"}, {"max_pages": "many"}, {"pages": 3}):
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(job, {"ops": {"call_pages": {"config": wrong}}})
