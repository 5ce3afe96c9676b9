"""Dagster's pages show the lake as it is, whichever program built or published a day, and whatever crashed."""

from __future__ import annotations

from datetime import date

import pytest

from assets import serving, tables
from assets.instance.in_process_runs import run_job
from pipelines.dictionary import CORE_TABLES
from pipelines.lake import state
from pipelines.materialize.days import build_days
from tests.support.dagster_runs import CORE_AND_MARTS, failed, materialize_alone, newest, staleness

pytestmark = pytest.mark.slow

DAY = "2026-03-01"
UP_TO_DATE = "Every landed day is published as it is."


def build(instance, last=DAY):
    return run_job("build_days", instance=instance, partition_range=(date.fromisoformat(DAY), date.fromisoformat(last)))


def shown(instance):
    """The version that the page of each table shows of the day."""
    return {newest(instance, asset, DAY).tags["dagster/data_version"] for asset in (*CORE_AND_MARTS, "catalog")}


def published(workspace):
    return state.load_manifest(workspace.storage).value.days[date.fromisoformat(DAY)].version


@pytest.fixture(params=["sync_landed_events", "build_mart"], ids=["before its core tables", "its marts"])
def overtaken(request, land, instance, once_before):
    """Let another run publish a newer version of the day once, before a run comes to a step."""

    def overtake():
        land(DAY)
        assert build(instance).success

    once_before(tables, request.param, overtake)


@pytest.mark.usefixtures("overtaken")
def test_a_run_that_another_overtook_is_not_what_is_shown(land, instance, workspace, tick):
    land(DAY, "2026-03-03")
    assert build(instance, last="2026-03-03").success
    assert len(shown(instance)) > 1, "the older run logged its tables last"
    assert tick() == UP_TO_DATE
    assert shown(instance) == {published(workspace)}


def test_a_day_that_changed_before_dagster_heard_of_it_is_shown_as_stale(land, instance, workspace, tick):
    land(DAY)
    build_days(workspace, [date.fromisoformat(DAY)])
    land(DAY)
    for _ in range(2):
        assert tick() == [(DAY, DAY)]
        assert staleness(instance, "calls", DAY) == ["STALE"]
    assert build(instance).success
    assert staleness(instance, "calls", DAY) == ["FRESH"]


def test_tables_of_a_refused_day_show_what_was_built_and_not_what_is_published(land, instance, tick, fail_check):
    land(DAY)
    assert build(instance).success
    land(DAY)
    fail_check(DAY)
    assert not build(instance).success
    before = newest(instance, "calls", DAY).tags["dagster/data_version"]
    assert "1 failed their checks" in tick()
    assert newest(instance, "calls", DAY).tags["dagster/data_version"] == before


def test_a_table_that_failed_though_its_day_is_published_turns_green_again(land, instance, tick, monkeypatch):
    land(DAY)
    assert build(instance).success
    with monkeypatch.context() as patch:
        patch.setattr(tables, "read_audit", lambda *_: 1 / 0)
        assert not materialize_alone(instance, DAY, *CORE_TABLES).success
    assert failed(instance, "calls") == {DAY}
    assert tick() == UP_TO_DATE
    assert failed(instance, "calls") == set()


def test_the_numbers_of_a_day_stay_where_its_run_died_after_publishing(land, instance, tick, monkeypatch):
    land(DAY)
    with monkeypatch.context() as patch:
        patch.setattr(serving, "load_manifest", lambda _: 1 / 0)
        assert not build(instance).success
    assert failed(instance, "catalog") == {DAY}
    assert tick() == UP_TO_DATE
    assert failed(instance, "catalog") == set()
    assert "key figures" in newest(instance, "call_metrics_daily", DAY).metadata
