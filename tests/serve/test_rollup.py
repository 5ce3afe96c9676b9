"""Every ratio, rolled up through the macros to any grain, is the ratio of the rows of calls and legs themselves."""

from __future__ import annotations

import math
from itertools import chain, combinations

import pytest

from pipelines.dictionary import TABLES, Additivity, ratios_of
from tests.oracle.marts import CALL_MEASURES, LEG_MEASURES, ratio_of, ratio_parts
from tests.support.metrics_lake import (
    DAYS,
    SILENT_DAY,
    column,
    counted,
    counted_legs,
    groups,
    period_start,
    total,
)

GRAINS = ("day", "week", "month")
MACROS = {"call_metrics": "call_metrics_daily", "transfer_metrics": "transfer_metrics_daily"}

every_macro = pytest.mark.parametrize("macro", MACROS)
every_grain = pytest.mark.parametrize("grain", GRAINS)


def rows_behind(measured, macro):
    """The rows that a macro speaks of, and how its measures are worked out from them."""
    if macro == "call_metrics":
        return counted(measured.calls), CALL_MEASURES
    return counted_legs(measured.legs), LEG_MEASURES


def same(found, expected):
    """Whether two figures are the same but for rounding; null is only null, and what is no number is nothing."""
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.matrix(quick=2)
@every_grain
@every_macro
def test_every_ratio_by_each_subset_of_the_dimensions_is_that_of_the_rows(measured, macro, grain):
    rows, measures = rows_behind(measured, macro)
    mart = TABLES[MACROS[macro]]
    ratios = ratios_of(mart)
    seen = {each.name: set() for each in ratios}
    for subset in chain.from_iterable(combinations(mart.key, size) for size in range(len(mart.key) + 1)):
        calls = (f"{r.name}({', '.join(f'sum({part})' for part in r.components)}) AS {r.name}" for r in ratios)
        columns = ("period_start", *subset)
        found = measured.ask(f"SELECT {', '.join([*columns, *calls])} FROM {macro}('{grain}') GROUP BY ALL")
        expected = groups(rows, lambda row, by=subset: (period_start(row["call_date"], grain), *(row[n] for n in by)))
        assert sorted(map(repr, expected)) == sorted(repr(tuple(row[name] for name in columns)) for row in found)
        for row in found:
            behind = expected[tuple(row[name] for name in columns)]
            for each in ratios:
                assert same(row[each.name], ratio_of(behind, each.name, measures)), (each.name, row)
                seen[each.name].add(row[each.name] is None)
    # Where there is a row there is a call or a leg to divide by.
    never_null = {each.name for each in ratios if ratio_parts(each.name)[2] in {("calls",), ("legs",)}}
    assert {name for name, kinds in seen.items() if kinds != {True, False}} <= never_null


@every_grain
@every_macro
def test_a_row_of_a_macro_has_the_ratios_and_sums_of_its_own_period_and_dimensions(measured, macro, grain):
    rows, measures = rows_behind(measured, macro)
    mart = TABLES[MACROS[macro]]
    keyed = groups(rows, lambda row: (period_start(row["call_date"], grain), *(row[name] for name in mart.key)))
    daily = groups(
        measured.ask(f"FROM {mart.name}"),
        lambda row: (period_start(row["call_date"], grain), *(row[name] for name in mart.key)),
    )
    found = measured.ask(f"FROM {macro}('{grain}')")
    assert len(found) == len(keyed)
    assert tuple(found[0]) == ("period_start", *mart.names)
    sums = [each for each in mart.columns if each.additivity is Additivity.ADDITIVE]
    for row in found:
        key = tuple(row[name] for name in ("period_start", *mart.key))
        for each in ratios_of(mart):
            assert same(row[each.name], ratio_of(keyed[key], each.name, measures)), (each.name, key)
        for each in sums:
            assert same(row[each.name], total(daily[key], column(each.name))), (each.name, key)


def test_a_total_is_null_where_no_day_has_one_and_counts_are_zero(measured):
    [row] = measured.ask(
        "SELECT sum(calls) AS calls, sum(connected_calls) AS connected, sum(duration_seconds) AS seconds, "
        "average_duration_seconds(sum(duration_seconds), sum(duration_calls)) AS average, "
        "connect_rate(sum(connected_calls), sum(calls)) AS rate "
        f"FROM call_metrics('day') WHERE period_start = '{SILENT_DAY}'"
    )
    assert row["calls"] > 0
    assert (row["connected"], row["seconds"], row["average"], row["rate"]) == (0, None, None, 0.0)


def test_weeks_begin_on_monday_across_the_end_of_the_year(measured):
    found = {row["period_start"] for row in measured.ask("SELECT DISTINCT period_start FROM call_metrics('week')")}
    assert found == {period_start(day, "week") for day in DAYS}
    assert {day.isoweekday() for day in found} == {1}
