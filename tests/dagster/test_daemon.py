"""A machine that loses its power again and again while calls change: in the end it shows what a new one would.

SEED says which world, moves and moments.
"""

from __future__ import annotations

import json
import os
import random
import time
from datetime import date, timedelta

import dagster as dg
import pytest
from dagster import RunsFilter
from dagster._core.definitions.selector import (
    PartitionRangeSelector,
    PartitionsByAssetSelector,
    PartitionsSelector,
)
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill

from assets.automation.stale_days import build_queue
from assets.definitions import defs
from assets.partitions import days_of
from pipelines.lake.state import load_landed
from pipelines.materialize.days import build_days
from tests.support import lake_contents as contents
from tests.support import lakes
from tests.support.daemon_machine import CODE, DAEMON, UNWANTED, machine
from tests.support.dagster_runs import CORE_AND_MARTS, failed, materialized, staleness
from tests.support.extraction import synced
from tests.support.processes import eventually
from tests.support.simulated import KEY, simulated_api, small_world

pytestmark = pytest.mark.service

SEED = int(os.environ.get("SEED", "1"))
POWER_CUTS = [(DAEMON,), (CODE, DAEMON), (CODE, DAEMON)]
"""What loses its power, one cut after the other: the daemon alone, or everything with active runs."""
LONGEST_WAIT = 4.0
BAD = date(2026, 3, 3)
EVALUATION = dg.DagsterEventType.ASSET_CHECK_EVALUATION
TABLES = ("calls", "transfer_legs", "call_metrics_daily", "catalog")


def move(world, chance):
    """Let an hour pass, and change calls of any day."""
    world.advance(hours=1)
    for item in chance.sample(world.items(), 3):
        call = json.loads(item)
        call["metadata"] = {**(call.get("metadata") or {}), "moved": chance.randrange(1_000_000)}
        world.replace(call["id"], call)


def let_bad_call_in(world):
    """Let the API list a call of that day which is somebody else's; returns how to take it back."""
    items = [json.loads(item) for item in world.items()]
    call = next(call for call in items if call["createdAt"].startswith(str(BAD)) and not call.get("parentCallId"))
    world.replace(call["id"], {**call, "agentId": UNWANTED})
    return lambda: world.replace(call["id"], call)


def fresh_load(folder, api):
    """Return the rows of another lake that is loaded from the same API now."""
    other = lakes.workspace(folder)
    synced(other.storage, api, full=True)
    for day in load_landed(other.storage).value.days:
        build_days(other, [day])
    return {day: contents.comparable(tables) for day, tables in contents.rows(folder).items()}


def shown(lake):
    """Return the rows that readers see."""
    return {day: contents.comparable(tables) for day, tables in contents.rows(lake).items()}


def verdicts(instance, day):
    """Return what the newest judgement of a day says of the check that the bad call fails."""
    key = dg.AssetCheckKey(dg.AssetKey("calls"), "unique_keys")
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    events = [record.event.dagster_event for record in records]
    found = [event.asset_check_evaluation_data for event in events if event.event_type is EVALUATION]
    return next(item.passed for item in found if item.partition == str(day))


def backfilled(instance, days):
    """Run a backfill of all tables and the catalog, as the UI launches it, once it is over."""
    chosen = PartitionsSelector(ranges=[PartitionRangeSelector(start=days[0], end=days[-1])])
    backfill = PartitionBackfill.from_partitions_by_assets(
        backfill_id="of-all-days",
        asset_graph=defs.resolve_asset_graph(),
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=instance,
        partitions_by_assets=[
            PartitionsByAssetSelector(asset_key=dg.AssetKey(asset), partitions=chosen)
            for asset in (*CORE_AND_MARTS, "catalog")
        ],
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)

    def over():
        found = instance.get_backfill(backfill.backfill_id)
        return found if found.status in BULK_ACTION_TERMINAL_STATUSES else None

    return eventually(over, "the end of the backfill")


@pytest.fixture
def world():
    return small_world(seed=SEED, calls=60, days=3)


@pytest.fixture
def api(world, workspace, monkeypatch):  # noqa: ARG001 - the settings of the programs come from there
    with simulated_api(world) as running:
        monkeypatch.setenv("CHORUS_API_KEY", KEY)
        monkeypatch.setenv("CHORUS_API_URL", running.url)
        yield running


def test_no_change_is_lost_whenever_the_power_goes(workspace, world, api, tmp_path):
    chance = random.Random(SEED)
    lake = workspace.settings.lake_path
    with machine(tmp_path) as server:
        instance = server.instance

        def at_rest(waiting):
            """Return whether everything has been read, and all days are published but some that wait."""
            if not server.has_read() or instance.get_runs_count(server.unfinished):
                return False
            due = build_queue(instance, workspace)
            return set(due.stale) == due.refused == waiting and failed(instance, "catalog") == {*map(str, waiting)}

        server.start()
        eventually(lambda: at_rest(set()), "the first load")
        before = shown(lake)
        take_back = let_bad_call_in(world)
        for what in POWER_CUTS:
            move(world, chance)
            server.move()
            eventually(server.works, "an active run")
            time.sleep(chance.uniform(0, LONGEST_WAIT))
            server.cut(*what)
            server.start()

        eventually(lambda: at_rest({BAD}), "that all days are published but the bad one")
        assert shown(lake)[BAD] == before[BAD]
        assert not verdicts(instance, BAD)
        fresh = fresh_load(tmp_path / "fresh", api)
        assert {day: rows for day, rows in shown(lake).items() if day != BAD} == {
            day: rows for day, rows in fresh.items() if day != BAD
        }
        assert fresh[BAD] != before[BAD]

        take_back()
        server.move()
        eventually(lambda: at_rest(set()), "that the bad day is published once it is repaired")
        assert verdicts(instance, BAD)
        assert shown(lake) == fresh_load(tmp_path / "fresh again", api)
        days = [str(day) for day in fresh]
        for table in TABLES:
            assert materialized(instance, table) == set(days)
            assert staleness(instance, table, *days) == ["FRESH"] * len(days), table

        with_a_hole = [str(min(fresh) - timedelta(days=1)), *days]
        backfill = backfilled(instance, with_a_hole)
        assert backfill.status is BulkActionStatus.COMPLETED_SUCCESS
        (run,) = instance.get_runs(RunsFilter(tags={"dagster/backfill": backfill.backfill_id}))
        assert days_of(run.tags) == list(map(date.fromisoformat, with_a_hole))
