"""A range of days in one run: days without calls do not fail it, it shows its progress, and keeps one day in memory."""

from __future__ import annotations

import gc
from datetime import date

import polars as pl
import pytest
from dagster._core.definitions.backfill_policy import BackfillPolicyType

from assets import tables
from assets.definitions import defs
from assets.instance.in_process_runs import run_job
from pipelines.lake import state
from pipelines.lake.tables import VersionTables
from pipelines.materialize.day import CoreBuilder
from tests.support.dagster_runs import (
    CORE_AND_MARTS,
    days_after,
    failed,
    materialized,
    newest,
    report_landed,
    staleness,
)

HOLE = "2026-03-03"
ASSETS = (*CORE_AND_MARTS, "catalog")


def build(instance, first="2026-03-01", last="2026-03-04"):
    return run_job(
        "build_days", instance=instance, partition_range=(date.fromisoformat(first), date.fromisoformat(last))
    )


def test_a_range_is_one_run():
    graph = defs.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.materializable_asset_keys]
    by_day = {node.key.to_user_string(): node.backfill_policy for node in nodes if node.is_partitioned}
    assert by_day.keys() >= {*ASSETS}
    assert {policy and policy.policy_type for policy in by_day.values()} == {BackfillPolicyType.SINGLE_RUN}


@pytest.mark.slow
def test_a_day_without_calls_is_materialized_as_empty(workspace, land, instance, tick):
    land("2026-03-01", "2026-03-02", "2026-03-04")
    assert build(instance).success
    for asset in ASSETS:
        assert materialized(instance, asset) == {*days_after("2026-03-01", 4)}
        said = newest(instance, asset, HOLE)
        assert said.description == "Nothing has landed on this day, so there was nothing to build."
        assert said.metadata["dagster/partition_row_count"].value == 0
    assert date.fromisoformat(HOLE) not in state.load_manifest(workspace.storage).value.days
    assert tick() == "Every landed day is published as it is."
    assert newest(instance, "catalog", HOLE).description, "the sensor has nothing to say against it"


@pytest.mark.slow
def test_such_a_day_is_not_stale_for_the_day_before_it_and_is_built_when_calls_come(workspace, land, instance, tick):
    land("2026-03-02")
    build(instance, "2026-03-02", HOLE)
    land("2026-03-02")
    report_landed(instance, workspace)
    build(instance, "2026-03-02", "2026-03-02")
    assert [staleness(instance, asset, HOLE) for asset in ASSETS] == [["FRESH"]] * len(ASSETS)
    land(HOLE)
    assert tick() == [(HOLE, HOLE)]
    assert build(instance, HOLE, HOLE).success
    assert newest(instance, "calls", HOLE).metadata["dagster/partition_row_count"].value == 2
    assert newest(instance, "catalog", HOLE).metadata["rows of calls"].value == 2


def test_a_range_in_which_nothing_landed_ends_well(land, instance):
    land("2026-03-01")
    assert build(instance, "2026-03-08", "2026-03-09").success
    assert [failed(instance, asset) for asset in ASSETS] == [set()] * len(ASSETS)


@pytest.fixture
def at_each_day(monkeypatch):
    """Do something before the core tables of each day are built, and before each mart of each day."""

    def every(look):
        core, mart = CoreBuilder.build, tables.build_mart

        def build_core(self, day, version):
            look("calls", day)
            return core(self, day, version)

        def build_mart(storage, timezone, day, version, table):
            look(table, day)
            return mart(storage, timezone, day, version, table)

        monkeypatch.setattr(CoreBuilder, "build", build_core)
        monkeypatch.setattr(tables, "build_mart", build_mart)

    return every


@pytest.mark.slow
def test_each_day_is_logged_before_the_next_one_is_begun(land, instance, at_each_day):
    land(*days_after("2026-03-01", 4))
    seen = []
    at_each_day(lambda table, day: seen.append((table, str(day), sorted(materialized(instance, table)))))
    build(instance)
    days = days_after("2026-03-01", 4)
    for table in ("calls", "call_metrics_daily", "transfer_metrics_daily", "call_volume_hourly"):
        assert [(day, done) for name, day, done in seen if name == table] == [
            (day, days[:number]) for number, day in enumerate(days)
        ]


@pytest.mark.slow
def test_a_run_holds_no_more_the_more_days_it_has(land, instance, at_each_day):
    land(*days_after("2026-03-01", 12))
    held = {}

    def count(table, _):
        gc.collect()
        kept = sum(isinstance(each, (pl.DataFrame, VersionTables)) for each in gc.get_objects())
        held.setdefault(table, []).append(kept)

    at_each_day(count)
    assert build(instance, last="2026-03-12").success
    assert len(held) == 4
    for counts in held.values():
        assert len(counts) == 12
        assert counts[-1] <= counts[1]
