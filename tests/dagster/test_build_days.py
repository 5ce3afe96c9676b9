"""A run of build_days: what is published, what Dagster shows of each day, and that a damaged day costs itself alone."""

from __future__ import annotations

from datetime import date
from itertools import product

import dagster as dg
import pytest

from assets import serving, tables
from assets.events import sync_landed_events
from assets.instance.in_process_runs import run_job
from pipelines.dictionary import CORE_TABLES
from pipelines.lake import layout, state
from pipelines.lake.identity import require_same_settings
from pipelines.materialize.days import build_days
from pipelines.suppression.suppression_list import load_suppression_list
from tests.support import lakes
from tests.support.dagster_runs import (
    CORE_AND_MARTS,
    failed,
    materialize_alone,
    materialized,
    newest,
    report_landed,
    run_stale_days,
    staleness,
    step_failures,
)

pytestmark = pytest.mark.slow


def build(instance, first="2026-03-01", last="2026-03-04"):
    span = (date.fromisoformat(first), date.fromisoformat(last))
    return run_job("build_days", instance=instance, partition_range=span)


def published_days(workspace):
    return {str(day) for day in state.load_manifest(workspace.storage).value.days}


def test_a_range_publishes_its_landed_days_and_leaves_the_others_alone(workspace, land, instance):
    land("2026-03-01", "2026-03-02", "2026-03-04")

    assert build(instance).success

    assert published_days(workspace) == {"2026-03-01", "2026-03-02", "2026-03-04"}
    assert not workspace.storage.list("days/call_date=2026-03-03")
    rows = lakes.published_rows(workspace, date(2026, 3, 4))
    assert [row["call_id"] for row in rows["calls"]] == ["call-2026-03-04-0", "call-2026-03-04-1"]
    assert rows["call_metrics_daily"][0]["calls"] == 2
    assert workspace.catalog.generation() == 1


def test_one_day_can_be_built_by_its_partition(workspace, land, instance):
    land("2026-03-01", "2026-03-02")
    build(instance, "2026-03-02", "2026-03-02")
    assert published_days(workspace) == {"2026-03-02"}


def test_each_day_says_what_was_built_of_it(workspace, land, instance):
    land("2026-03-01", "2026-03-02")
    build(instance)

    event = newest(instance, "calls", "2026-03-02")
    published = state.load_manifest(workspace.storage).value.days[date(2026, 3, 2)]
    metadata = {name: value.value for name, value in event.metadata.items()}
    assert metadata.pop("seconds") > 0
    assert metadata == {
        "dagster/partition_row_count": 2,
        "bytes": published.bytes["calls"],
        "version": published.version,
        "earliest": 1772452800.0,  # 2026-03-02 12:00 UTC
        "latest": 1772452860.0,
        "dagster/uri": (workspace.settings.lake_path / "calls").as_uri(),
    }
    assert event.tags["dagster/data_version"] == published.version
    assert newest(instance, "transcript_turns", "2026-03-02").metadata["dagster/partition_row_count"].value == 2
    assert newest(instance, "catalog", "2026-03-02").metadata["rows of calls"].value == 2


def test_a_failing_day_is_refused_and_the_others_are_published(workspace, land, instance, fail_check):
    land("2026-03-01", "2026-03-02", "2026-03-03")
    fail_check("2026-03-02")

    result = build(instance, last="2026-03-03")

    assert not result.success
    assert step_failures(result) == {
        "catalog": "1 of 3 days failed their checks and stay as they were: 2026-03-02 (unique_keys). "
        "The other days are published. A refused day is built again when its calls, the code or the checks change."
    }
    good = {"2026-03-01", "2026-03-03"}
    assert published_days(workspace) == good == materialized(instance, "catalog")
    assert failed(instance, "catalog") == {"2026-03-02"}
    assert [failed(instance, asset) for asset in CORE_AND_MARTS] == [set()] * 8, "all were built, if not published"
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey("catalog"))
    observed = instance.fetch_observations(wanted, limit=9).records
    assert [record.partition_key for record in observed] == ["2026-03-02"]
    reason = observed[0].event_log_entry.asset_observation.metadata["refused by"].value
    assert "| unique_keys | calls | 3 |" in reason


def test_a_refused_change_leaves_the_day_as_it_was(workspace, land, instance, fail_check):
    land("2026-03-01")
    build(instance)
    before = lakes.published_rows(workspace, date(2026, 3, 1))
    land("2026-03-01")
    fail_check("2026-03-01")

    assert not build(instance).success
    assert lakes.published_rows(workspace, date(2026, 3, 1)) == before


