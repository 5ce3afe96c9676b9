"""When Dagster calls tables old: not over a weekend without calls, but before anybody would miss them for long."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness_evaluator import FRESHNESS_EVALUATORS_BY_POLICY_TYPE
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import freeze_time

from assets.definitions import defs
from assets.events import sync_published_events
from pipelines.dictionary import MARTS
from pipelines.lake import state
from pipelines.materialize.days import build_days as build_on_command_line


def freshness(instance, asset, age):
    """Return what the UI says of an asset when its newest event has some age."""
    node = defs.resolve_asset_graph().get(dg.AssetKey(asset))
    evaluator = FRESHNESS_EVALUATORS_BY_POLICY_TYPE[type(node.freshness_policy)]()
    with freeze_time(datetime.now(UTC) + age):
        return asyncio.run(evaluator.evaluate_freshness(LoadingContextForTest(instance), node)).value


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("asset", [*MARTS, "catalog"])
def test_what_is_built_of_days_rests_over_a_weekend(asset, workspace, land, instance):
    assert freshness(instance, asset, timedelta()) == "UNKNOWN"
    land("2026-03-01")
    build_on_command_line(workspace, [date(2026, 3, 1)])
    manifest = state.load_manifest(workspace.storage).value
    sync_published_events(instance, manifest, lake=workspace.settings.lake_path, active=(), stale=())
    friday_evening_to_monday_noon = timedelta(hours=66)
    ages = (timedelta(minutes=1), friday_evening_to_monday_noon, timedelta(days=3, minutes=1), timedelta(days=6))
    assert [freshness(instance, asset, age) for age in ages] == ["PASS", "PASS", "WARN", "FAIL"]


def test_an_extract_is_late_after_hours(instance):
    instance.report_runless_asset_event(dg.AssetMaterialization("call_pages"))
    ages = (timedelta(hours=2), timedelta(hours=4), timedelta(hours=27))
    assert [freshness(instance, "call_pages", age) for age in ages] == ["PASS", "WARN", "FAIL"]
