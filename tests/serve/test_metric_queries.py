"""The query of each metric of the catalogue gives the figures that plain Python works out from the rows themselves."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from pipelines.dictionary import RATIOS
from pipelines.dictionary.metrics import METRICS
from pipelines.lake import state
from pipelines.materialize.days import build_days
from pipelines.serve.catalog import open_catalog
from tests.support import expected_metrics as expect
from tests.support.lakes import land, place, workspace
from tests.support.metrics_lake import column as column_of
from tests.support.metrics_lake import counted, over, total

pytestmark = pytest.mark.matrix(quick=4)


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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in METRICS if name != "extraction_fill_rate"])
def test_the_query_of_a_metric_gives_the_figures_of_the_rows(measured, name):
    assert_same(measured.ask(METRICS[name].sql), EXPECTED[name](measured.calls, measured.legs))


def test_the_query_of_the_fill_rate_gives_the_figures_of_the_rows(measured):
    expected = expect.fill_rates(measured.calls, measured.attributes)
    assert_same(measured.ask(METRICS["extraction_fill_rate"].sql), expected)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_names_columns_of_its_source(measured, metric):
    measured.ask(f"SELECT {', '.join([*metric.numerator, *metric.denominator])} FROM {metric.source} LIMIT 1")


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


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_of_next_to_nothing_is_null_or_nothing_and_never_no_number(scanty, metric):
    with open_catalog(scanty["none"]) as catalog:
        assert catalog.execute(metric.sql).fetchall() == []
    with open_catalog(scanty["one"]) as catalog:
        values = [value for row in catalog.execute(metric.sql).fetchall() for value in row]
    assert all(math.isfinite(value) for value in values if isinstance(value, float))