def test_verdicts_are_shown_by_day_on_the_materialization_they_checked(land, instance, fail_check):
    land("2026-03-01", "2026-03-02", "2026-03-03")
    fail_check("2026-03-02")
    build(instance, last="2026-03-03")

    key = dg.AssetCheckKey(dg.AssetKey("calls"), "unique_keys")
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
    found = [record.event.dagster_event.asset_check_evaluation_data for record in records if record.event]
    assert {(item.partition, item.passed) for item in found} == {
        ("2026-03-01", True),
        ("2026-03-02", False),
        ("2026-03-03", True),
    }
    assert all(item.target_materialization_data for item in found)


def test_only_changed_days_and_the_days_after_them_are_stale_until_built(workspace, land, instance):
    days = ("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04")
    land(*days)
    report_landed(instance, workspace)
    build(instance)
    assert staleness(instance, "calls", *days) == ["FRESH"] * 4

    land("2026-03-02")
    assert [str(day) for day in report_landed(instance, workspace)] == ["2026-03-02"]
    assert staleness(instance, "calls", *days) == ["FRESH", "STALE", "STALE", "FRESH"]
    assert staleness(instance, "transfer_legs", *days) == ["FRESH", "STALE", "STALE", "FRESH"]

    build(instance, "2026-03-02", "2026-03-03")
    assert staleness(instance, "calls", *days) == ["FRESH"] * 4
    assert staleness(instance, "call_metrics_daily", *days) == ["FRESH"] * 4
    assert staleness(instance, "catalog", *days) == ["FRESH"] * 4


def test_a_landed_day_is_observed_before_it_is_materialized(workspace, land, instance):
    land("2026-03-01", "2026-03-02")
    logged = []
    landed = state.load_landed(workspace.storage).value
    sync_landed_events(instance, landed, logged.append)
    assert [(type(event).__name__, event.partition) for event in logged] == [
        ("AssetObservation", "2026-03-02"),
        ("AssetMaterialization", "2026-03-02"),
        ("AssetObservation", "2026-03-01"),
        ("AssetMaterialization", "2026-03-01"),
    ]
    assert {event.tags["dagster/data_version"] for event in logged} == {day.digest for day in landed.days.values()}


def test_a_complete_version_is_used_again(workspace, land, instance):
    land("2026-03-01")
    build(instance)
    files = workspace.storage.list("days")
    stamps = [(workspace.storage.root / file.path).stat().st_mtime_ns for file in files]

    assert build(instance).success
    assert [(workspace.storage.root / file.path).stat().st_mtime_ns for file in files] == stamps
    assert workspace.storage.list("days") == files


def test_a_mart_alone_without_its_inputs_says_what_to_run(land, instance):
    land("2026-03-01")
    result = materialize_alone(instance, "2026-03-01", "call_metrics_daily")
    assert not result.success
    assert "build_days" in step_failures(result)["call_metrics_daily"]


def test_a_newer_version_published_meanwhile_stays(workspace, land, instance, once_before):
    """A run is between its core tables and its marts while the day changes and another run publishes the change."""
    land("2026-03-01")

    def overtake():
        land("2026-03-01")
        assert build(instance).success

    once_before(tables, "build_mart", overtake)
    assert build(instance).success
    assert [row["duration_seconds"] for row in lakes.published_rows(workspace, date(2026, 3, 1))["calls"]] == [61, 61]
    event = newest(instance, "catalog", "2026-03-01")
    published = state.load_manifest(workspace.storage).value.days[date(2026, 3, 1)]
    assert event.tags["dagster/data_version"] == published.version


def test_plans_are_dropped_once_all_is_published(workspace, land, instance, fail_check):
    land("2026-03-01")
    build(instance)
    assert not workspace.storage.list("state/builds")
    land("2026-03-01")
    fail_check("2026-03-01")
    result = build(instance)
    assert workspace.storage.size(layout.plan_file(result.run_id)), "a run that failed may be taken up again"


@pytest.mark.parametrize("asset", CORE_AND_MARTS)
def test_metadata_has_no_personal_data(land, instance, asset):
    land("2026-03-01")
    build(instance)
    event = newest(instance, asset, "2026-03-01")
    said = str(event.metadata) + str(event.tags)
    assert "5550100" not in said
    assert "parcel" not in said


def test_a_build_that_precedes_the_landed_events_is_not_stale_afterwards(workspace, land, instance):
    land("2026-03-01", "2026-03-02")
    build(instance)
    report_landed(instance, workspace)
    assert staleness(instance, "calls", "2026-03-01", "2026-03-02") == ["FRESH"] * 2
    assert materialized(instance, "landed_calls") == {"2026-03-01", "2026-03-02"}


DAY = "2026-03-01"
UP_TO_DATE = "Every landed day is published as it is."


