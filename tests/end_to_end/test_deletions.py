"""Deleted and moved calls, from the API's list to the rows that readers see, through any history of an account."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.extract.landing.tombstones import DeletionGuard
from pipelines.lake.storage import Storage
from tests.oracle.compare import assert_same_tables
from tests.oracle.items import Version
from tests.oracle.tables import expected_lake
from tests.support.examples import examples
from tests.support.extraction import call, raw_rows, synced
from tests.support.lakes import build, oracle_shaping, workspace
from tests.support.simulated import simulated_api, small_world


@pytest.fixture
def world():
    return small_world(calls=60, days=3)


def items(world) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in map(json.loads, world.items())}


def with_legs(world, *, listed: bool) -> str:
    """Return a call that nests legs, of which some, or none, are listed as items too."""
    calls = items(world)
    legs = {name: {leg["id"] for leg in item.get("transferCalls") or ()} for name, item in calls.items()}
    return next(name for name, nested in legs.items() if nested and bool(nested & calls.keys()) == listed)


def rows(program, table: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the rows of a table over all days, each with its day, where columns have the wanted values."""
    return [
        {**row, "call_date": str(day)}
        for day, tables in program.rows().items()
        for row in tables[table]
        if all(row[name] == value for name, value in wanted.items())
    ]


def total(program, table: str, column: str) -> int:
    return sum(row[column] for row in rows(program, table))


def move(world, name: str, days: int) -> None:
    """Let a call be created so many days later, and be listed at the matching place."""
    item = items(world)[name]
    created = datetime.fromisoformat(item["createdAt"]) + timedelta(days=days)
    world.delete(name)
    world.insert({**item, "createdAt": created.isoformat()})


def lose(world, names: Iterable[str]) -> None:
    for name in names:
        world.delete(name)


def full(program) -> dict[str, Any]:
    report = program.sync("--full")
    program.assert_tables_are_the_oracles()
    return report["scan"]


@pytest.mark.slow
def test_a_deleted_call_keeps_its_row_and_leaves_the_metrics_with_its_legs(program, serve, world):
    name = with_legs(world, listed=True)
    legs = [leg["id"] for leg in items(world)[name]["transferCalls"]]
    serve(world)
    program.sync()
    before = {mart: total(program, mart, column) for mart, column in MARTS.items()}
    listed = items(world)
    lose(world, [name, *(leg for leg in legs if leg in listed)])
    scan = full(program)
    assert scan["calls_deleted"] == 1 + sum(leg in listed for leg in legs)
    assert scan["calls_moved"] == 0
    [row] = rows(program, "calls", call_id=name)
    assert row["deleted_at"] is not None
    assert row["version_count"] == 1
    gone = rows(program, "transfer_legs", call_id=name)
    assert len(gone) == len(legs)
    assert all(leg["deleted_at"] == row["deleted_at"] for leg in gone)
    after = {mart: total(program, mart, column) for mart, column in MARTS.items()}
    assert after == {
        "call_metrics_daily": before["call_metrics_daily"] - 1,
        "call_volume_hourly": before["call_volume_hourly"] - 1,
        "transfer_metrics_daily": before["transfer_metrics_daily"] - len(legs),
    }

    world.insert(listed[name])
    assert full(program)["calls_changed"] == 1
    [row] = rows(program, "calls", call_id=name)
    assert (row["deleted_at"], row["version_count"]) == (None, 2)
    assert total(program, "call_metrics_daily", "calls") == before["call_metrics_daily"]


MARTS = {"call_metrics_daily": "calls", "call_volume_hourly": "calls", "transfer_metrics_daily": "legs"}


@pytest.mark.slow
def test_a_moved_call_is_on_its_new_day_alone_in_every_table(program, serve, world):
    name = with_legs(world, listed=False)
    serve(world)
    program.sync()
    tables = ("calls", "transcript_turns", "transfer_legs", "call_attributes", "data_issues")
    before = {table: len(rows(program, table, call_id=name)) for table in tables}
    calls = total(program, "call_metrics_daily", "calls")
    [was] = {row["call_date"] for row in rows(program, "calls", call_id=name)}
    for days, versions in ((-7, 1), (7, 2)):
        move(world, name, days)
        assert full(program)["calls_moved"] == 1
        [row] = rows(program, "calls", call_id=name)
        assert (row["deleted_at"], row["version_count"]) == (None, versions)
        assert (row["call_date"] == was) == (days > 0)
        for table in tables:
            found = rows(program, table, call_id=name)
            assert len(found) == before[table]
            assert {one["call_date"] for one in found} <= {row["call_date"]}
        assert total(program, "call_metrics_daily", "calls") == calls
    assert full(program)["changed_days"] == []

    move(world, name, -7)
    full(program)
    world.delete(name)
    assert full(program)["calls_deleted"] == 1
    [row] = rows(program, "calls", call_id=name)
    assert row["deleted_at"] is not None
    assert row["call_date"] < was


@pytest.mark.slow
def test_a_day_whose_calls_have_all_moved_is_empty(program, serve):
    days = [f"2026-03-0{day}T10:00:0{n}Z" for day in (1, 2, 3) for n in range(3)]
    calls = {f"c{n}": {"id": f"c{n}", "createdAt": created} for n, created in enumerate(days)}
    serve(items=list(reversed(calls.values())))
    program.sync()
    for name in ("c0", "c1", "c2"):
        calls[name]["createdAt"] = "2026-03-02T09:00:00Z"
    serve(items=sorted(calls.values(), key=lambda item: item["createdAt"], reverse=True))
    assert full(program)["calls_moved"] == 3
    assert [len(tables["calls"]) for tables in program.rows().values()] == [0, 6, 3]


