"""A fault in one day's files, or in an erasure, costs that day alone: the others are built, and the tick says why."""

from __future__ import annotations

from datetime import date
from itertools import product

import dagster as dg
import pytest

from assets.instance.in_process_runs import run_job
from pipelines.lake import state
from pipelines.lake.identity import require_same_settings
from pipelines.suppression.suppression_list import load_suppression_list
from tests.support.dagster_runs import run_stale_days

pytestmark = pytest.mark.slow

DAYS = [date(2026, 3, day) for day in (1, 2, 3)]
UP_TO_DATE = "Every landed day is published as it is."


def build(instance, first, last):
    return run_job("build_days", instance=instance, partition_range=(first, last))


@pytest.fixture
def published_days(land, instance, tick):
    land(*map(str, DAYS))
    assert build(instance, DAYS[0], DAYS[-1]).success
    assert tick() == UP_TO_DATE


def file_of(workspace, day, table):
    version = state.load_manifest(workspace.storage).value.days[day].version
    path = workspace.storage.root / f"days/call_date={day}/{version}/{table}.parquet"
    assert path.is_file()
    return path


@pytest.fixture(params=product(DAYS, ["calls", "call_metrics_daily"], ["gone", "cut short"]), ids=str)
def damaged(request, workspace, published_days):  # noqa: ARG001 - it is done before
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


@pytest.mark.usefixtures("published_days")
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
    assert build(instance, date(2026, 3, 20), date(2026, 3, 20)).success
    with pytest.raises(dg.Failure, match="Nothing was erased"):
        tick()
    raw.write_bytes(whole)
    tick()
    assert load_suppression_list(workspace.storage).pending is None
