"""Laws that hold for the dictionary as a whole."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

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
from pipelines.dictionary.ratios import ratio_columns
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
