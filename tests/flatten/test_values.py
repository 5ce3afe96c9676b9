"""Measures and times: converting a whole column gives the same as converting single values."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.api_values import parse_instant
from pipelines.flatten.columns import cost_per_minute, instants, measures, seconds_between
from tests.support.examples import examples


def noted(function, values):
    notes = []
    column = function(values, lambda *note: notes.append(note[:2]))
    return column.to_pylist(), notes


@pytest.mark.parametrize(
    ("values", "numbers", "bad"),
    [
        ([1.5, None, 0.0], [1.5, None, 0.0], []),
        (["1.50", " +3 ", ".5", "5.", "1e2", "\n7\t", None], [1.5, 3.0, 0.5, 5.0, 100.0, 7.0, None], []),
        ([1.5, "2", None], [1.5, 2.0, None], []),
        ([-1.0, 2.0], [None, 2.0], [0]),
        (["-1", "-0", "2"], [None, 0.0, 2.0], [0]),
        ([float("nan"), float("inf"), 1.0], [None, None, 1.0], [0, 1]),
        (["1e999", "NaN", "Infinity", "nan", "inf"], [None] * 5, [0, 1, 2, 3, 4]),
        (["", " ", "abc", "1,5", "1_000", "0x10", "\u0661", "1 2", "e5", "."], [None] * 10, list(range(10))),
        ([], [], []),
        ([None, None], [None, None], []),
    ],
)
def test_measures(values, numbers, bad):
    found, notes = noted(measures, values)
    assert found == numbers
    assert sorted(notes) == [(position, "invalid_value") for position in bad]


@pytest.mark.parametrize(
    ("text", "moment", "kind"),
    [
        ("2026-03-10T12:00:00Z", datetime(2026, 3, 10, 12, tzinfo=UTC), None),
        ("2026-03-10T12:00:00.123456+05:30", datetime(2026, 3, 10, 6, 30, 0, 123456, tzinfo=UTC), None),
        ("2026-03-11T00:00:00.1234567Z", datetime(2026, 3, 11, 0, 0, 0, 123456, tzinfo=UTC), None),
        ("20260310T235959Z", datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC), None),
        (" 2026-03-10 12:00:00Z ", datetime(2026, 3, 10, 12, tzinfo=UTC), None),
        ("2026-03-10T12:00:00", datetime(2026, 3, 10, 12, tzinfo=UTC), "inconsistent"),
        ("2026-03-10", datetime(2026, 3, 10, tzinfo=UTC), "inconsistent"),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC), None),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), None),
        ("0001-01-01T00:00:00+14:00", None, "invalid_value"),
        ("9999-12-31T23:59:59-14:00", None, "invalid_value"),
        ("0000-12-31T12:00:00-23:00", None, "invalid_value"),
        ("soon", None, "invalid_value"),
        ("", None, "invalid_value"),
        ("2026-02-30T00:00:00Z", None, "invalid_value"),
    ],
)
def test_instants(text, moment, kind):
    clean = "2026-01-01T00:00:00Z"
    found, notes = noted(instants, [clean, text, None, clean])
    assert found == [datetime(2026, 1, 1, tzinfo=UTC), moment, None, datetime(2026, 1, 1, tzinfo=UTC)]
    assert notes == ([(1, kind)] if kind else [])
    assert noted(instants, [text])[0] == [moment]


def _spellings() -> st.SearchStrategy[str]:
    days = ["2026-03-10", "20260310", "2026-W11-2", "0001-01-01", "9999-12-31", "0000-12-31", "2026-3-1"]
    clocks = ["T00:00", "T23:59:59", " 12:30:45.1", "T12:30:45.1234567", "T24:00:00", "T12:60", "T12", ""]
    zones = ["Z", "z", "+00:00", "-14:00", "+0530", "+05", "+24:00", "-23:59", "+05:30:15", " Z", ""]
    return st.tuples(*map(st.sampled_from, (days, clocks, zones))).map("".join)


@settings(max_examples=examples(300))
@given(st.lists(st.none() | _spellings(), max_size=3))
def test_instants_are_those_of_the_one_reading_of_times(texts):
    found, notes = noted(instants, texts)
    read = [parse_instant(text) if text is not None else (None, True) for text in texts]
    assert found == [moment for moment, _ in read]
    assert [position for position, _ in notes] == [
        position
        for position, (text, (moment, zoned)) in enumerate(zip(texts, read, strict=True))
        if text is not None and (moment is None or not zoned)
    ]


def test_seconds_between_moments_that_lie_centuries_apart():
    moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 3, 10, 0, 0, 0, 250000, tzinfo=UTC), None]
    later = [datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 10, 0, 0, 1, tzinfo=UTC), moments[1]]
    columns = [pa.array(values, pa.timestamp("us", "UTC")) for values in (moments, later)]
    assert seconds_between(*columns).to_pylist() == [(later[0] - moments[0]).total_seconds(), 0.75, None]


def test_cost_per_minute_is_null_where_there_is_no_quotient():
    cost = pa.array([1.0, 1.0, None, 1.0, 0.0, 1e308], pa.float64())
    seconds = pa.array([30.0, 0.0, 60.0, None, 60.0, 1e-300], pa.float64())
    assert cost_per_minute(cost, seconds).to_pylist() == [2.0, None, None, None, 0.0, None]
