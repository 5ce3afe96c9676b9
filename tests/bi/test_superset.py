"""Superset on the catalog while syncs publish, and older DuckDBs that open it: `make bi-check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.dictionary import TABLES, ratios_of
from pipelines.dictionary.superset import export
from pipelines.serve.macros import MACROS
from pipelines.simulator import SimulatedApi, World
from tests.support.guide import ROOT
from tests.support.lakes import example_lake
from tests.support.processes import environment
from tests.support.simulated import KEY, START, simulated_api
from tests.support.superset import Superset, by_month, running

pytestmark = pytest.mark.service

CHARTS = 40
COMMITS = 4
COST_PER_MINUTE = """
SELECT agent_id, CAST(date_trunc('month', call_date) AS DATE) AS month,
    cost_per_minute(sum(cost_rated), sum(seconds_rated)) AS cost_per_minute
FROM call_metrics_daily
GROUP BY ALL
"""
CALLS_BY_NAME = """
SELECT coalesce(agents.name, agent_id) AS agent_name, sum(calls) AS sum_calls
FROM call_metrics_daily
LEFT JOIN agents ON agents.id = agent_id
GROUP BY ALL
"""
Answer = dict[tuple[str, str], float]
"""Cost per minute by agent and month."""


class Account:
    """A simulated account, its lake, and the commands of a person who has it."""

    def __init__(self, folder: Path, world: World, api: SimulatedApi) -> None:
        self.catalog = folder / "data/lake/chorus.duckdb"
        self.folder = folder
        self._world = world
        settings = {"CHORUS_API_KEY": KEY, "CHORUS_API_URL": api.url, "CHORUS_LAKE": "data/lake"}
        self._settings = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}

    def __call__(self, *words: str) -> Any:
        command = [sys.executable, "-m", "pipelines.cli.main", *words, "--json"]
        done = subprocess.run(command, cwd=self.folder, env=self._settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sync(self) -> None:
        """Let some hours go by, in which there are calls, and sync."""
        self._world.advance(hours=8)
        self("sync")

    def cost_per_minute(self) -> Answer:
        rows = self("query", COST_PER_MINUTE)
        return {(row["agent_id"], row["month"]): row["cost_per_minute"] for row in rows}


def keep_syncing(account: Account, answers: list[Answer], enough: threading.Event) -> None:
    """Sync again and again, and ask after each sync what the cost per minute is now."""
    while not enough.is_set():
        account.sync()
        answers.append(account.cost_per_minute())


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    world = World(seed=7, calls=900, days=70, start=START)
    with tempfile.TemporaryDirectory() as folder, simulated_api(world) as api:
        known = Account(Path(folder), world, api)
        known.sync()
        yield known


@pytest.fixture(scope="module")
def superset() -> Iterator[Superset]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        with running(environment(Path(folder) / "superset", "superset.txt"), home) as started:
            yield started


@pytest.fixture(scope="module")
def database(superset, account) -> int:
    """The catalog as a database, added manually: read-only, as docs/bi.md says."""
    extra = json.dumps({"engine_params": {"connect_args": {"read_only": True}}})
    body = {"database_name": "by hand", "sqlalchemy_uri": f"duckdb:///{account.catalog}", "extra": extra}
    return superset("POST", "database/", json=body)["id"]


@pytest.fixture(scope="module")
def by_hand(superset, account, database) -> dict[str, dict[str, Any]]:
    """What Superset makes of each table and view by itself; gone afterwards, since SQLite keeps each name once."""
    columns = account("query", "SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal")
    made = {}
    for table in sorted(row["table_name"] for row in columns):
        body = {"database": database, "schema": "main", "table_name": table}
        number = superset("POST", "dataset/", json=body)["id"]
        made[table] = superset.dataset(number)
        superset("DELETE", f"dataset/{number}")
    return made


@pytest.fixture(scope="module")
def imported(superset, account, by_hand) -> dict[str, int]:
    """The datasets of the export, by their tables."""
    assert by_hand
    superset.import_datasets(export(account.catalog))
    return superset.datasets()


def test_superset_lists_every_table_and_view(superset, database, by_hand):
    found = superset("GET", f"database/{database}/tables/?q=(schema_name:main)")
    assert {table["value"] for table in found["result"]} == by_hand.keys() > TABLES.keys()


def test_comments_of_columns_become_descriptions(account, by_hand):
    columns = account("query", "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
    shown = {
        (table, column["column_name"]): column["description"]
        for table, dataset in by_hand.items()
        for column in dataset["columns"]
    }
    assert shown == {(row["table_name"], row["column_name"]): row["comment"] for row in columns}
    for table in TABLES:
        assert {column.name: column.comment for column in TABLES[table].all_columns} == {
            name: text for (of, name), text in shown.items() if of == table
        }


@pytest.mark.parametrize("table", TABLES)
def test_an_imported_dataset_has_what_superset_would_have_made_and_the_meanings(superset, imported, by_hand, table):
    dataset = superset.dataset(imported[table])
    assert (dataset["description"], dataset["main_dttm_col"]) == (TABLES[table].comment, "call_date")
    for column in dataset["columns"]:
        if column["expression"]:
            continue
        (alike,) = (other for other in by_hand[table]["columns"] if other["column_name"] == column["column_name"])
        for part in ("type_generic", "is_dttm", "description"):
            assert column[part] == alike[part], column["column_name"]


def test_a_second_import_adds_nothing(superset, imported, account):
    superset.import_datasets(export(account.catalog))
    assert superset.datasets() == imported
    assert imported.keys() == TABLES.keys()
    assert superset("GET", "database/")["count"] == 2


@pytest.mark.parametrize("table", TABLES)
def test_every_metric_draws_and_ratios_are_those_of_the_catalog(superset, imported, account, table):
    metrics = [metric["metric_name"] for metric in superset.dataset(imported[table])["metrics"]]
    (drawn,) = superset.chart(imported[table], metrics)
    assert drawn.keys() == set(metrics)
    macros = {
        ratio.name: f"{ratio.name}({', '.join(f'sum({part})' for part in ratio.components)})"
        for ratio in ratios_of(TABLES[table])
    }
    if macros:
        listed = ", ".join(f"{macro} AS {name}" for name, macro in macros.items())
        (expected,) = account("query", f"SELECT {listed} FROM {table}")
        assert {name: drawn[name] for name in macros} == pytest.approx(expected, abs=1e-9)


def draw(superset: Superset, dataset: int) -> Answer:
    rows = superset.chart(dataset, ["cost_per_minute"], ["agent_id", by_month("call_date")])
    return {(row["agent_id"], month(row["call_date"])): row["cost_per_minute"] for row in rows}


def month(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def test_a_chart_shows_what_the_command_line_says_while_days_are_published(superset, imported, account):
    drawn, answers, enough = [], [account.cost_per_minute()], threading.Event()
    with ThreadPoolExecutor() as pool:
        syncing = pool.submit(keep_syncing, account, answers, enough)
        try:
            while not syncing.done() and (len(drawn) < CHARTS or len(answers) <= COMMITS):
                drawn.append(draw(superset, imported["call_metrics_daily"]))
        finally:
            enough.set()
    syncing.result()
    seen = [0]
    for chart in drawn:
        alike = [number for number, answer in enumerate(answers) if chart == pytest.approx(answer, abs=1e-9)]
        assert alike, "a chart shows what no commit ever held"
        assert alike[-1] >= seen[-1], "a chart shows an older commit than the one before"
        seen.append(min(number for number in alike if number >= seen[-1]))
    assert len(set(seen)) > 2
    assert draw(superset, imported["call_metrics_daily"]) == pytest.approx(answers[-1], abs=1e-9)


def test_a_chart_by_the_names_of_agents_shows_every_call(superset, imported, account):
    rows = superset.chart(imported["call_metrics_daily"], ["sum_calls"], ["agent_name"])
    assert named(rows) == named(account("query", CALLS_BY_NAME))


def named(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {row["agent_name"]: row["sum_calls"] for row in rows}


def test_nothing_can_be_changed_from_superset(superset, database):
    body = {"database_id": database, "schema": "main", "sql": "DROP TABLE call_metrics_daily"}
    refused = superset("POST", "sqllab/execute/", json=body, expect=500)
    assert refused["errors"][0]["error_type"] == "DML_NOT_ALLOWED_ERROR"
    superset("PUT", f"database/{database}", json={"allow_dml": True})
    refused = superset("POST", "sqllab/execute/", json=body, expect=500)
    assert "read-only mode" in refused["errors"][0]["message"]


# Runs in either version: statements come as a list, and what they answer goes back as one.
PROGRAM = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as catalog:
    catalog.execute("SET TimeZone = 'UTC'")
    answers = [catalog.execute(sql).fetchall() for sql in json.load(sys.stdin)]
print(json.dumps([duckdb.__version__, answers], default=str))
"""
NAMES = "SELECT table_name FROM information_schema.tables ORDER BY 1"
COMMENTS = """
SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal
UNION ALL SELECT table_name, NULL, comment FROM duckdb_tables() WHERE NOT internal
UNION ALL SELECT view_name, NULL, comment FROM duckdb_views() WHERE NOT internal
UNION ALL SELECT function_name, NULL, comment FROM duckdb_functions() WHERE NOT internal
ORDER BY ALL
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    example_lake(folder)
    return folder / "chorus.duckdb"


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield environment(Path(folder) / "older", "older-duckdb.txt")


def ask(python: Path | str, catalog: Path, statements: Sequence[str]) -> tuple[str, list[Any]]:
    """Return the version of DuckDB that a Python has, and what its statements answer."""
    done = subprocess.run(
        [python, "-c", PROGRAM, catalog], input=json.dumps(statements), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    version, answers = json.loads(done.stdout)
    return version, answers


def test_duckdb_1_2_reads_every_row_and_comment(programs, catalog):
    tables = [f"SELECT * FROM {table} ORDER BY ALL" for table in names(catalog)]
    assert len(tables) > len(TABLES)
    old, found = ask(programs / "python", catalog, [*tables, NAMES, COMMENTS])
    new, expected = ask(sys.executable, catalog, [*tables, NAMES, COMMENTS])
    assert (old.rpartition(".")[0], new.partition(".")[0]) == ("1.2", "2")
    assert found == expected


def test_duckdb_1_2_runs_every_macro(programs, catalog):
    examples = [macro.example for macro in MACROS]
    _, found = ask(programs / "python", catalog, examples)
    _, expected = ask(sys.executable, catalog, examples)
    for macro, old, new in zip(MACROS, found, expected, strict=True):
        assert comparable(old) == comparable(new), macro.name


def test_the_packaged_command_line_reads_tables_views_and_macros(programs, catalog):
    def shell(sql: str) -> list[dict[str, Any]]:
        words = [programs / "duckdb", "-readonly", "-json", catalog, "-c", sql]
        return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    assert [row["name"] for row in shell("SHOW TABLES")] == names(catalog)
    counts = [f"SELECT '{table}' AS name, count(*) AS rows FROM {table}" for table in names(catalog)]
    _, ((*expected,),) = ask(sys.executable, catalog, [" UNION ALL ".join(counts)])
    assert [[row["name"], row["rows"]] for row in shell(" UNION ALL ".join(counts))] == expected
    assert all(dict(expected)[table] for table in TABLES)
    for macro in MACROS:
        shell(macro.example)


def names(catalog: Path) -> list[str]:
    _, (found,) = ask(sys.executable, catalog, [NAMES])
    return [name for (name,) in found]


def comparable(rows: list[list[Any]]) -> list[str]:
    """Rows in no order, without the last digits of numbers, which depend on the order of a sum."""
    return sorted(repr([f"{value:.9g}" if isinstance(value, float) else value for value in row]) for row in rows)
