"""Names beside ids: one row for each id, so that a left join neither loses nor doubles a call."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.lake import layout, state
from pipelines.lake.maintenance.reconcile import Reconciled, reconcile
from pipelines.lake.names import KnownNames, Names, load_names
from pipelines.lake.publish import update_links
from pipelines.lake.versions import write_audit
from tests.support.guide import ROOT, blocks
from tests.support.name_lists import catalog_of, dimension
from tests.support.small_lake import SmallLake

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 1, 5) + timedelta(days=number) for number in range(3))
A_DAY = timedelta(days=1)
ODD = 'Robert\'); DROP TABLE agents;-- "the" \\ one'


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path / "lake")


def name(lake: SmallLake, agents: dict[str, str], numbers: dict[str, str] | None = None) -> None:
    kept = load_names(lake.storage)
    kept.value = Names(agents=KnownNames(agents), phone_numbers=KnownNames({}, numbers or {}))
    state.commit(lake.storage, kept)


def mart(agent: str | None, calls: int = 1, number: str | None = None) -> dict[str, object]:
    return {"agent_id": agent, "phone_number_id": number, "calls": calls}


def publish(lake: SmallLake, day: date, **tables: list[dict[str, object]]) -> None:
    """Publish a day with all that a build leaves, and put it in its place for plain globs."""
    write_audit(lake.storage, day, lake.publish(day, tables), 1, [])
    update_links(lake.storage, lake.manifest, [day])


def ask(lake: SmallLake, sql: str, path: Path | None = None) -> list[tuple]:
    with duckdb.connect(path or catalog_of(lake.storage).path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def made(lake: SmallLake) -> None:
    catalog_of(lake.storage).make(lake.manifest)


def test_there_is_a_row_for_each_id_of_a_mart_or_with_a_name(lake):
    name(lake, {"called": "Nora", "idle": ODD}, {"p1": "Main"})
    publish(lake, TUESDAY, call_metrics_daily=[mart("called", number="p1"), mart("nameless"), mart(None), mart("")])
    publish(lake, MONDAY, call_metrics_daily=[mart("called"), mart("called", number="p2")])
    publish(lake, WEDNESDAY, transfer_metrics_daily=[{"agent_id": "called", "legs": 1}, {"agent_id": "child"}])
    made(lake)
    assert dimension(catalog_of(lake.storage)) == [
        ("", None, TUESDAY, TUESDAY),
        ("called", "Nora", MONDAY, WEDNESDAY),
        ("child", None, WEDNESDAY, WEDNESDAY),
        ("idle", ODD, None, None),
        ("nameless", None, TUESDAY, TUESDAY),
    ]
    assert dimension(catalog_of(lake.storage), "phone_numbers") == [
        ("p1", "Main", TUESDAY, TUESDAY),
        ("p2", None, MONDAY, MONDAY),
    ]


def test_the_joins_of_the_guide_neither_lose_nor_double_a_call(lake):
    name(lake, {"a": "Nora", "b": "Nora"})
    rows = [mart("a", 3), mart("b", 5), mart("stranger", 7), mart(None, 11)]
    publish(lake, MONDAY, call_metrics_daily=rows)
    made(lake)
    [join] = [sql for sql in blocks(ROOT / "docs/lake.md", "sql") if "LEFT JOIN agents" in sql]
    assert sorted(ask(lake, join), key=lambda row: row[1]) == [
        ("Nora", 3, None),
        ("Nora", 5, None),
        ("stranger", 7, None),
        ("no agent", 11, None),
    ]


@pytest.mark.slow
def test_changed_names_are_shown_though_no_day_was_published(lake):
    publish(lake, MONDAY, call_metrics_daily=[mart("a", 3)])
    name(lake, {"a": "Nora"})
    catalog = catalog_of(lake.storage)
    assert reconcile(lake.storage, catalog, A_DAY).catalog_made
    for shown in ("Nora Two", "Nora Three"):
        name(lake, {"a": shown})
        assert reconcile(lake.storage, catalog, A_DAY) == Reconciled(catalog_made=True)
        assert dimension(catalog) == [("a", shown, MONDAY, MONDAY)]
        assert ask(lake, "SELECT calls FROM call_metrics_daily") == [(3,)]
        assert reconcile(lake.storage, catalog, A_DAY) == Reconciled()
    assert catalog.generation() == lake.manifest.generation == 1


@pytest.mark.slow
def test_names_make_no_replaced_version_wait_longer(lake):
    publish(lake, MONDAY)
    catalog = catalog_of(lake.storage)
    made(lake)
    kept = state.load_manifest(lake.storage)
    kept.value.unreferenced = {layout.version_folder(MONDAY, "older"): state.now() - timedelta(hours=5)}
    state.commit(lake.storage, kept)
    before = lake.manifest
    name(lake, {"a": "Nora"})
    assert reconcile(lake.storage, catalog, A_DAY).catalog_made
    assert lake.manifest == before


@pytest.mark.slow
def test_where_the_manifest_was_lost_names_empty_no_catalog(lake):
    publish(lake, MONDAY, call_metrics_daily=[mart("a", 3)])
    made(lake)
    lake.storage.delete(layout.MANIFEST)
    name(lake, {"a": "Nora"})
    assert not reconcile(lake.storage, catalog_of(lake.storage), A_DAY).catalog_made
    assert ask(lake, "SELECT calls FROM call_metrics_daily") == [(3,)]


@pytest.mark.slow
def test_a_catalog_that_an_older_program_made_gets_the_tables(lake):
    publish(lake, MONDAY, call_metrics_daily=[mart("a")])
    made(lake)
    catalog = catalog_of(lake.storage)
    with duckdb.connect(catalog.path) as connection:
        connection.execute("DROP TABLE agents")
        connection.execute("ALTER TABLE _lake DROP names")
    assert catalog.shown() == (1, None)
    assert reconcile(lake.storage, catalog, A_DAY).catalog_made
    assert dimension(catalog) == [("a", None, MONDAY, MONDAY)]


@pytest.mark.slow
def test_names_that_cannot_be_read_leave_ids(lake):
    publish(lake, MONDAY, call_metrics_daily=[mart("a")])
    with lake.storage.create(layout.NAMES) as stream:
        stream.write(b"{")
    assert reconcile(lake.storage, catalog_of(lake.storage), A_DAY).catalog_made
    assert reconcile(lake.storage, catalog_of(lake.storage), A_DAY) == Reconciled()
    assert dimension(catalog_of(lake.storage)) == [("a", None, MONDAY, MONDAY)]


def test_a_catalog_to_hand_out_has_the_names(lake, tmp_path):
    name(lake, {"a": "Nora"}, {"p1": "Main"})
    publish(lake, MONDAY, call_metrics_daily=[mart("a")])
    target = tmp_path / "metrics.duckdb"
    catalog_of(lake.storage).export_marts(lake.manifest, target)
    assert ask(lake, "FROM agents", target) == [("a", "Nora", MONDAY, MONDAY)]
    assert ask(lake, "SELECT name FROM phone_numbers", target) == [("Main",)]


@pytest.mark.slow
def test_an_empty_lake_has_the_tables_without_rows(lake):
    made(lake)
    for table in ("agents", "phone_numbers"):
        assert dimension(catalog_of(lake.storage), table) == []
        assert [row[:2] for row in ask(lake, f"DESCRIBE {table}")] == [
            ("id", "VARCHAR"),
            ("name", "VARCHAR"),
            ("first_seen", "DATE"),
            ("last_seen", "DATE"),
        ]


@pytest.mark.slow
def test_very_many_names_of_any_kind_are_one_row_each(lake):
    names = {f"id-{number}": chr(0x20 + number % 0x2000) * 200 for number in range(3_000)}
    name(lake, names)
    made(lake)
    assert {row[0]: row[1] for row in dimension(catalog_of(lake.storage))} == names
