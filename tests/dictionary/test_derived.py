"""What is derived from the dictionary says the same as the dictionary."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.tables import dagster_schema
from pipelines.dictionary import RAW, TABLES, ColumnType
from pipelines.dictionary.markdown import tables_page
from pipelines.dictionary.schemas import arrow_schema, polars_schema, raw_schema

ROOT = Path(__file__).parents[2]
EVERY_TABLE = pytest.mark.parametrize("table", TABLES)

SAMPLES = {
    ColumnType.TEXT: "text",
    ColumnType.INTEGER: 7,
    ColumnType.NUMBER: 1.5,
    ColumnType.FLAG: True,
    ColumnType.INSTANT: datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ColumnType.LOCAL_TIME: datetime(2026, 1, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - the column has no zone
    ColumnType.DATE: date(2026, 1, 31),
}


@EVERY_TABLE
def test_a_frame_of_the_polars_schema_goes_through_a_file_of_the_arrow_schema_unchanged(table, tmp_path):
    frame = pl.DataFrame(
        {column.name: [SAMPLES[column.type], None] for column in TABLES[table].columns}, schema=polars_schema(table)
    )
    path = tmp_path / "data.parquet"
    pq.write_table(frame.to_arrow().cast(arrow_schema(table)), path)
    assert pl.read_parquet(path).equals(frame)
    assert pl.read_parquet_schema(path) == polars_schema(table)


@EVERY_TABLE
def test_both_schemas_have_the_files_columns_in_order(table):
    assert tuple(arrow_schema(table).names) == TABLES[table].names
    assert tuple(polars_schema(table)) == TABLES[table].names


def test_fields_carry_the_dictionarys_texts(tmp_path):
    schema = arrow_schema("call_metrics_daily")
    path = tmp_path / "data.parquet"
    pq.write_table(schema.empty_table(), path)
    found = pq.read_schema(path)
    assert found.field("cost_per_minute").metadata[b"formula"] == b"60 * cost_rated / seconds_rated"
    assert found.field("cost_per_minute").metadata[b"unit"] == b"money per minute"
    assert found.field("agent_id").metadata[b"description"].startswith(b"Voice agent")
    assert b"unit" not in found.field("agent_id").metadata
    assert arrow_schema("calls").field("customer_number").metadata[b"personal"] == b"direct identifier"


def test_the_raw_schema_is_the_raw_layers():
    assert raw_schema() == arrow_schema(RAW)
    assert raw_schema().field("landed_at").type == pa.timestamp("us", "UTC")
    assert raw_schema().field("deleted").type == pa.bool_()
    assert tuple(polars_schema(RAW)) == RAW.names


@EVERY_TABLE
def test_a_tables_comment_names_its_grain_and_every_column_a_reader_sees_has_one(table):
    assert TABLES[table].grain in TABLES[table].comment
    assert all(column.comment for column in TABLES[table].all_columns)


def test_a_comment_says_unit_formula_additivity_and_personal_data():
    assert TABLES["call_metrics_daily"].column("connect_rate").comment == (
        "Share of calls that reached a person. Unit: share. Formula: connected_calls / calls. Additivity: non-additive."
    )
    assert TABLES["calls"].column("call_sid").comment.endswith("Personal data: linkable.")


@EVERY_TABLE
def test_dagster_shows_every_column_with_description_and_nullability(table):
    schema = dagster_schema(table)
    shown = {column.name: column for column in schema.columns}
    assert tuple(shown) == ("call_date", *TABLES[table].names)
    for column in TABLES[table].all_columns:
        assert shown[column.name].description == column.description
        assert shown[column.name].constraints.nullable is column.nullable
    assert schema.constraints is not None


def test_dagster_shows_units_personal_classes_and_keys():
    calls = {column.name: column for column in dagster_schema("calls").columns}
    assert calls["cost"].tags["unit"] == "money"
    assert calls["customer_number"].tags["personal"] == "direct identifier"
    assert "personal" not in calls["cost"].tags
    assert calls["call_id"].constraints.unique
    turns = dagster_schema("transcript_turns")
    assert not any(column.constraints.unique for column in turns.columns)
    assert any("call_id, leg_id, turn_index" in rule for rule in turns.constraints.other)


def test_dagster_can_store_the_schema_as_an_assets_metadata():
    spec = dg.AssetSpec("calls", metadata={"dagster/column_schema": dagster_schema("calls")})
    stored = dg.serialize_value(spec.metadata["dagster/column_schema"])
    assert dg.deserialize_value(stored) == dagster_schema("calls")


@pytest.mark.parametrize("name", ["tables", "metrics"])
def test_a_page_is_what_the_module_prints(name):
    command = [sys.executable, "-m", "pipelines.dictionary", name]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    shown = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert shown.splitlines() == done.stdout.decode("utf-8").splitlines(), "run: make docs"


def test_every_link_of_the_page_leads_to_a_heading_and_every_row_fits_its_grid():
    lines = tables_page().splitlines()
    anchors = {line.lstrip("# ").lower().replace(" ", "-") for line in lines if line.startswith("#")}
    links = {part.split(")")[0] for line in lines for part in line.split("](#")[1:]}
    assert links <= anchors
    assert set(TABLES) <= links
    widths = {len(row.replace("\\|", "").split("|")) for row in _grid_after(lines, "### calls")}
    assert len(widths) == 1


@pytest.mark.parametrize("name", ["tables", "metrics"])
def test_a_link_within_a_page_can_lead_to_one_heading_only(name):
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    headings = [line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")]
    assert len(headings) == len(set(headings))


def _grid_after(lines: list[str], heading: str) -> list[str]:
    rest = lines[lines.index(heading) :]
    start = next(i for i, line in enumerate(rest) if line.startswith("|"))
    end = next(i for i, line in enumerate(rest) if i > start and not line.startswith("|"))
    return rest[start:end]