@pytest.mark.slow
def test_too_many_deletions_are_asked_about_and_accepted(program, serve, world, monkeypatch):
    serve(world)
    program.sync()
    known = len(items(world))
    lose(world, list(items(world))[:9])
    world.advance(hours=3)
    code, out, said = program("sync", "--full")
    assert code == 1
    assert out == ""
    assert (
        f"incomplete: 9 of {known} known calls are no longer listed, more than CHORUS_MAX_DELETED_SHARE allows" in said
    )
    assert said.splitlines()[-1].endswith("`chorus-calls sync --full --accept-deletions`.")
    # What the scan saw is built all the same, and an incremental sync is none the worse.
    assert rows(program, "calls", deleted_at=None) == rows(program, "calls")
    assert {row["call_id"] for row in rows(program, "calls")} > items(world).keys()
    assert program.sync()["scan"]["mode"] == "incremental"
    assert "incomplete (more known calls are no longer listed" in program("status")[1]

    code, out, _ = program("sync", "--accept-deletions")
    assert code == 0
    assert out.startswith("full scan complete")
    assert ", 9 deleted" in out
    assert len(rows(program, "calls")) - len(rows(program, "calls", deleted_at=None)) == 9
    program.assert_tables_are_the_oracles()
    assert ", full, complete, 9 deleted" in program("status")[1]
    question = "SELECT last_full_scan_calls_deleted, last_full_scan_calls_moved FROM data_freshness"
    assert program("query", "--csv", question)[1].split()[-1] == "9,0"

    lose(world, list(items(world))[:9])
    monkeypatch.setenv("CHORUS_MAX_DELETED_SHARE", "0.5")
    assert full(program)["calls_deleted"] == 9


FIRST = date(2026, 3, 1)

calls = st.sampled_from("abcde")
events = st.one_of(
    st.tuples(st.just("list"), calls, st.integers(0, 2)),  # new, or back, or on another day
    st.tuples(st.just("change"), calls, st.integers(0, 1)),
    st.tuples(st.just("delete"), calls, st.just(0)),
)
Pair = tuple[date, str]


@dataclass
class Account:
    """What an account lists, and what a lake knows of it after full scans.

    Attributes:
        listed: Each call's day and status.
        landed: The statuses that landed of each day's call.
        alive: The rows that tables have; False where the call is deleted.
    """

    listed: dict[str, tuple[date, str]] = field(default_factory=dict)
    landed: dict[Pair, list[str]] = field(default_factory=dict)
    alive: dict[Pair, bool] = field(default_factory=dict)

    def happen(self, what: str, name: str, number: int) -> None:
        day, status = self.listed.get(name, (FIRST, "0"))
        if what == "list":
            self.listed[name] = (FIRST + timedelta(days=number), status)
        elif what == "change" and name in self.listed:
            self.listed[name] = (day, str(number))
        elif what == "delete":
            self.listed.pop(name, None)

    def items(self) -> list[bytes]:
        newest_first = sorted(self.listed.items(), key=lambda item: item[1][0], reverse=True)
        return [call(name, createdAt=f"{day}T10:00:00Z", status=status) for name, (day, status) in newest_first]

    def scanned(self) -> None:
        pairs = {(day, name): status for name, (day, status) in self.listed.items()}
        for pair in set(self.alive) - set(pairs):
            if pair[1] in self.listed:
                del self.alive[pair]
            else:
                self.alive[pair] = False
        for pair, status in pairs.items():
            versions = self.landed.setdefault(pair, [])
            if not self.alive.get(pair) or versions[-1] != status:
                versions.append(status)
            self.alive[pair] = True

    def rows(self) -> dict[Pair, tuple[bool, str, int]]:
        return {pair: (alive, self.landed[pair][-1], len(self.landed[pair])) for pair, alive in self.alive.items()}


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(events, max_size=5), min_size=2, max_size=5))
def test_after_each_full_scan_the_tables_are_those_of_the_list(history):
    account = Account()
    with tempfile.TemporaryDirectory() as folder:
        lake = workspace(Path(folder) / "lake")
        for happened in history:
            for event in happened:
                account.happen(*event)
            with simulated_api(items=account.items()) as api:
                synced(lake.storage, api, full=True, guard=DeletionGuard(accepted=True))
            account.scanned()
            versions = landed_versions(lake.storage)
            built = build(lake, sorted(versions))
            assert account.rows() == {
                (day, row["call_id"]): (row["deleted_at"] is None, row["status"], row["version_count"])
                for day, tables in built.items()
                for row in tables["calls"]
            }
            for day, tables in expected_lake(versions, {}, oracle_shaping(lake)).items():
                assert_same_tables(built[day], tables)


def landed_versions(storage: Storage) -> dict[date, list[Version]]:
    days: dict[date, list[Version]] = {}
    for row in raw_rows(storage):
        version = Version(row["call_id"], row["payload"], row["landed_at"], row["payload_hash"] == "moved")
        days.setdefault(row["call_date"], []).append(version)
    return days
