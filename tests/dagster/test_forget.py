"""An erasure in Dagster: the changed days are logged, and nothing about the person."""

from __future__ import annotations

from datetime import date

import pytest

from assets.events import CATALOG, LANDED, known_versions
from pipelines.lake import identity, state
from pipelines.materialize.days import build_days
from pipelines.privacy.forget import forget, read_request
from pipelines.suppression.suppression_list import load_suppression_list

DAYS = [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]


@pytest.fixture
def lake(workspace, land, tick):
    """A lake of three days that Dagster knows as they are."""
    identity.require_same_settings(workspace.storage, workspace.table_settings)
    land(*map(str, DAYS))
    build_days(workspace, DAYS)
    tick()
    return workspace


@pytest.mark.slow
def test_days_that_were_published_again_are_logged(lake, tick, instance):
    known = known_versions(instance, CATALOG)
    forget(lake, read_request(None, "call-2026-03-01-0"), lambda _: None)
    assert tick() == "Every landed day is published as it is."
    manifest, landed = state.load_manifest(lake.storage).value, state.load_landed(lake.storage).value
    assert known_versions(instance, CATALOG) == {day: manifest.days[day].version for day in DAYS}
    assert known_versions(instance, LANDED) == {day: landed.days[day].digest for day in DAYS}
    assert [day for day in DAYS if known[day] != manifest.days[day].version] == DAYS[:2]


def test_the_sensor_finishes_what_is_listed(lake, tick, instance):
    erasures = load_suppression_list(lake.storage)
    erasures.add_call("call-2026-03-02-1")
    erasures.commit(lake.storage, [])
    tick()
    assert load_suppression_list(lake.storage).pending is None
    assert state.load_manifest(lake.storage).value.days[DAYS[1]].rows["calls"] == 1
    events = instance.fetch_materializations(CATALOG, limit=99).records
    assert not any("call-2026" in repr(event) for event in events)
