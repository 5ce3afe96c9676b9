"""The readers' guide keeps its word: its functions read what the catalog says, and never two files as one."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars import selectors
from polars.testing import assert_frame_equal

from pipelines.dictionary import TABLES
from pipelines.serve.catalog import open_catalog
from tests.support.guide import GUIDE, blocks, functions_of_the_guide
from tests.support.lakes import example_lake

CALLS = "calls/call_date=*/data.parquet"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder in which `data/lake` is a small published lake."""
    path = tmp_path_factory.mktemp("guide")
    example_lake(path / "data/lake")
    return path


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The one file of a table, in the folder where programs run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data/lake" / CALLS.replace("*", "2026-03-04")
    path.parent.mkdir(parents=True)
    pl.DataFrame({"call_id": ["old", "older"]}).write_parquet(path)
    return path


def replace(file: Path, *call_ids: str) -> None:
    other = file.with_name("other")
    pl.DataFrame({"call_id": call_ids}).write_parquet(other)
    other.replace(file)


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize(
    "program", [text for text in blocks(GUIDE, "python") if re.search("^def ", text, re.MULTILINE)]
)
def test_programs_of_the_guide_that_define_functions_run_alone(published, program, monkeypatch):
    monkeypatch.chdir(published)
    exec(compile(program, "docs/lake.md", "exec"), {"__name__": "example"})


def test_the_guide_answers_what_the_catalog_says(published, monkeypatch):
    monkeypatch.chdir(published)
    guide = functions_of_the_guide()
    manifest = json.loads(Path("data/lake/manifest.json").read_text())
    with open_catalog(published / "data/lake/chorus.duckdb") as catalog:
        assert len(manifest["days"]) > 1
        for table in TABLES:
            rows = in_utc(catalog.sql(f"FROM {table}"))
            for found in (
                pl.scan_parquet(guide["files"](manifest, table), hive_partitioning=True).collect(),
                pl.from_arrow(guide["open_days"](table).to_table()),
                guide["unchanged"](f"{table}/call_date=*/data.parquet", lambda table=table: by_glob(table)),
            ):
                assert_frame_equal(found, rows, check_row_order=False, check_column_order=False)


def by_glob(table: str) -> pl.DataFrame:
    with duckdb.connect() as connection:
        return in_utc(connection.sql(f"FROM 'data/lake/{table}/call_date=*/data.parquet'"))


def in_utc(rows: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """Return rows with their times in UTC under that name: DuckDB gives them in the zone of the machine."""
    return rows.pl().with_columns(selectors.datetime(time_zone="*").dt.convert_time_zone("UTC"))


def test_a_data_set_of_open_files_stays_what_it_was(file):
    calls = functions_of_the_guide()["open_days"]("calls")
    replace(file, "new")
    file.unlink()
    wanted = {"call_id": ["old", "older"], "call_date": [date(2026, 3, 4)] * 2}
    assert calls.to_table().to_pydict() == wanted
    assert pl.scan_pyarrow_dataset(calls).collect().to_dict(as_series=False) == wanted
    assert duckdb.sql("FROM calls").pl().to_dict(as_series=False) == wanted


def test_looking_again_reads_until_nothing_was_replaced_meanwhile(file):
    tries = []

    def read():
        tries.append(len(tries))
        if tries[-1] < 2:
            replace(file, str(tries[-1]))
        if tries[-1] == 0:
            raise duckdb.IOException
        return tries[-1]

    assert functions_of_the_guide()["unchanged"](CALLS, read) == 2


def test_looking_again_does_not_hide_what_stays_wrong(file):
    def read():
        return duckdb.sql(f"SELECT no_such_column FROM '{file}'").fetchall()

    with pytest.raises(duckdb.BinderException):
        functions_of_the_guide()["unchanged"](CALLS, read)
