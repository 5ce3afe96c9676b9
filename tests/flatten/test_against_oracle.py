"""The engine's tables against those of the independent computation, row by row, whatever the API sent."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.build import day as build_day
from tests.oracle.compare import assert_same_tables
from tests.oracle.tables import expected_lake
from tests.support.built import SHAPING, build, lake_of, tables_of
from tests.support.histories import histories, shapings

import os
bounded = settings(
    deadline=None,
    max_examples=int(os.environ.get("N", "60")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


@bounded
@given(histories(), shapings())
def test_every_table_is_the_oracles(history, shaping):
    built = tables_of(history, shaping)
    for day, expected in expected_lake(history.versions, history.rejected, shaping).items():
        assert_same_tables(built[day], expected)


@bounded
@given(histories(), st.sampled_from([1, 2, 3]))
def test_the_size_of_chunks_makes_no_difference(history, chunk):
    whole = tables_of(history)
    with pytest.MonkeyPatch.context() as patch, lake_of(history, SHAPING, files=1) as opened:
        patch.setattr(build_day, "CHUNK", chunk)
        assert build(opened, history.days) == whole
