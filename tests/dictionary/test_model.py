"""Laws that hold for the dictionary as a whole, and what is derived from it."""

from __future__ import annotations

import re
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
from pipelines.dictionary import (
    CALL_DATE,
    CORE_TABLES,
    MARTS,
    RATIOS,
    RAW,
    TABLES,
    Additivity,
    ColumnType,
    personal_columns,
    ratios_of,
)
from pipelines.dictionary.markdown import tables_page
from pipelines.dictionary.ratios import ratio_columns
from pipelines.dictionary.schemas import arrow_schema, polars_schema, raw_schema
from tests.oracle.marts import MARTS as PROMISED_MARTS
from tests.oracle.marts import RATIOS as PROMISED

EVERY_TABLE = pytest.mark.parametrize("table", [*TABLES.values(), RAW], ids=lambda table: table.name)


def test_importing_the_dictionary_loads_no_data_library():
    script = (
        "import sys, pipelines.dictionary, pipelines.dictionary.markdown\n"
        "print(*sorted({'pyarrow', 'polars', 'duckdb', 'dagster', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@EVERY_TABLE
def test_names_are_unique_and_keys_and_order_are_columns(table):
    assert len(set(table.names)) == len(table.names)
    assert set(table.key) <= set(table.names)
    assert table.sort_by
    assert set(table.sort_by) <= set(table.names)


@EVERY_TABLE
def test_every_text_is_there_and_ends_with_a_full_stop(table):
    texts = [table.description, *(column.description for column in table.all_columns)]
    assert [text for text in texts if not text.endswith(".") or len(text) < 12 or "  " in text] == []
    assert table.title
    assert not table.grain.endswith(".")


@EVERY_TABLE
def test_call_date_is_seen_by_readers_but_is_in_no_file(table):
    assert "call_date" not in table.names
    assert table.all_columns == (CALL_DATE, *table.columns)
    assert table.column("call_date").type is ColumnType.DATE


@EVERY_TABLE
def test_a_name_has_one_type_and_one_personal_class_in_all_tables(table):
    for column in table.columns:
        for other in TABLES.values():
            if column.name in other.names:
                assert other.column(column.name).type is column.type
                assert other.column(column.name).personal is column.personal


def test_an_unknown_column_is_named_in_the_error():
    with pytest.raises(KeyError, match="calls has no column call_dat"):
        TABLES["calls"].column("call_dat")


@pytest.mark.parametrize("mart", MARTS)
def test_every_number_of_a_mart_says_how_it_adds_up(mart):
    places = {"hour_utc", "local_hour", "local_weekday"}
    numbers = [c for c in TABLES[mart].columns if c.type in (ColumnType.INTEGER, ColumnType.NUMBER)]
    assert [c.name for c in numbers if (c.additivity is None) != (c.name in places)] == []
    assert [c.name for c in numbers if c.name not in places and not (c.unit and c.formula)] == []


def test_only_the_peak_is_semi_additive_and_only_ratios_are_not_additive():
    by_kind = {
        kind: {c.name for mart in MARTS for c in TABLES[mart].columns if c.additivity is kind} for kind in Additivity
    }
    assert by_kind[Additivity.SEMI_ADDITIVE] == {"peak_concurrency"}
    assert by_kind[Additivity.NON_ADDITIVE] == set(RATIOS)


def test_every_ratio_has_additive_components_in_its_table():
    for ratio in RATIOS.values():
        assert set(ratio.tables) <= set(MARTS)
        for name in ratio.tables:
            table = TABLES[name]
            assert table.column(ratio.name).formula == ratio.formula
            assert {table.column(part).additivity for part in ratio.components} == {Additivity.ADDITIVE}


@pytest.mark.parametrize("name", RATIOS)
def test_ratios_are_the_promised_sums_over_sums(name):
    assert RATIOS[name].formula == PROMISED[name]
    assert RATIOS[name].rollup == re.sub(r"[a-z]\w+", r"sum(\g<0>)", PROMISED[name])


def test_a_macro_takes_each_part_of_a_ratio_once():
    assert RATIOS["agent_word_share"].components == ("agent_words", "user_words")
    assert RATIOS["cost_per_minute"].components == ("cost_rated", "seconds_rated")


def test_ratios_of_a_table_follow_its_columns():
    for name, columns in PROMISED_MARTS.items():
        assert [ratio.name for ratio in ratios_of(TABLES[name])] == [column for column in columns if column in PROMISED]
    assert ratios_of(TABLES["call_volume_hourly"]) == ()
    # cost_per_minute of a call is a column of its own there, not a ratio of sums.
    assert ratios_of(TABLES["calls"]) == ()


def test_a_ratio_cannot_be_put_into_a_table_it_does_not_belong_to():
    with pytest.raises(ValueError, match="connect_rate is not defined for transfer_metrics_daily"):
        ratio_columns("transfer_metrics_daily", [RATIOS["connect_rate"]])


def test_personal_columns_are_numbers_recordings_and_free_text():
    assert {name: personal_columns(name) for name in CORE_TABLES} == {
        "calls": {"customer_number", "recording_url", "summary", "extractions", "context_variables", "metadata"},
        "transcript_turns": {"content"},
        "transfer_legs": {"customer_number", "recording_url"},
        "call_attributes": {"value", "value_number"},
        "data_issues": {"raw_value"},
    }


@pytest.mark.parametrize("mart", MARTS)
def test_marts_hold_nothing_personal(mart):
    assert {str(column.personal) for column in TABLES[mart].columns} == {"none"}


ROOT = Path(__file__).parents[2]
PUBLISHED_TABLES = pytest.mark.parametrize("table", TABLES)

SAMPLES = {
    ColumnType.TEXT: "text",
    ColumnType.INTEGER: 7,
    ColumnType.NUMBER: 1.5,
    ColumnType.FLAG: True,
    ColumnType.INSTANT: datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ColumnType.LOCAL_TIME: datetime(2026, 1, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - the column has no zone
    ColumnType.DATE: date(2026, 1, 31),
}


@PUBLISHED_TABLES
def test_a_frame_of_the_polars_schema_goes_through_a_file_of_the_arrow_schema_unchanged(table, tmp_path):
    frame = pl.DataFrame(
        {column.name: [SAMPLES[column.type], None] for column in TABLES[table].columns}, schema=polars_schema(table)
    )
    path = tmp_path / "data.parquet"
    pq.write_table(frame.to_arrow().cast(arrow_schema(table)), path)
    assert pl.read_parquet(path).equals(frame)
    assert pl.read_parquet_schema(path) == polars_schema(table)


@PUBLISHED_TABLES
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


@PUBLISHED_TABLES
def test_a_tables_comment_names_its_grain_and_every_column_a_reader_sees_has_one(table):
    assert TABLES[table].grain in TABLES[table].comment
    assert all(column.comment for column in TABLES[table].all_columns)


def test_a_comment_says_unit_formula_additivity_and_personal_data():
    assert TABLES["call_metrics_daily"].column("connect_rate").comment == (
        "Share of calls that reached a person. Unit: share. Formula: connected_calls / calls. Additivity: non-additive."
    )
    assert TABLES["calls"].column("call_sid").comment.endswith("Personal data: linkable.")


@PUBLISHED_TABLES
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
