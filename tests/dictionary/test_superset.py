"""The datasets for Superset hold what the dictionary says, and metrics that are right at every grain."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest

from pipelines.dictionary import MARTS, TABLES, Additivity, Personal, ratios_of
from pipelines.dictionary.superset import export
from pipelines.serve.catalog import open_catalog
from pipelines.serve.helper_tables import DIMENSIONS
from tests.support.guide import ROOT

CATALOG = Path("/srv/chorus/chorus.duckdb")


def files(bundle: bytes) -> dict[str, dict]:
    """Return the contents by path, below the folder that Superset leaves out."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        return {name.partition("/")[2]: json.loads(opened.read(name)) for name in opened.namelist()}


def datasets(bundle: bytes) -> dict[str, dict]:
    return {content["table_name"]: content for path, content in files(bundle).items() if path.startswith("datasets/")}


def metrics(table: str, **options: str) -> dict[str, dict]:
    """Return the metrics of a table's dataset by name."""
    return {metric["metric_name"]: metric for metric in datasets(export(CATALOG, **options))[table]["metrics"]}


def columns(table: str) -> dict[str, dict]:
    """Return the columns of a table's dataset by name."""
    return {column["column_name"]: column for column in datasets(export(CATALOG))[table]["columns"]}


def test_the_same_dictionary_gives_the_same_bytes():
    assert export(CATALOG) == export(CATALOG)


def test_ids_are_of_the_name_alone_so_that_a_moved_catalog_keeps_its_charts():
    def ids(bundle):
        return {
            path: (content["uuid"], content.get("database_uuid"))
            for path, content in files(bundle).items()
            if "uuid" in content
        }

    assert ids(export(CATALOG)) == ids(export(Path("/mnt/lake/chorus.duckdb"), currency="EUR"))
    assert not set(ids(export(CATALOG)).values()) & set(ids(export(CATALOG, name="another")).values())


def test_the_database_is_the_catalog_read_only():
    database = files(export(CATALOG))["databases/chorus_calls.yaml"]
    assert database["sqlalchemy_uri"] == "duckdb:////srv/chorus/chorus.duckdb"
    assert database["extra"]["engine_params"]["connect_args"] == {"read_only": True}
    assert not database["allow_dml"]


def test_every_table_is_a_dataset_and_marts_alone_where_asked_for():
    assert datasets(export(CATALOG)).keys() == TABLES.keys()
    assert datasets(export(CATALOG, marts_only=True)).keys() == set(MARTS)


@pytest.mark.parametrize("table", TABLES)
def test_columns_that_cannot_be_aggregated_are_left_out(table):
    shown = [name for name, column in columns(table).items() if "expression" not in column]
    assert shown == [
        column.name for column in TABLES[table].all_columns if column.additivity is not Additivity.NON_ADDITIVE
    ]


def test_what_people_said_is_marked_and_not_offered_to_group_by():
    for table, dataset in datasets(export(CATALOG)).items():
        for column in dataset["columns"]:
            if "expression" in column:
                continue
            personal = TABLES[table].column(column["column_name"]).personal
            assert bool(column["extra"]) == personal.is_content
            if personal is Personal.FREE_TEXT:
                assert "free text" in column["extra"]["warning_markdown"]
                assert not column["groupby"]


@pytest.mark.parametrize("table", MARTS)
def test_a_mart_has_every_measure_as_a_metric(table):
    measures = {column.name: column.additivity for column in TABLES[table].columns if column.additivity}
    assert metrics(table).keys() == {
        {Additivity.ADDITIVE: f"sum_{name}", Additivity.SEMI_ADDITIVE: f"max_{name}"}.get(additivity, name)
        for name, additivity in measures.items()
    }


@pytest.mark.matrix(quick=4)
@pytest.mark.parametrize("condition", ["true", "false", "call_date = (SELECT min(call_date) FROM calls)"])
@pytest.mark.parametrize("table", TABLES)
def test_metrics_answer_and_ratios_are_the_macros(example, table, condition):
    found = {name: metric["expression"] for name, metric in metrics(table).items()}
    right = dict(found)
    for ratio in ratios_of(TABLES[table]):
        right[ratio.name] = f"{ratio.name}({', '.join(f'sum({part})' for part in ratio.components)})"
    with open_catalog(example.catalog.path) as connection:
        pairs = ", ".join(f"[CAST({found[name]} AS DOUBLE), {right[name]}]" for name in found)
        (answers,) = connection.execute(f"SELECT {pairs} FROM {table} WHERE {condition}").fetchall()
    for name, (answer, expected) in zip(found, answers, strict=True):
        assert answer == expected, name


def test_ids_of_agents_and_numbers_have_their_names_beside_them():
    named = {
        (name, column["expression"])
        for table in TABLES
        for name, column in columns(table).items()
        if "expression" in column
    }
    assert len(named) == len(DIMENSIONS)
    with duckdb.connect() as connection:
        for column, table in DIMENSIONS.items():
            connection.execute(
                f"CREATE TABLE {table.name} AS SELECT 'known' AS id, 'Ada' AS name UNION SELECT 'new', NULL"
            )
            expression = dict(named)[column.replace("_id", "_name")]
            ids = f"(SELECT unnest(['known', 'known', 'new', 'gone', NULL]) AS {column})"
            found = connection.execute(f"SELECT {expression}, count(*) FROM {ids} GROUP BY {expression} ORDER BY 1")
            assert found.fetchall() == [("Ada", 2), ("gone", 1), ("new", 1), (None, 1)]


def test_money_is_labelled_with_the_currency():
    labels = {name: metric["currency"] for name, metric in metrics("call_metrics_daily", currency="EUR").items()}
    assert labels["sum_cost"] == labels["cost_per_minute"] == {"symbol": "EUR", "symbolPosition": "suffix"}
    assert labels["sum_calls"] is None
    assert metrics("call_metrics_daily")["sum_cost"]["currency"] is None


def test_a_person_gets_the_file_by_a_command(tmp_path):
    words = ["chorus-calls.zip", "--catalog", "lake/chorus.duckdb", "--currency", "EUR", "--marts-only"]
    command = [sys.executable, "-m", "pipelines.dictionary.superset", *words]
    subprocess.run(command, check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    expected = export(tmp_path / "lake/chorus.duckdb", currency="EUR", marts_only=True)
    assert (tmp_path / "chorus-calls.zip").read_bytes() == expected
