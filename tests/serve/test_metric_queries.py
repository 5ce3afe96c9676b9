"""Each metric, by its query and rolled up by macros to any grain, is what plain Python gets from the rows."""

from __future__ import annotations

import json
import math
from itertools import chain, combinations
from pathlib import Path

import pytest

from pipelines.dictionary import RATIOS, TABLES, Additivity, ratios_of
from pipelines.dictionary.metrics import METRICS
from pipelines.lake import state
from pipelines.materialize.days import build_days
from pipelines.serve.catalog import open_catalog
from tests.oracle.marts import CALL_MEASURES, LEG_MEASURES, ratio_of, ratio_parts
from tests.support import expected_metrics as expect
from tests.support.lakes import land, place, workspace
from tests.support.metrics_lake import (
    DAYS,
    SILENT_DAY,
    column,
    counted,
    counted_legs,
    groups,
    over,
    period_start,
    total,
)
from tests.support.metrics_lake import column as column_of


def of_ratio(metric):
    if metric.source == "transfer_metrics_daily":
        return expect.leg_ratio(metric.name)
    return expect.call_ratio(metric.name, "direction" if "direction" in metric.sql else "agent_id")


EXPECTED = {
    **{name: of_ratio(metric) for name, metric in METRICS.items() if metric.ratio is not None},
    "calls": lambda calls, _legs: expect.figures(counted(calls), [expect.month, "direction"], calls=len),
    "outcome_shares": expect.outcome_shares,
    "ended_reasons": expect.ended_reasons,
    "cost": expect.costs,
    "cost_trend": expect.cost_trend,
    "bill": lambda calls, _legs: expect.bill(calls, expect.month),
    "bill_by_local_day": lambda calls, _legs: expect.bill(calls, expect.local_day),
    "talk_minutes": lambda calls, _legs: expect.figures(
        counted(calls),
        [expect.week, "agent_id"],
        talk_minutes=lambda rows: over(total(filter(expect.connected, rows), column_of("duration_seconds")), 60),
    ),
    "duration_percentiles": expect.percentiles,
    "duration_buckets": expect.buckets,
    "funnel": expect.funnel,
    "repeat_caller_rate": lambda calls, _legs: expect.repeat_callers(calls),
    "unique_callers": expect.callers,
    "volume_by_hour": expect.hours,
    "peak_concurrency": expect.hourly_peaks,
    "concurrency_peaks": expect.peaks,
}


def assert_same(found, expected):
    [figures, *_] = expected.values()
    shown = {tuple(value for name, value in row.items() if name not in figures): row for row in found}
    assert len(shown) == len(found)
    assert shown.keys() == expected.keys()
    for key, values in expected.items():
        for name, value in values.items():
            assert (shown[key][name] is None) == (value is None), (key, name)
            if value is not None:
                assert math.isclose(shown[key][name], value, rel_tol=1e-9, abs_tol=1e-12), (key, name)


@pytest.mark.matrix(quick=4)
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in METRICS if name != "extraction_fill_rate"])
def test_the_query_of_a_metric_gives_the_figures_of_the_rows(measured, name):
    assert_same(measured.ask(METRICS[name].sql), EXPECTED[name](measured.calls, measured.legs))


@pytest.mark.matrix(quick=4)
def test_the_query_of_the_fill_rate_gives_the_figures_of_the_rows(measured):
    expected = expect.fill_rates(measured.calls, measured.attributes)
    assert_same(measured.ask(METRICS["extraction_fill_rate"].sql), expected)


@pytest.mark.matrix(quick=4)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_names_columns_of_its_source(measured, metric):
    measured.ask(f"SELECT {', '.join([*metric.numerator, *metric.denominator])} FROM {metric.source} LIMIT 1")


@pytest.mark.matrix(quick=4)
def test_every_ratio_of_the_marts_is_a_metric():
    assert {name for name in RATIOS if METRICS[name].ratio == RATIOS[name]} == set(RATIOS)


@pytest.fixture(scope="module")
def scanty(tmp_path_factory) -> dict[str, Path]:
    """Catalogs of a lake without a call, and of one day on which the only call reached nobody."""
    none, one = (workspace(tmp_path_factory.mktemp(name)) for name in ("none", "one"))
    none.catalog.make(state.Manifest())
    silent = {"id": "a", "createdAt": "2026-03-02T10:00:00Z", "status": "no-answer", "durationSeconds": 0}
    days = place([json.dumps(silent)])
    land(one, days)
    build_days(one, list(days))
    return {"none": none.catalog.path, "one": one.catalog.path}


@pytest.mark.matrix(quick=4)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_of_next_to_nothing_is_null_or_nothing_and_never_no_number(scanty, metric):
    with open_catalog(scanty["none"]) as catalog:
        assert catalog.execute(metric.sql).fetchall() == []
    with open_catalog(scanty["one"]) as catalog:
        values = [value for row in catalog.execute(metric.sql).fetchall() for value in row]
    assert all(math.isfinite(value) for value in values if isinstance(value, float))


GRAINS = ("day", "week", "month")
MACROS = {"call_metrics": "call_metrics_daily", "transfer_metrics": "transfer_metrics_daily"}

every_macro = pytest.mark.parametrize("macro", MACROS)
every_grain = pytest.mark.parametrize("grain", GRAINS)


def rows_behind(measured, macro):
    """Return the rows that a macro speaks of, and how its measures are worked out from them."""
    if macro == "call_metrics":
        return counted(measured.calls), CALL_MEASURES
    return counted_legs(measured.legs), LEG_MEASURES


def same(found, expected):
    """Return whether two figures are the same but for rounding; null is only null, and what is no number is nothing."""
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
