"""DuckDB 1.2 and later open the catalog: the oldest that is promised, and the packaged command line before 2."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.dictionary import TABLES
from pipelines.serve.macros import MACROS
from tests.support.lakes import example_lake
from tests.support.processes import environment

pytestmark = pytest.mark.service

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
