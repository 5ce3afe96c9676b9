"""What the catalog says of the lake beside its tables, and the class of personal data of each column."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dictionary import MARTS, RATIOS, Personal
from pipelines.extract.scan.state import Ending
from pipelines.extract.scan_report import ScanReport, record_scan
from pipelines.lake import layout
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from tests.oracle.marts import ratio_parts
from tests.support.small_lake import SmallLake, at

DAY = date(2026, 12, 31)


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path / "lake")


def made(lake: SmallLake) -> DuckDBCatalog:
    catalog = DuckDBCatalog(Path(lake.storage.address(layout.CATALOG)), lake.storage, currency="USD")
    catalog.make(lake.manifest)
    return catalog


def ask(path: Path, sql: str) -> list[tuple]:
    with open_catalog(path) as connection:
        return connection.execute(sql).fetchall()


def freshness(catalog: DuckDBCatalog) -> dict[str, object]:
    with open_catalog(catalog.path) as connection:
        row = connection.execute("FROM data_freshness").fetchone()
        return dict(zip([column[0] for column in connection.description], row, strict=True))


def test_the_macros_of_ratios_give_what_a_hand_gives(lake):
    expected = {
        "cost_per_minute(3, 90)": 2.0,
        "average_duration_seconds(100, 8)": 12.5,
        "connect_rate(3, 4)": 0.75,
        "completion_rate(1, 8)": 0.125,
        "transfer_rate(1, 3)": 1 / 3,
        "transfer_rate_all(1, 5)": 0.2,
        "containment_rate(2, 4)": 0.5,
        "short_call_rate(0, 4)": 0.0,
        "agent_word_share(30, 10)": 0.75,
        "transfer_success_rate(3, 1)": 0.75,
        "average_leg_seconds(45, 2)": 22.5,
    }
    [row] = ask(made(lake).path, f"SELECT {', '.join(expected)}")
    assert row == pytest.approx(tuple(expected.values()))


def test_the_macro_of_each_ratio_is_its_promised_formula(lake):
    calls, expected = [], []
    for name in RATIOS:
        factor, numerator, denominator = ratio_parts(name)
        values = {part: 3 + 4 * place for place, part in enumerate(dict.fromkeys((numerator, *denominator)))}
        calls.append(f"{name}({', '.join(map(str, values.values()))})")
        expected.append(factor * values[numerator] / sum(values[part] for part in denominator))
    [row] = ask(made(lake).path, f"SELECT {', '.join(calls)}")
    assert row == pytest.approx(tuple(expected))


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("nothing", ["0", "0.0", "NULL"])
def test_every_ratio_is_null_where_there_is_nothing_to_divide_by(lake, nothing):
    calls = []
    for ratio in RATIOS.values():
        above = nothing if ratio.numerator in ratio.denominator else "5"
        calls.append(f"{ratio.name}({', '.join([above] + [nothing] * (len(ratio.components) - 1))})")
    assert ask(made(lake).path, f"SELECT {', '.join(calls)}") == [(None,) * len(RATIOS)]


@pytest.mark.slow
def test_macros_roll_marts_up_as_sum_over_sum_whatever_a_client_sets(lake):
    rows = [{"agent_id": "a", "cost_rated": 1.0, "seconds_rated": 60.0, "calls": 1, "connected_calls": 1}]
    rows += [{"agent_id": "b", "cost_rated": 9.0, "seconds_rated": 540.0, "calls": 3, "connected_calls": 0}]
    lake.publish(DAY, {"call_metrics_daily": rows})
    sums = "cost_per_minute(sum(cost_rated), sum(seconds_rated)), connect_rate(sum(connected_calls), sum(calls))"
    with open_catalog(made(lake).path) as connection:
        connection.execute("SET integer_division = true")
        assert connection.execute(f"SELECT {sums} FROM call_metrics_daily").fetchall() == [(1.0, 0.25)]


@pytest.mark.slow
def test_the_calendar_covers_the_whole_years_of_the_published_days(lake):
    lake.publish(date(2026, 3, 1), {})
    lake.publish(date(2027, 1, 1), {})
    path = made(lake).path
    span = ask(path, "SELECT min(date), max(date), count(*), count(DISTINCT date) FROM dim_date")
    assert span == [(date(2026, 1, 1), date(2027, 12, 31), 730, 730)]
    [row] = ask(path, "SELECT * EXCLUDE (date) FROM dim_date WHERE date = '2027-01-01'")
    starts = (date(2026, 12, 28), date(2027, 1, 1), date(2027, 1, 1))
    assert row == (2026, 53, 2027, 1, 1, "January", 5, "Friday", False, *starts)
    weekend = ask(path, "SELECT weekday, weekday_name FROM dim_date WHERE is_weekend GROUP BY ALL ORDER BY ALL")
    assert weekend == [(6, "Saturday"), (7, "Sunday")]


@pytest.mark.slow
def test_freshness_says_what_is_published(lake):
    lake.land(date(2026, 5, 1))
    lake.publish(date(2026, 5, 1), {"calls": [{"call_id": "a", "created_at": at("2026-05-01 23:00")}]})
    lake.land(DAY, rejected=2)
    calls = [{"call_id": "b", "created_at": at("2026-12-31 10:00"), "started_at": at("2026-12-31 23:30")}]
    lake.publish(DAY, {"calls": [*calls, {"call_id": "c", "started_at": at("2026-12-31 11:00")}]})
    tomorrow = date(2027, 1, 1)
    lake.land(tomorrow, calls=0, rejected=1)
    lake.publish(tomorrow, {})
    shown = freshness(made(lake))
    assert shown["newest_call_at"] == at("2026-12-31 11:00")
    assert (shown["published_days"], shown["landed_days"], shown["stale_days"]) == (3, 3, 0)
    assert (shown["first_published_day"], shown["last_published_day"]) == (date(2026, 5, 1), tomorrow)
    assert (shown["rejected_items"], shown["generation"], shown["oldest_stale_day"]) == (3, 3, None)
    assert shown["committed_at"] == lake.manifest.committed_at


@pytest.mark.slow
def test_freshness_sees_what_lands_after_the_catalog_was_made(lake):
    for day in (date(2026, 5, 1), date(2026, 5, 2), DAY):
        lake.land(day)
    for day in (date(2026, 5, 1), date(2026, 5, 2), DAY):
        lake.publish(day, {})
    catalog = made(lake)
    before = freshness(catalog)
    assert before["stale_days"] == 0
    lake.land(date(2026, 5, 1), rejected=4)  # and so the day after it, whose legs may nest in this day's calls
    lake.land(date(2027, 1, 1))
    after = freshness(catalog)
    assert (after["stale_days"], after["oldest_stale_day"]) == (3, date(2026, 5, 1))
    assert (after["landed_days"], after["published_days"], after["rejected_items"]) == (4, 3, 4)
    assert after["newest_landed_at"] > before["newest_landed_at"]


def test_a_day_that_newer_calls_had_landed_for_is_stale_from_the_start(lake):
    lake.land(DAY)
    lake.publish(DAY, {})
    lake.land(DAY)
    assert freshness(made(lake))["stale_days"] == 1


@pytest.mark.slow
def test_freshness_sees_scans_that_end_after_the_catalog_was_made(lake):
    catalog = made(lake)
    assert freshness(catalog)["last_scan_at"] is None
    first = {"started_at": at("2026-05-01 01:00"), "mode": "full", "complete": True}
    lake.scans(first)
    shown = freshness(catalog)
    assert (
        shown["last_complete_full_scan_at"]
        == shown["last_full_scan_at"]
        == shown["last_scan_at"]
        == first["started_at"]
    )
    second = {"started_at": at("2026-05-02 01:00"), "mode": "full", "complete": False}
    third = {"started_at": at("2026-05-02 03:00"), "mode": "incremental", "complete": True}
    lake.scans(third, first, second)
    shown = freshness(catalog)
    assert (shown["last_scan_at"], shown["last_scan_complete"]) == (third["started_at"], True)
    assert (shown["last_full_scan_at"], shown["last_full_scan_complete"]) == (second["started_at"], False)
    assert shown["last_complete_full_scan_at"] == first["started_at"]


def test_a_catalog_to_hand_out_needs_no_other_file_and_holds_no_text_of_calls(lake, tmp_path):
    lake.land(DAY)
    texts = {"calls": [{"call_id": "c", "summary": "secret summary"}], "data_issues": [{"raw_value": "secret value"}]}
    texts["transcript_turns"] = [{"call_id": "c", "content": "secret content"}]
    lake.publish(DAY, {**texts, "call_metrics_daily": [{"agent_id": "a", "calls": 2, "connected_calls": 1}]})
    lake.scans({"started_at": at("2026-12-31 01:00"), "mode": "full", "complete": True})
    target = tmp_path / "out" / "metrics.duckdb"
    catalog = made(lake)
    catalog.export_marts(lake.manifest, target)
    shutil.rmtree(lake.storage.address())
    names = {name for (name,) in ask(target, "SELECT table_name FROM duckdb_tables()")}
    assert names == {
        *MARTS,
        "dim_date",
        "agents",
        "phone_numbers",
        "data_freshness",
        "_tables",
        "_columns",
        "_lake",
        "_days",
    }
    assert ask(target, "SELECT count(*) FROM duckdb_views() WHERE NOT internal") == [(0,)]
    content = [Personal.FREE_TEXT, Personal.DIRECT, Personal.RECORDING]
    assert ask(target, f"SELECT * FROM _columns WHERE personal IN {tuple(map(str, content))}") == []
    assert b"secret" not in target.read_bytes()
    assert ask(target, "SELECT connect_rate(sum(connected_calls), sum(calls)) FROM call_metrics_daily") == [(0.5,)]
    assert ask(target, "SELECT published_days, stale_days, last_full_scan_complete FROM data_freshness") == [
        (1, 0, True)
    ]
    assert ask(target, "SELECT count(*) FROM dim_date") == [(365,)]


@pytest.mark.slow
def test_a_catalog_to_hand_out_replaces_another_and_nothing_else(lake, tmp_path):
    catalog = made(lake)
    target = tmp_path / "metrics.duckdb"
    catalog.export_marts(lake.manifest, target)
    lake.publish(DAY, {})
    catalog.export_marts(lake.manifest, target)
    assert ask(target, "SELECT generation FROM _lake") == [(1,)]
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    for file in (precious, catalog.path):
        with pytest.raises(FileExistsError):
            catalog.export_marts(lake.manifest, file)
    assert precious.read_text() == "mine"
    assert ask(catalog.path, "SELECT count(*) FROM calls") == [(0,)]


@pytest.mark.slow
def test_freshness_says_what_the_last_full_scan_marked_also_beside_a_record_that_knew_nothing_of_it(lake):
    lake.scans({"started_at": at("2026-05-01 01:00"), "mode": "full", "complete": True})
    with lake.storage.create("state/no_scans.parquet") as stream:  # as an earlier version has left it
        pq.write_table(pa.schema([("started_at", pa.timestamp("us", "UTC"))]).empty_table(), stream)
    catalog = made(lake)
    assert freshness(catalog)["last_full_scan_calls_deleted"] is None
    report = ScanReport("full", at("2026-05-02 01:00"), ending=Ending.END, calls_deleted=3, calls_moved=1)
    record_scan(lake.storage, replace(report, finished_at=at("2026-05-02 01:05")))
    record_scan(lake.storage, ScanReport("incremental", at("2026-05-03 01:00")))
    shown = freshness(catalog)
    assert (shown["last_full_scan_calls_deleted"], shown["last_full_scan_calls_moved"]) == (3, 1)


OF_THE_COMPANY = {
    *("organization_id", "agent_id", "phone_number_id", "provider", "direction", "id", "name"),
    *("key", "path"),  # what the company calls the data that its agents collect
}
OF_A_CALL = {
    *("status", "outcome", "ended_reason", "transfer_type", "transfer_status", "transfer_outcome"),
    *("role", "speaker", "source", "value_type", "kind", "message"),
}
OF_THE_LAKE = {"version", "landed", "lacking", "currency", "signature", "names"}
OF_THE_DICTIONARY = {
    *(
        "table_name",
        "column_name",
        "title",
        "description",
        "grain",
        "type",
        "unit",
        "formula",
        "additivity",
        "personal",
    ),
    *("month_name", "weekday_name"),
}
NOT_PERSONAL = OF_THE_COMPANY | OF_A_CALL | OF_THE_LAKE | OF_THE_DICTIONARY
"""Columns of text that reveal nothing about a customer. Before adding one: can it hold a number, a name, or words?"""
HANDED_OUT = {*MARTS, "dim_date", "agents", "phone_numbers", "data_freshness", "_tables", "_columns", "_lake", "_days"}


def columns(path):
    """Table, name, type and class of each column of a catalog, from what DuckDB and the dictionary in it say."""
    with open_catalog(path) as connection:
        return connection.execute(
            "SELECT real.table_name, real.column_name, real.data_type, known.personal FROM duckdb_columns() AS real "
            "LEFT JOIN _columns AS known USING (table_name, column_name) "
            "WHERE real.database_name = current_database() AND NOT real.internal"
        ).fetchall()


@pytest.fixture
def both_catalogs(tmp_path):
    """The catalog of an empty lake, and one to hand out."""
    lake = SmallLake(tmp_path / "lake")
    catalog = DuckDBCatalog(tmp_path / "all.duckdb", lake.storage)
    catalog.make(lake.manifest)
    catalog.export_marts(lake.manifest, tmp_path / "out.duckdb")
    return catalog.path, tmp_path / "out.duckdb"


@pytest.mark.slow
def test_each_column_of_text_has_a_class_or_was_thought_about(both_catalogs):
    found = columns(both_catalogs[0])
    assert [column for column in found if column[3] not in set(map(str, Personal))] == []
    text = {(table, name) for table, name, kind, personal in found if kind == "VARCHAR" and personal == Personal.NONE}
    assert {(table, name) for table, name in text if name not in NOT_PERSONAL} == set()


@pytest.mark.slow
def test_a_catalog_to_hand_out_has_no_personal_column(both_catalogs):
    found = columns(both_catalogs[1])
    assert {table for table, _, _, _ in found} == HANDED_OUT
    assert {(table, name) for table, name, _, personal in found if personal != Personal.NONE} == set()
    tables = {table for table, _, _, _ in columns(both_catalogs[0])} - HANDED_OUT
    assert tables == {"calls", "transcript_turns", "transfer_legs", "call_attributes", "data_issues"}
