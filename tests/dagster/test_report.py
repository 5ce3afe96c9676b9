"""The report as an asset: the same file, and its key figures in the UI."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from assets.definitions import defs
from assets.instance.in_process_runs import run_job
from assets.jobs import daily_report
from tests.support.dagster_runs import report_landed, step_failures

pytestmark = pytest.mark.slow


@pytest.fixture
def published(workspace, land, instance):
    """Two days with calls, published."""
    land("2026-03-01", "2026-03-02")
    report_landed(instance, workspace)
    for day in ("2026-03-01", "2026-03-02"):
        assert run_job("build_days", instance=instance, partition_range=(date.fromisoformat(day),) * 2).success
    return workspace


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


@pytest.mark.usefixtures("workspace")
def test_without_calls_the_run_says_so(instance):
    result = run_job("make_report", instance=instance)
    assert not result.success
    assert step_failures(result)["report"].startswith("There is no catalog at ")


def test_days_are_built_without_the_report():
    graph = defs.resolve_job_def("build_days").asset_layer.selected_asset_keys
    assert dg.AssetKey("catalog") in graph
    assert dg.AssetKey("report") not in graph


@pytest.mark.usefixtures("workspace")
def test_every_morning_where_there_is_something_to_report_on(request):
    with dg.instance_for_test() as stored:
        context = dg.build_schedule_context(instance=stored, repository_def=defs.get_repository_def())
        assert daily_report.evaluate_tick(context).skip_message == "No call is published yet."
        request.getfixturevalue("published")
        assert len(daily_report.evaluate_tick(context).run_requests) == 1
