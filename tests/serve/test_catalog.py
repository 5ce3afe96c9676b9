"""The catalog: its tables and views, and how it is replaced under readers."""

from __future__ import annotations

import stat
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dictionary import CORE_TABLES, MARTS, TABLES
from pipelines.errors import ChorusCallsError, SettingsError
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from tests.support.small_lake import SmallLake, at

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
def test_the_currency_is_shown_with_money_in_comments_and_dictionary_tables(lake):
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


@pytest.mark.slow
def test_the_catalog_answers_from_any_folder_and_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = SmallLake(Path("lake"))
    relative.publish(MONDAY, calls("c1", "c2"))
    catalog = DuckDBCatalog(Path("lake/chorus.duckdb"), relative.storage)
    catalog.make(relative.manifest)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql('SELECT count(*) FROM calls'))"
    path = str(tmp_path / "lake" / "chorus.duckdb")
    done = subprocess.run([sys.executable, "-c", code, path], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert "2" in done.stdout


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("odd", ["Bob's [1] *lake", "two\nlines"])
def test_a_lake_below_a_folder_with_an_odd_name_is_read(tmp_path, odd):
    lake = SmallLake(tmp_path / odd / "env=prod")
    lake.publish(MONDAY, calls("c1"))
    lake.publish(TUESDAY, calls("c2"))
    lake.scans({"started_at": at("2026-01-05 10:00"), "mode": "full", "complete": True})
    catalog = made(lake)
    assert ask(catalog, "SELECT call_date, call_id FROM calls ORDER BY ALL") == [(MONDAY, "c1"), (TUESDAY, "c2")]
    assert ask(catalog, "SELECT last_full_scan_complete FROM data_freshness") == [(True,)]


def test_a_lake_whose_path_would_change_a_column_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"CHORUS_LAKE.*provider=twilio"):
        DuckDBCatalog(tmp_path / "c.duckdb", LocalStorage(tmp_path / "provider=twilio" / "lake"))


@pytest.mark.slow
def test_who_has_the_old_catalog_open_keeps_it_and_newcomers_get_the_new_one(lake):
    lake.publish(MONDAY, calls("c1"))
    catalog = made(lake)
    with duckdb.connect(str(catalog.path), read_only=True) as held:
        assert held.execute("SELECT count(*) FROM calls").fetchall() == [(1,)]
        lake.publish(MONDAY, calls("c1", "c2"), version="v2")
        catalog.make(lake.manifest)
        assert held.execute("SELECT count(*) FROM calls").fetchall() == [(1,)]
        assert ask(catalog, "SELECT count(*) FROM calls") == [(2,)]
        assert catalog.generation() == 2
    with duckdb.connect(str(catalog.path), read_only=True) as reopened:
        assert reopened.execute("SELECT count(*) FROM calls").fetchall() == [(2,)]


@pytest.mark.slow
def test_readers_never_see_days_of_different_states(lake):
    def publish(generation: int) -> None:
        for day in (MONDAY, TUESDAY):
            mart = [{"calls": 1}] * generation
            lake.publish(
                day, {**calls(*map(str, range(generation))), "call_metrics_daily": mart}, version=f"v{generation}"
            )
        catalog.make(lake.manifest)

    def read() -> None:
        while not done.is_set():
            query = "SELECT (SELECT count(*) FROM calls WHERE call_date = $1), (SELECT count(*) FROM call_metrics_daily"
            query += " WHERE call_date = $2), (SELECT generation FROM _lake)"
            with open_catalog(catalog.path) as connection:
                seen.append(connection.execute(query, [MONDAY, TUESDAY]).fetchone())

    catalog = made(lake)
    publish(1)
    done, seen = threading.Event(), []
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        for generation in range(2, 6):
            publish(generation)
        done.set()
        reader.result()
    assert seen
    assert [state for state in seen if state != (state[0], state[0], 2 * state[0])] == []


@pytest.mark.slow
def test_a_process_that_forgot_read_only_does_not_stop_the_next_catalog(lake):
    catalog = made(lake)
    code = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(catalog.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"open\n"
        assert catalog.generation() is None  # locked, so unknown: it will be made
        lake.publish(MONDAY, calls("c1"))
        catalog.make(lake.manifest)
        assert ask(catalog, "SELECT call_id FROM calls") == [("c1",)]
        holder.stdin.close()


def test_the_generation_is_that_of_the_manifest(lake):
    catalog = DuckDBCatalog(Path(lake.storage.address(layout.CATALOG)), lake.storage)
    assert catalog.generation() is None
    catalog.make(lake.manifest)
    assert catalog.generation() == 0
    lake.publish(MONDAY, calls("c1"))
    assert catalog.generation() == 0
    catalog.make(lake.manifest)
    assert catalog.generation() == 1
    catalog.path.write_bytes(b"no database")
    assert catalog.generation() is None


@pytest.mark.slow
def test_a_failed_making_leaves_the_catalog_as_it_was_and_nothing_beside_it(lake):
    lake.publish(MONDAY, calls("c1"))
    catalog = made(lake)
    lake.publish(TUESDAY, calls("c2"))
    lake.storage.delete(layout.table_file(TUESDAY, lake.manifest.days[TUESDAY].version, "call_metrics_daily"))
    with pytest.raises(ChorusCallsError, match="could not be written"):
        catalog.make(lake.manifest)
    assert catalog.generation() == 1
    assert ask(catalog, "SELECT call_id FROM calls") == [("c1",)]
    assert [file.name for file in catalog.path.parent.iterdir() if "duckdb" in file.name] == ["chorus.duckdb"]


def test_what_a_killed_process_left_is_removed(lake):
    folder = Path(lake.storage.address())
    left, other = folder / ".chorus.duckdb.0123.tmp", folder / ".other.duckdb.0123.tmp"
    for unfinished in (left, other):
        unfinished.mkdir()
        for name in ("chorus.duckdb", "chorus.duckdb.wal"):
            (unfinished / name).write_bytes(b"half")
    made(lake)
    assert not left.exists()
    assert other.exists()  # of another catalog


@pytest.mark.slow
def test_settling_removes_it_too_though_the_catalog_is_up_to_date(lake):
    lake.publish(MONDAY, calls("c1"))
    catalog = made(lake)
    reconcile(lake.storage, catalog, timedelta(days=1))
    left = catalog.path.with_name(".chorus.duckdb.0123.tmp")
    left.mkdir()
    file = catalog.path.stat().st_ino
    reconcile(lake.storage, catalog, timedelta(days=1))
    assert not left.exists()
    assert catalog.path.stat().st_ino == file


def test_the_file_is_private_and_in_the_format_that_duckdb_1_2_reads(lake):
    lake.publish(MONDAY, {"call_metrics_daily": [{"agent_id": "a", "calls": 3}]})
    catalog = made(lake)
    assert stat.S_IMODE(catalog.path.stat().st_mode) == 0o640
    with catalog.path.open("rb") as file:
        magic, version = struct.unpack("<8x4sQ", file.read(20))
    # DuckDB's own numbering: 64 is read by 1.0 and 1.1, 65 by 1.2; newer formats have higher numbers.
    assert magic == b"DUCK"
    assert version <= 65
