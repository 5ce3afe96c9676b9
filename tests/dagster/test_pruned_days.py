"""Days that were pruned: no run brings them back, and none fails for them."""

from __future__ import annotations

from datetime import date

import pytest

from assets.instance.in_process_runs import run_job
from assets.resources import LakeResource
from pipelines.lake import state
from pipelines.lake.identity import require_same_settings
from pipelines.lake.maintenance.retention import raise_floor
from pipelines.workflows.prune import prune
from tests.support.dagster_runs import materialized

DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4)]
FLOOR = DAYS[2]


@pytest.fixture
def built(workspace, land, instance):
    """A lake whose days were landed and built through Dagster."""
    require_same_settings(workspace.storage, workspace.table_settings)
    land(*map(str, DAYS))
    assert build(instance).success
    return workspace


def build(instance, first=DAYS[0], last=DAYS[-1]):
    return run_job("build_days", instance=instance, partition_range=(first, last))


def published(workspace):
    return sorted(state.load_manifest(workspace.storage).value.days)


@pytest.mark.slow
def test_the_sensor_asks_for_the_first_day_that_is_kept_and_for_no_other(built, tick, instance):
    prune(built, FLOOR, notify=print)
    assert published(built) == DAYS[2:]
    assert tick() == [(str(FLOOR), str(FLOOR))]
    assert build(instance, FLOOR, FLOOR).success
    assert tick() == "Every landed day is published as it is."
    assert materialized(instance, "catalog") == {*map(str, DAYS)}, "Dagster cannot forget single partitions"


@pytest.mark.slow
def test_a_prune_that_was_cut_off_is_ended_by_the_sensor(built, tick):
    raise_floor(built.storage, FLOOR)
    tick()
    assert published(built) == DAYS[2:]


@pytest.mark.slow
def test_it_is_ended_too_where_nothing_is_left_that_has_landed(built, tick):
    landed = state.load_landed(built.storage)
    landed.value.days.clear()
    state.commit(built.storage, landed)
    raise_floor(built.storage, date(2026, 4, 1))
    tick()
    assert published(built) == []
    assert tick() == "Nothing has landed yet."


@pytest.mark.slow
def test_a_person_who_builds_them_builds_nothing(built, instance):
    prune(built, FLOOR, notify=print)
    assert build(instance, *DAYS[:2]).success
    assert published(built) == DAYS[2:]


@pytest.mark.slow
def test_a_run_at_work_leaves_them_alone_from_then_on(built, land, instance, monkeypatch, tick):
    land(str(DAYS[1]), str(DAYS[3]))
    open_lake, opened = LakeResource.workspace, []

    def workspace(self):
        if len(opened) == 1:  # the core tables are built, and the marts are not
            opened.append("pruned")
            prune(built, FLOOR, notify=print)
        opened.append("opened")
        return open_lake(self)

    with monkeypatch.context() as patch:
        patch.setattr(LakeResource, "workspace", workspace)
        assert build(instance).success
    assert opened[:3] == ["opened", "pruned", "opened"]
    assert published(built) == DAYS[2:]
    assert not built.storage.list(f"days/call_date={DAYS[1]}")
    assert tick() == [(str(FLOOR), str(FLOOR))]
