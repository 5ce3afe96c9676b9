"""The engine's tables against those of the independent computation, row by row, whatever the API sent."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.dictionary import CORE_TABLES
from pipelines.flatten import day as flatten_day
from tests.oracle.compare import assert_same_rows, assert_same_tables
from tests.oracle.tables import expected_lake
from tests.support.examples import examples
from tests.support.flattened import flatten
from tests.support.generated_calls import histories, shapings
from tests.support.lakes import build, lake_of, tables_of

bounded = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@settings(bounded, max_examples=examples(150))
@given(histories(), shapings(), st.integers(1, 9))
def test_the_core_tables_are_the_oracles(history, shaping, chunk):
    for day, expected in expected_lake(history.versions, history.rejected, shaping).items():
        flattened = flatten(history, day, shaping, chunk=chunk)
        for table in CORE_TABLES:
            assert_same_rows(flattened[table], expected[table], table)


@settings(bounded, max_examples=examples(25))
@given(histories(), shapings())
def test_all_tables_are_the_oracles_from_raw_to_files(history, shaping):
    built = tables_of(history, shaping)
    for day, expected in expected_lake(history.versions, history.rejected, shaping).items():
        assert_same_tables(built[day], expected)


@settings(bounded, max_examples=examples(15))
@given(histories(), shapings(), st.sampled_from([1, 2, 3]))
def test_the_size_of_chunks_makes_no_difference(history, shaping, chunk):
    whole = tables_of(history, shaping)
    with pytest.MonkeyPatch.context() as patch, lake_of(history, shaping, files=1) as opened:
        patch.setattr(flatten_day, "CHUNK", chunk)
        patch.setattr(flatten_day, "_INDEX_BATCH", chunk)
        assert build(opened, history.days) == whole
