from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.lake import state
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from pipelines.serve.macros import MACROS
from tests.support.lakes import example_lake, workspace


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> DuckDBCatalog:
    """The catalog of a lake with calls."""
    folder = tmp_path_factory.mktemp("full")
    example_lake(folder)
    return workspace(folder).catalog


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> DuckDBCatalog:
    """The catalog of a lake without a call."""
    opened = workspace(tmp_path_factory.mktemp("empty"))
    opened.catalog.make(state.Manifest())
    return opened.catalog


def ask(path: Path, sql: str) -> list[tuple]:
    with open_catalog(path) as connection:
        return connection.execute(sql).fetchall()


COMMENTS = "SELECT function_name, comment FROM duckdb_functions() WHERE database_name = 'chorus'"


def test_every_macro_says_what_it_is_for_and_shows_an_example(empty):
    expected = {macro.name: f"{macro.description} Example: {macro.example}" for macro in MACROS}
    assert dict(ask(empty.path, COMMENTS)) == expected


@pytest.mark.matrix(quick=4)
@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_the_example_of_a_macro_runs(macro, full, empty):
    assert f"{macro.name}(" in macro.example
    ask(full.path, macro.example)
    ask(empty.path, macro.example)


def test_a_catalog_to_hand_out_has_the_macros_that_need_no_calls(full, tmp_path):
    target = tmp_path / "metrics.duckdb"
    full.export_marts(state.Manifest(), target)
    names = {name for name, _ in ask(target, COMMENTS.replace("chorus", "metrics"))}
    assert names == {macro.name for macro in MACROS if not macro.reads_calls}
