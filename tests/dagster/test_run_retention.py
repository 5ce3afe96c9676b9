"""Old runs and old output are deleted; runs whose events say what is built now stay."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from assets.instance import run_retention
from assets.instance.in_process_runs import run_job
from pipelines.lake import layout
from tests.support.dagster_runs import materialized, report_landed


@pytest.fixture
def later(monkeypatch):
    """Let 40 days pass for the code that deletes old runs."""

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz or UTC) + timedelta(days=40)

    monkeypatch.setattr(run_retention, "datetime", Later)


def build(instance, day):
    return run_job("build_days", instance=instance, partition_range=(date.fromisoformat(day),) * 2).run_id


def run_ids(instance):
    return {run.run_id for run in instance.get_runs()}


@pytest.mark.slow
@pytest.mark.usefixtures("later")
def test_only_superseded_old_runs_are_removed(workspace, land, instance):
    land("2026-03-01", "2026-03-05")
    report_landed(instance, workspace)
    superseded = build(instance, "2026-03-01")
    current = {build(instance, "2026-03-01"), build(instance, "2026-03-05")}

    result = run_job("purge_runs", instance=instance)
    assert result.success
    assert run_ids(instance) == current | {result.run_id}
    assert superseded not in run_ids(instance)
    assert materialized(instance, "catalog") == {"2026-03-01", "2026-03-05"}


@pytest.mark.slow
def test_young_runs_stay(land, instance):
    land("2026-03-01")
    runs = {build(instance, "2026-03-01"), build(instance, "2026-03-01")}
    run_job("purge_runs", instance=instance)
    assert runs < run_ids(instance)


@pytest.mark.slow
@pytest.mark.usefixtures("later")
def test_the_plan_and_the_logs_of_a_removed_run_go_with_it(workspace, land, fail_check, tmp_path):
    land("2026-03-01")
    fail_check("2026-03-01")
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        report_landed(instance, workspace)
        old = build(instance, "2026-03-01")
        build(instance, "2026-03-01")
        logs = tmp_path / "storage" / old / "compute_logs"
        assert logs.exists()
        assert workspace.storage.size(layout.plan_file(old))
        run_job("purge_runs", instance=instance)
        assert old not in run_ids(instance)
        assert not logs.exists()
    assert workspace.storage.size(layout.plan_file(old)) is None


@pytest.mark.usefixtures("workspace")
def test_old_output_is_deleted_whatever_printed_it_and_nothing_else(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        logs = tmp_path / "storage" / "repository" / "run_failure_alert"
        logs.mkdir(parents=True)
        other = tmp_path / "storage" / "kept" / "notes.txt"
        other.parent.mkdir()
        for path in (logs / "old.err", logs / "old.complete", other):
            path.write_text("long ago")
            os.utime(path, (0, 0))
        assert run_job("purge_runs", instance=instance).success
        assert not logs.parent.exists()
        assert other.exists()

        logs.mkdir(parents=True)
        (logs / "old.err").write_text("long ago")
        os.utime(logs / "old.err", (0, 0))
        (logs / "young.err").write_text("just now")
        run_job("purge_runs", instance=instance)
        assert [path.name for path in logs.iterdir()] == ["young.err"]
