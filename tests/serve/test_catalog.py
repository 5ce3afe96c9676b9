from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dictionary import CORE_TABLES, MARTS, TABLES
from pipelines.lake import layout
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from tests.support.small_lake import SmallLake

MONDAY = date(2026, 1, 5)
TUESDAY = date(2026, 1, 6)
HELPERS = {"dim_date", "agents", "phone_numbers", "data_freshness", "_tables", "_columns", "_lake", "_days"}


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path / "lake")


def made(lake: SmallLake, currency: str = "") -> DuckDBCatalog:
    catalog = DuckDBCatalog(Path(lake.storage.address(layout.CATALOG)), lake.storage, currency=currency)
    catalog.make(lake.manifest)
    return catalog


def ask(catalog: DuckDBCatalog, sql: str) -> list[tuple]:
    with open_catalog(catalog.path) as connection:
        return connection.execute(sql).fetchall()


def calls(*call_ids: str) -> dict[str, list[dict[str, str]]]:
    return {"calls": [{"call_id": call_id} for call_id in call_ids]}


@pytest.mark.slow
def test_an_empty_lake_has_every_table_and_view_with_their_columns_and_no_rows(lake):
    catalog = made(lake)
    types = {"text": "VARCHAR", "int64": "BIGINT", "float64": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}
    types |= {"timestamp (UTC)": "TIMESTAMP WITH TIME ZONE", "timestamp (local)": "TIMESTAMP"}
    for name, table in TABLES.items():
        described = [(row[0], row[1]) for row in ask(catalog, f"DESCRIBE {name}")]
        assert described == [(column.name, types[str(column.type)]) for column in table.all_columns], name
        assert ask(catalog, f"FROM {name}") == []
    assert ask(catalog, "FROM dim_date") == []
    assert ask(catalog, "SELECT published_days, stale_days, newest_call_at, last_scan_at FROM data_freshness") == [
        (0, 0, None, None)
    ]


@pytest.mark.slow
def test_big_tables_are_views_and_marts_are_tables_that_need_no_file(lake):
    lake.publish(MONDAY, {"call_metrics_daily": [{"agent_id": "a", "calls": 3}], **calls("c1")})
    lake.publish(TUESDAY, {"call_metrics_daily": [{"agent_id": "a", "calls": 4}]})
    catalog = made(lake)
    views = {name for (name,) in ask(catalog, "SELECT view_name FROM duckdb_views() WHERE NOT internal")}
    assert views == {*CORE_TABLES, "data_freshness"}
    tables = {name for (name,) in ask(catalog, "SELECT table_name FROM duckdb_tables()")}
    assert tables == {*MARTS, *HELPERS} - {"data_freshness"}
    for file in lake.storage.list("days"):
        lake.storage.delete(file.path)
    rows = ask(catalog, "SELECT call_date, agent_id, calls, cost FROM call_metrics_daily ORDER BY call_date")
    assert rows == [(MONDAY, "a", 3, None), (TUESDAY, "a", 4, None)]


@pytest.mark.slow
def test_everything_carries_the_comment_of_the_dictionary(lake):
    lake.publish(MONDAY, calls("c1"))
    catalog = made(lake)
    for name in TABLES:
        kind = "view" if name in CORE_TABLES else "table"
        assert ask(catalog, f"SELECT comment FROM duckdb_{kind}s() WHERE {kind}_name = '{name}'") == [
            (TABLES[name].comment,)
        ]
        found = ask(catalog, f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = '{name}'")
        assert dict(found) == {column.name: column.comment for column in TABLES[name].all_columns}
    without = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL"
    assert ask(catalog, without) == []
    helpers = ask(catalog, "SELECT table_name FROM duckdb_tables() WHERE comment IS NULL")
    views = ask(catalog, "SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL")
    assert (helpers, views) == ([], [])


@pytest.mark.slow
def test_the_currency_stands_beside_money_in_comments_and_dictionary_tables(lake):
    catalog = made(lake, currency="EUR")
    columns = "table_name = 'calls' AND column_name IN ('cost', 'cost_per_minute', 'duration_seconds')"
    found = ask(catalog, f"SELECT column_name, unit FROM _columns WHERE {columns} ORDER BY ALL")
    assert found == [
        ("cost", "money (EUR)"),
        ("cost_per_minute", "money per minute (EUR)"),
        ("duration_seconds", "seconds"),
    ]
    [(comment,)] = ask(
        catalog, "SELECT comment FROM duckdb_columns() WHERE table_name = 'calls' AND column_name = 'cost'"
    )
    assert "Unit: money (EUR)." in comment


@pytest.mark.slow
def test_tables_and_columns_of_the_catalog_are_described_in_it(lake):
    catalog = made(lake)
    described = ask(catalog, "SELECT table_name, column_name FROM _columns ORDER BY table_name, position")
    actual = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index"
    assert described == ask(catalog, actual)
    kinds = dict(ask(catalog, "SELECT table_name, kind FROM _tables"))
    expected = dict.fromkeys(CORE_TABLES, "core") | dict.fromkeys(MARTS, "mart") | dict.fromkeys(HELPERS, "helper")
    assert kinds == expected
    assert ask(catalog, "SELECT key FROM _tables WHERE table_name = 'call_attributes'") == [("call_id, source, key",)]


def test_views_read_exactly_the_published_files(lake):
    lake.publish(MONDAY, calls("old1", "old2"), version="v1")
    lake.publish(MONDAY, calls("new1"), version="v2")
    lake.write(MONDAY, "v3", calls("not", "published"))
    lake.write(TUESDAY, "v1", calls("not yet"))
    catalog = made(lake)
    assert ask(catalog, "SELECT call_date, call_id FROM calls") == [(MONDAY, "new1")]
    lake.publish(TUESDAY, calls("now"), version="v1")
    assert ask(catalog, "SELECT count(*) FROM calls") == [(1,)]
    catalog.make(lake.manifest)
    assert ask(catalog, "SELECT call_id FROM calls ORDER BY call_date") == [("new1",), ("now",)]


@pytest.mark.slow
def test_a_day_that_an_older_program_wrote_lacks_a_column_and_shows_null(lake):
    lake.publish(
        MONDAY, {"calls": [{"call_id": "old", "cost": 1.0}], "call_metrics_daily": [{"calls": 1, "cost": 1.0}]}
    )
    lake.publish(
        TUESDAY, {"calls": [{"call_id": "new", "cost": 2.0}], "call_metrics_daily": [{"calls": 1, "cost": 2.0}]}
    )
    for day, table in ((MONDAY, "calls"), (MONDAY, "call_metrics_daily")):
        path = Path(lake.storage.address(layout.table_file(day, lake.manifest.days[day].version, table)))
        older: pa.Table = pq.read_table(path).drop_columns(["cost"]).append_column("gone", pa.array([1]))
        path.unlink()
        pq.write_table(older, path)
    catalog = made(lake)
    assert ask(catalog, "SELECT call_date, call_id, cost FROM calls ORDER BY call_date") == [
        (MONDAY, "old", None),
        (TUESDAY, "new", 2.0),
    ]
    assert ask(catalog, "SELECT sum(calls), sum(cost) FROM call_metrics_daily") == [(2, 2.0)]
    assert "gone" not in [row[0] for row in ask(catalog, "DESCRIBE calls")]
