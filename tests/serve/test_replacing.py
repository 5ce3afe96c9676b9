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
import pytest

from pipelines.errors import ChorusCallsError, SettingsError
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from tests.support.small_lake import SmallLake, at

MONDAY = date(2026, 1, 5)
TUESDAY = date(2026, 1, 6)


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path / "lake")


def made(lake: SmallLake) -> DuckDBCatalog:
    catalog = DuckDBCatalog(Path(lake.storage.address(layout.CATALOG)), lake.storage)
    catalog.make(lake.manifest)
    return catalog


def ask(catalog: DuckDBCatalog, sql: str) -> list[tuple]:
    with open_catalog(catalog.path) as connection:
        return connection.execute(sql).fetchall()


def calls(*call_ids: str) -> dict[str, list[dict[str, str]]]:
    return {"calls": [{"call_id": call_id} for call_id in call_ids]}


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
