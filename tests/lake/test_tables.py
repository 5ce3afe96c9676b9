"""Table files: what of them lets a look-up by id leave out nearly all of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dictionary import CORE_TABLES
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.tables import write_table

DAY, VERSION = date(2026, 1, 5), "0" * 24
LOOKED_UP = [*((table, "call_id") for table in CORE_TABLES), ("transfer_legs", "leg_id")]
_PROBED = "SELECT bloom_filter_excludes FROM parquet_bloom_probe($1, $2, $3)"


def written(folder: Path, table: str, column: str, *parts: list[str]) -> Path:
    """Write a file with some ids, a row group each list; the other columns are null."""
    storage, schema = LocalStorage(folder), arrow_schema(table)
    with write_table(storage, DAY, VERSION, table) as writer:
        for part in parts:
            rows = [{column: value} for value in part]
            writer.write(pa.Table.from_pylist(rows, schema=schema))
    return Path(storage.address(layout.table_file(DAY, VERSION, table)))


def excluded(path: Path, column: str, value: str) -> list[bool]:
    """Say of each row group whether its filter leaves it out where the value is looked for."""
    return [left_out for (left_out,) in duckdb.execute(_PROBED, [str(path), column, value]).fetchall()]


@pytest.mark.parametrize(("table", "column"), LOOKED_UP)
def test_an_id_is_looked_for_only_where_it_can_be(tmp_path, table, column):
    ids = [[f"a{n}" for n in range(300)], [f"b{n}" for n in range(200) for _ in range(3)]]
    path = written(tmp_path, table, column, *ids)
    for group, values in enumerate(ids):
        assert not any(excluded(path, column, value)[group] for value in values[::20])
    in_vain = [not left_out for n in range(50) for left_out in excluded(path, column, f"c{n}")]
    assert len(in_vain) == 100
    assert sum(in_vain) < 10


def test_a_filter_is_as_large_as_its_ids_ask_for(tmp_path):
    sizes = [written(tmp_path / str(n), "data_issues", "call_id", ["a"] * n).stat().st_size for n in (1, 5_000)]
    assert sizes[1] - sizes[0] < 500


def test_a_file_without_rows_has_the_columns(tmp_path):
    path = written(tmp_path, "calls", "call_id")
    assert pq.read_table(path).schema.equals(arrow_schema("calls"), check_metadata=True)
    assert pq.read_metadata(path).num_rows == 0
