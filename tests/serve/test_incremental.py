"""A catalog made from the one before it equals one rebuilt from the files, whatever happened to either."""

from __future__ import annotations

import random
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.serve import incremental
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from tests.support.small_lake import SmallLake

DAYS = [date(2026, 1, 5) + timedelta(days=number) for number in range(6)]
AGENTS = (None, "", "agent", "b", "Ägent")


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path / "lake")


def catalog_of(lake: SmallLake, path: Path | None = None, currency: str = "") -> DuckDBCatalog:
    return DuckDBCatalog(path or Path(lake.storage.address(layout.CATALOG)), lake.storage, currency=currency)


def all_of(path: Path) -> dict[str, Any]:
    """Everything in a catalog but the moment at which it was made: rows in their order, statements and comments."""
    with open_catalog(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        ask = lambda sql: connection.execute(sql).fetchall()  # noqa: E731
        names = ask("SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() "
                    "WHERE NOT internal")  # fmt: skip
        found: dict[str, Any] = {name: ask(f'FROM "{name}"') for (name,) in names if name != "_lake"}
        found["_lake"] = ask("SELECT * EXCLUDE (made_at) FROM _lake")
        found["statements"] = ask(
            "SELECT table_name, sql, comment FROM duckdb_tables() UNION ALL "
            "SELECT view_name, sql, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
        )
        columns = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
        found["columns"] = ask(f"{columns} ORDER BY ALL")
        return found


def assert_same_as_rebuilt(catalog: DuckDBCatalog, lake: SmallLake, beside: Path) -> None:
    rebuilt = catalog_of(lake, beside / "rebuilt.duckdb")
    rebuilt.rebuild(lake.manifest)
    assert all_of(catalog.path) == all_of(rebuilt.path)


def rows(chance: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Return a few rows of marts, in the order of their keys, and of calls."""
    agents = [agent for agent in AGENTS if chance.random() < 0.7]
    daily = [{"agent_id": agent, "calls": chance.randrange(9), "cost": chance.random()} for agent in agents]
    hours = [
        {"agent_id": None, "local_hour": hour, "calls": chance.randrange(9)} for hour in range(chance.randrange(4))
    ]
    calls = [{"call_id": f"c{number}"} for number in range(chance.randrange(3))]
    return {"calls": calls, "call_metrics_daily": daily, "call_volume_hourly": hours}


class History:
    """What may happen to a lake and its catalog between two makings; each step is drawn by name."""

    def __init__(self, lake: SmallLake, catalog: DuckDBCatalog, beside: Path, seed: int) -> None:
        self.lake, self.catalog, self.chance = lake, catalog, random.Random(seed)
        self.old = beside / "old.duckdb"
        self.published = 0
        self.foreign = SmallLake(beside / "foreign")

    def publish(self, lake: SmallLake | None = None) -> None:
        self.published += 1
        day = self.chance.choice(DAYS)
        (lake or self.lake).publish(day, rows(self.chance), version=f"v{self.published}")

    def publish_files_without_a_column(self) -> None:
        day, known = self.chance.choice(sorted(self.lake.manifest.days.items()))
        for table in ("transfer_legs", "call_metrics_daily"):
            path = Path(self.lake.storage.address(layout.table_file(day, known.version, table)))
            older = pq.read_table(path)
            path.unlink()
            pq.write_table(older.drop_columns([name for name in ("cost",) if name in older.column_names]), path)
        self._replace_day(day)

    def _replace_day(self, day: date) -> None:
        kept = state.load_manifest(self.lake.storage)
        known = kept.value.days[day]
        kept.value.days[day] = state.PublishedDay(known.version, state.now(), known.rows, known.bytes)
        state.commit(self.lake.storage, kept)

    def remove_a_day(self) -> None:
        kept = state.load_manifest(self.lake.storage)
        if kept.value.days:
            del kept.value.days[self.chance.choice(sorted(kept.value.days))]
            state.commit(self.lake.storage, kept)

    def lose_the_catalog(self) -> None:
        self.catalog.path.unlink()

    def damage_the_catalog(self) -> None:
        whole = self.catalog.path.read_bytes()
        self.catalog.path.write_bytes(whole[: self.chance.randrange(len(whole))])

    def keep_the_catalog(self) -> None:
        shutil.copyfile(self.catalog.path, self.old)

    def bring_an_old_catalog_back(self) -> None:
        if self.old.exists():
            shutil.copyfile(self.old, self.catalog.path)

    def take_rows_away(self) -> None:
        self._edit("DELETE FROM call_metrics_daily WHERE agent_id = 'agent'")

    def put_rows_of_an_unknown_day(self) -> None:
        self._edit("INSERT INTO call_volume_hourly (call_date, calls) VALUES (DATE '2020-01-01', 1)")

    def drop_a_mart(self) -> None:
        self._edit("DROP TABLE transfer_metrics_daily")

    def _edit(self, sql: str) -> None:
        with duckdb.connect(str(self.catalog.path)) as connection:
            connection.execute(sql)

    def take_another_lakes_catalog(self) -> None:
        self.publish(self.foreign)
        catalog_of(self.foreign, self.catalog.path).rebuild(self.foreign.manifest)

    def take_one_of_another_currency(self) -> None:
        catalog_of(self.lake, self.catalog.path, currency="EUR").make(self.lake.manifest)

    def take_one_to_hand_out(self) -> None:
        self.catalog.path.unlink()
        self.catalog.export_marts(self.lake.manifest, self.catalog.path)


STEPS = [name for name, step in vars(History).items() if callable(step) and not name.startswith("_")]


@pytest.mark.slow
def test_a_history_of_catalogs(lake, tmp_path):
    catalog = catalog_of(lake)
    catalog.make(lake.manifest)
    history = History(lake, catalog, tmp_path, seed=1)
    steps = [*STEPS, "publish"]
    history.chance.shuffle(steps)
    for step in ["publish", "publish", "publish_files_without_a_column", *steps]:
        getattr(history, step)()
        catalog.make(lake.manifest)
        assert_same_as_rebuilt(catalog, lake, tmp_path)


def test_only_days_that_changed_are_read(lake):
    chance = random.Random(3)
    for day in DAYS[:3]:
        lake.publish(day, rows(chance), version="v1")
    catalog = catalog_of(lake)
    catalog.make(lake.manifest)
    lake.storage.delete(layout.table_file(DAYS[0], "v1", "call_metrics_daily"))
    lake.publish(DAYS[1], rows(chance), version="v2")
    catalog.make(lake.manifest)
    shown = all_of_marts(catalog.path)
    assert catalog.generation() == 4
    assert {row[0] for row in shown} >= {DAYS[0], DAYS[2]}
    with pytest.raises(ChorusCallsError, match="call_metrics_daily"):
        catalog.rebuild(lake.manifest)
    assert all_of_marts(catalog.path) == shown


def all_of_marts(path: Path) -> list[tuple]:
    with open_catalog(path) as connection:
        return connection.execute("FROM call_metrics_daily").fetchall()


@pytest.mark.slow
def test_a_version_that_was_published_again_is_read_again(lake):
    catalog = catalog_of(lake)
    for calls in (1, 2):
        lake.publish(DAYS[0], {"call_metrics_daily": [{"calls": calls}]}, version="v1")
        catalog.make(lake.manifest)
    with open_catalog(catalog.path) as connection:
        assert connection.execute("SELECT calls FROM call_metrics_daily").fetchall() == [(2,)]


@pytest.mark.slow
def test_another_program_takes_nothing_over(lake, monkeypatch):
    lake.publish(DAYS[0], rows(random.Random(4)), version="v1")
    catalog = catalog_of(lake)
    catalog.make(lake.manifest)
    lake.storage.delete(layout.table_file(DAYS[0], "v1", "call_metrics_daily"))
    catalog.make(lake.manifest)
    monkeypatch.setattr(incremental, "__version__", "0.0.0")
    with pytest.raises(ChorusCallsError, match="call_metrics_daily"):
        catalog.make(lake.manifest)
