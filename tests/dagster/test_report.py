"""The report as an asset, and the key figures of a mart's day as numbers that Dagster plots."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.definitions import defs
from assets.instance.in_process_runs import run_job
from assets.jobs import daily_report
from assets.tables import KEY_FIGURES, key_figure_columns, key_figures
from pipelines.dictionary import MARTS, TABLES
from pipelines.dictionary.schemas import polars_schema
from tests.support.dagster_runs import newest, report_landed, step_failures


@pytest.fixture
def published(workspace, land, instance):
    """Two days with calls, published."""
    land("2026-03-01", "2026-03-02")
    report_landed(instance, workspace)
    for day in ("2026-03-01", "2026-03-02"):
        assert run_job("build_days", instance=instance, partition_range=(date.fromisoformat(day),) * 2).success
    return workspace


@pytest.mark.slow
def test_the_report_is_written_beside_the_catalog_with_its_key_figures_as_metadata(published, instance):
    assert run_job("make_report", instance=instance).success
    made = instance.get_latest_materialization_event(dg.AssetKey("report")).asset_materialization
    shown = {name: value.value for name, value in made.metadata.items() if not name.startswith("dagster/")}
    file = Path(shown.pop("path"))
    assert file == published.settings.catalog_path.parent / "chorus-report.html"
    assert shown.pop("bytes") == file.stat().st_size
    assert shown.pop("period") == "2026-03-01 to 2026-03-02 (2 days, UTC)"
    table = shown.pop("key figures")
    assert len(table) < 1_000, "the UI hides what is longer behind a click"
    figures = table.splitlines()
    assert figures[0] == "|  | now | change from the period before |"
    assert figures[2] == "| Calls | 4 | \N{EN DASH} |"
    assert "<" not in table, "no HTML in Markdown"
    assert shown == {
        "calls": 4,
        "minutes": 4.0,
        "cost": 1.0,
        "cost_per_minute": pytest.approx(0.25),
        "connect_rate": 1.0,
        "containment_rate": 1.0,
        "transfer_rate": 0.0,
    }


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_without_calls_the_run_says_so(instance):
    result = run_job("make_report", instance=instance)
    assert not result.success
    assert step_failures(result)["report"].startswith("There is no catalog at ")


@pytest.mark.slow
def test_days_are_built_without_the_report():
    graph = defs.resolve_job_def("build_days").asset_layer.selected_asset_keys
    assert dg.AssetKey("catalog") in graph
    assert dg.AssetKey("report") not in graph


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_every_morning_where_there_is_something_to_report_on(request):
    with dg.instance_for_test() as stored:
        context = dg.build_schedule_context(instance=stored, repository_def=defs.get_repository_def())
        assert daily_report.evaluate_tick(context).skip_message == "No call is published yet."
        request.getfixturevalue("published")
        assert len(daily_report.evaluate_tick(context).run_requests) == 1


SHOWN_WITHOUT_A_CLICK = 1_000


def rows(table, *given):
    """Make rows of a mart; counts that are not given are 0, measures are null."""
    empty = dict.fromkeys(TABLES[table].names)
    zero = {column.name: 0 for column in TABLES[table].columns if not column.nullable and column.additivity}
    return pl.DataFrame([empty | zero | row for row in given], schema=polars_schema(table))


def test_ratios_of_a_day_are_of_its_sums():
    found = key_figures(
        "call_metrics_daily",
        rows(
            "call_metrics_daily",
            {"calls": 1, "connected_calls": 1, "completed_calls": 1, "terminal_calls": 1, "cost": 0.1}
            | {"cost_rated": 0.1, "seconds_rated": 60.0},
            {"calls": 1_999, "connected_calls": 999, "completed_calls": 499, "terminal_calls": 1_999, "cost": 0.7}
            | {"cost_rated": 0.7, "seconds_rated": 180.0},
        ),
    )
    assert (found["calls"], found["connect_rate"], found["completion_rate"]) == (2_000, 0.5, 0.25)
    assert (found["cost"], found["cost_per_minute"]) == (pytest.approx(0.8), pytest.approx(0.2))
    assert found["average_duration_seconds"] is None, "there is no duration"


def test_hours_are_added_up():
    hours = [{"hour_utc": hour, "calls": calls} for hour, calls in ((9, 1), (9, 2), (23, 5))]
    assert key_figures("call_volume_hourly", rows("call_volume_hourly", *hours))["calls"] == 8


@pytest.mark.parametrize("table", MARTS)
def test_a_day_without_rows_has_no_calls_and_no_ratios(table):
    found = key_figures(table, rows(table).select(key_figure_columns(table)))
    assert tuple(found) == KEY_FIGURES[table]
    assert set(found.values()) == {0, None} if table != "call_volume_hourly" else {0}
    assert {name for name, value in found.items() if value == 0} == {
        name for name in KEY_FIGURES[table] if not TABLES[table].column(name).nullable
    }


def test_every_mart_shows_its_day_in_numbers_and_a_short_table_without_a_single_call(land, instance):
    land("2026-03-01")
    run_job("build_days", instance=instance, partition_range=(date(2026, 3, 1), date(2026, 3, 1)))
    for table in MARTS:
        metadata = {name: item.value for name, item in newest(instance, table, "2026-03-01").metadata.items()}
        shown = metadata["key figures"]
        assert len(shown) < SHOWN_WITHOUT_A_CLICK
        assert not any(secret in str(metadata) for secret in ("agent-1", "org-1", "5550100", "call-2026"))
        cells = [line.strip("| ").split(" | ") for line in shown.splitlines()[2:]]
        assert tuple(name for name, *_ in cells) == KEY_FIGURES[table]
        for name, text, *_ in cells:
            known = metadata.get(name)
            assert text == "-" if known is None else float(text.replace(",", "")) == pytest.approx(known, abs=1e-4)
    shown = newest(instance, "call_metrics_daily", "2026-03-01").metadata
    assert (shown["calls"].value, shown["cost"].value, shown["cost_per_minute"].value) == (2, 0.5, 0.25)


def test_a_day_of_a_core_table_has_no_key_figures(land, instance):
    land("2026-03-01")
    run_job("build_days", instance=instance, partition_range=(date(2026, 3, 1), date(2026, 3, 1)))
    assert "key figures" not in newest(instance, "calls", "2026-03-01").metadata
