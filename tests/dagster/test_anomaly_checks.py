"""Anomaly checks warn on the asset and day they are about, and never block publishing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from assets import checks
from assets.instance.in_process_runs import run_extract, run_job
from pipelines.lake import raw, state
from pipelines.materialize.anomalies import extract_anomalies
from pipelines.simulator.faults import parse_faults
from tests.oracle.items import Version
from tests.support import lakes
from tests.support.dagster_runs import run_stale_days
from tests.support.simulated import KEY, simulated_api, small_world


def build(instance, first, last):
    return run_job("build_days", instance=instance, partition_range=(first, last))


def verdicts(instance, asset, check):
    """Return the newest result of each day, or of the asset as a whole."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), check)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=200)
    # Of a check whose step did not run there is the plan alone.
    events = [record.event.dagster_event for record in reversed(history)]
    evaluations = [event for event in events if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    said = [event.asset_check_evaluation_data for event in evaluations]
    assert all(item.severity is dg.AssetCheckSeverity.WARN and not item.blocking for item in said)
    return {item.partition: item for item in said}


def land_calls(workspace, day, count, **fields):
    """Land so many calls on a day, named after it."""
    calls = [
        {"id": f"{day}-{number}", "status": "completed", "durationSeconds": 60, "cost": 0.1}
        | {"createdAt": f"{day}T12:00:00Z", "startedAt": f"{day}T12:00:00Z", "endedAt": f"{day}T12:01:00Z"}
        | fields
        for number in range(count)
    ]
    versions = [Version(call_id=call["id"], payload=json.dumps(call), landed_at=lakes.FIRST_LANDING) for call in calls]
    lakes.land(workspace, {day: versions}, name=f"file-{count}")


@pytest.mark.slow
def test_a_day_is_compared_with_the_days_that_were_published_before(workspace, instance):
    days = [date(2026, 3, 2) + timedelta(days=number) for number in range(9)]
    odd = days[7]
    for day in days:
        land_calls(workspace, day, 20, cost=0.2 if day == odd else 0.1)
    assert build(instance, days[0], days[-1]).success
    assert set(state.load_manifest(workspace.storage).value.days) == set(days), "warnings keep no day from readers"

    said = verdicts(instance, "call_metrics_daily", "cost_per_minute_normal")
    assert {day for day, item in said.items() if not item.passed} == {str(odd)}
    assert said[str(odd)].description == "A minute cost 0.2000; in 7 days before it was 0.1000 to 0.1000."
    assert said[str(odd)].metadata["cost per minute"].value == pytest.approx(0.2)
    assert "only 6 of the days before" in said[str(days[6])].description
    assert all(item.target_materialization_data for item in said.values())


@pytest.mark.slow
def test_missing_costs_and_unknown_outcome_values_are_reported_on_their_day(workspace, instance):
    days = [date(2026, 3, 2) + timedelta(days=number) for number in range(8)]
    for day in days[:-1]:
        land_calls(workspace, day, 20)
    build(instance, days[0], days[-2])
    land_calls(workspace, days[-1], 20, cost=None, status="teleported")
    assert build(instance, days[-1], days[-1]).success
    costs = verdicts(instance, "call_metrics_daily", "missing_cost_share_normal")
    shares = {day: item.metadata["share without cost"].value for day, item in costs.items() if not item.passed}
    assert shares == {str(days[-1]): 1.0}
    words = verdicts(instance, "data_issues", "outcome_values_known")
    assert {day: item.metadata["unknown words"].value for day, item in words.items() if not item.passed} == {
        str(days[-1]): 20
    }


@pytest.mark.slow
def test_a_day_with_few_calls_is_reported_once_it_is_over(workspace, instance):
    today = datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)
    for weeks in range(1, 5):
        for day in (today, yesterday):
            land_calls(workspace, day - timedelta(weeks=weeks), 30)
    land_calls(workspace, yesterday, 2)
    land_calls(workspace, today, 2)
    assert build(instance, yesterday - timedelta(weeks=4), today).success
    said = verdicts(instance, "call_metrics_daily", "call_volume_normal")
    assert {day for day, item in said.items() if not item.passed} == {str(yesterday)}
    assert said[str(today)].description == "The day is not over."


def test_a_crash_of_the_anomaly_checks_blocks_no_publishing(workspace, land, instance, monkeypatch):
    land("2026-03-01")

    def fall_over(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(checks, "daily_anomalies", fall_over)
    assert not build(instance, date(2026, 3, 1), date(2026, 3, 1)).success
    assert list(state.load_manifest(workspace.storage).value.days) == [date(2026, 3, 1)]
    assert run_stale_days(instance) == []


@pytest.mark.slow
def test_days_beside_a_refused_one_are_checked_and_so_is_that_one(land, instance, fail_check):
    land("2026-03-01", "2026-03-02")
    fail_check("2026-03-02")
    assert not build(instance, date(2026, 3, 1), date(2026, 3, 2)).success
    assert set(verdicts(instance, "data_issues", "outcome_values_known")) == {"2026-03-01", "2026-03-02"}


@pytest.fixture
def api(workspace, monkeypatch):  # noqa: ARG001 - the settings of this machine are out of the way
    with simulated_api(small_world(calls=90, days=3), clock=lambda: datetime.now(UTC)) as running:
        monkeypatch.setenv("CHORUS_API_URL", running.url)
        monkeypatch.setenv("CHORUS_API_KEY", KEY)
        monkeypatch.setenv("CHORUS_RETRY_SECONDS", "0")
        yield running


@pytest.mark.slow
def test_the_extract_is_checked_for_its_last_full_scan_and_rejected_items(api, workspace, instance):
    def said(check):
        (found,) = verdicts(instance, "call_pages", check).values()
        return found

    assert run_extract(instance).success
    assert said("last_full_scan_complete").passed
    assert said("no_rejected_items").passed
    assert said("recent_call_volume_normal").passed

    api.faults.extend(parse_faults("server_error:every=2"))
    assert not run_extract(instance, full=True).success
    api.faults.clear()
    today = datetime.now(UTC)
    item = Version(call_id=None, payload='"no call"', landed_at=today)
    lakes.land(workspace, {today.date(): [item]}, kind=raw.REJECTED, name="rejected")
    assert run_extract(instance).success
    assert not said("last_full_scan_complete").passed
    assert not said("no_rejected_items").passed
    assert said("no_rejected_items").metadata["rejected items"].value == 1


@pytest.mark.slow
def test_an_hour_with_nothing_new_costs_one_run_of_two_steps(api, instance):  # noqa: ARG001 - serves the calls
    run_extract(instance)
    run_stale_days(instance)
    before = instance.get_runs_count()
    again = run_extract(instance)
    assert run_stale_days(instance) == []
    assert instance.get_runs_count() == before + 1
    steps = {event.step_key for event in again.all_events if event.is_step_start}
    assert steps == {"call_pages", "extract_anomaly_checks"}


@pytest.mark.slow
def test_days_that_wait_to_be_built_do_not_count_as_low_volume(workspace, instance):
    today = datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)
    for weeks in range(1, 5):
        land_calls(workspace, yesterday - timedelta(weeks=weeks), 30)
    build(instance, yesterday - timedelta(weeks=4), yesterday)
    assert not extract_anomalies(workspace, today)["recent_call_volume_normal"].passed
    land_calls(workspace, yesterday, 30)
    assert extract_anomalies(workspace, today)["recent_call_volume_normal"].passed