def build_until(instance, last=DAY):
    return run_job("build_days", instance=instance, partition_range=(date.fromisoformat(DAY), date.fromisoformat(last)))


def shown(instance):
    """Return the version that the page of each table shows of the day."""
    return {newest(instance, asset, DAY).tags["dagster/data_version"] for asset in (*CORE_AND_MARTS, "catalog")}


def published(workspace):
    return state.load_manifest(workspace.storage).value.days[date.fromisoformat(DAY)].version


@pytest.fixture(params=["sync_landed_events", "build_mart"], ids=["before its core tables", "its marts"])
def overtaken(request, land, instance, once_before):
    """Let another run publish a newer version of the day once, before a run comes to a step."""

    def overtake():
        land(DAY)
        assert build_until(instance).success

    once_before(tables, request.param, overtake)


@pytest.mark.usefixtures("overtaken")
def test_a_run_that_another_overtook_is_not_what_is_shown(land, instance, workspace, tick):
    land(DAY, "2026-03-03")
    assert build_until(instance, last="2026-03-03").success
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
    assert build_until(instance).success
    assert staleness(instance, "calls", DAY) == ["FRESH"]


def test_tables_of_a_refused_day_show_what_was_built_and_not_what_is_published(land, instance, tick, fail_check):
    land(DAY)
    assert build_until(instance).success
    land(DAY)
    fail_check(DAY)
    assert not build_until(instance).success
    before = newest(instance, "calls", DAY).tags["dagster/data_version"]
    assert "1 failed their checks" in tick()
    assert newest(instance, "calls", DAY).tags["dagster/data_version"] == before


def test_a_table_that_failed_though_its_day_is_published_turns_green_again(land, instance, tick, monkeypatch):
    land(DAY)
    assert build_until(instance).success
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
        assert not build_until(instance).success
    assert failed(instance, "catalog") == {DAY}
    assert tick() == UP_TO_DATE
    assert failed(instance, "catalog") == set()
    assert "key figures" in newest(instance, "call_metrics_daily", DAY).metadata


DAYS = [date(2026, 3, day) for day in (1, 2, 3)]


def build_range(instance, first, last):
    return run_job("build_days", instance=instance, partition_range=(first, last))


@pytest.fixture
def three_published(land, instance, tick):
    land(*map(str, DAYS))
    assert build_range(instance, DAYS[0], DAYS[-1]).success
    assert tick() == UP_TO_DATE


def file_of(workspace, day, table):
    version = state.load_manifest(workspace.storage).value.days[day].version
    path = workspace.storage.root / f"days/call_date={day}/{version}/{table}.parquet"
    assert path.is_file()
    return path


@pytest.fixture(params=product(DAYS, ["calls", "call_metrics_daily"], ["gone", "cut short"]), ids=str)
def damaged(request, workspace, three_published):  # noqa: ARG001 - it is done before
    """A file of a published day that is gone, or cut short: its path, and what was in it."""
    day, table, how = request.param
    path = file_of(workspace, day, table)
    whole = path.read_bytes()
    path.chmod(0o640)
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[: len(whole) // 2])
    return path, whole


def test_a_damaged_file_of_a_published_day_is_made_again(land, instance, workspace, tick, damaged):
    path, whole = damaged
    land("2026-03-20")
    for _ in range(3):
        if tick() == UP_TO_DATE:
            break
        run_stale_days(instance)
    assert tick() == UP_TO_DATE
    assert path.read_bytes() == whole
    manifest = state.load_manifest(workspace.storage).value
    assert workspace.catalog.generation() == manifest.generation
    assert manifest.days.keys() == {*DAYS, date(2026, 3, 20)}


@pytest.mark.usefixtures("three_published")
def test_an_erasure_that_cannot_be_finished_keeps_no_day_from_being_built(land, instance, workspace, tick):
    require_same_settings(workspace.storage, workspace.table_settings)
    erasures = load_suppression_list(workspace.storage)
    erasures.add_call(f"call-{DAYS[0]}-1")
    erasures.commit(workspace.storage, [])
    raw = next((workspace.storage.root / f"raw/calls/call_date={DAYS[0]}").glob("*.parquet"))
    whole = raw.read_bytes()
    raw.chmod(0o640)
    raw.write_bytes(b"broken")
    land("2026-03-20")
    assert tick() == [("2026-03-20", "2026-03-20")]
    assert build_range(instance, date(2026, 3, 20), date(2026, 3, 20)).success
    with pytest.raises(dg.Failure, match="Nothing was erased"):
        tick()
    raw.write_bytes(whole)
    tick()
    assert load_suppression_list(workspace.storage).pending is None
