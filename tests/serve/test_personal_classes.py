"""Each column of the catalog has a considered class of what it can reveal about a person."""

from __future__ import annotations

import pytest

from pipelines.dictionary import MARTS
from pipelines.dictionary.columns import Personal
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from tests.support.small_lake import SmallLake

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
def made(tmp_path):
    """The catalog of an empty lake, and one to hand out."""
    lake = SmallLake(tmp_path / "lake")
    catalog = DuckDBCatalog(tmp_path / "all.duckdb", lake.storage)
    catalog.make(lake.manifest)
    catalog.export_marts(lake.manifest, tmp_path / "out.duckdb")
    return catalog.path, tmp_path / "out.duckdb"


@pytest.mark.slow
def test_each_column_of_text_has_a_class_or_was_thought_about(made):
    found = columns(made[0])
    assert [column for column in found if column[3] not in set(map(str, Personal))] == []
    text = {(table, name) for table, name, kind, personal in found if kind == "VARCHAR" and personal == Personal.NONE}
    assert {(table, name) for table, name in text if name not in NOT_PERSONAL} == set()


@pytest.mark.slow
def test_a_catalog_to_hand_out_has_no_personal_column(made):
    found = columns(made[1])
    assert {table for table, _, _, _ in found} == HANDED_OUT
    assert {(table, name) for table, name, _, personal in found if personal != Personal.NONE} == set()
    tables = {table for table, _, _, _ in columns(made[0])} - HANDED_OUT
    assert tables == {"calls", "transcript_turns", "transfer_legs", "call_attributes", "data_issues"}
