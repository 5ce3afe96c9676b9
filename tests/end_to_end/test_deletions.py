"""Deleted and moved calls, from the API's list to the rows that readers see."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.simulated import small_world

pytestmark = pytest.mark.slow


@pytest.fixture
def world():
    return small_world(calls=60, days=3)


def items(world) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in map(json.loads, world.items())}


def with_legs(world, *, listed: bool) -> str:
    """A call that nests legs, of which some, or none, are listed as items too."""
    calls = items(world)
    legs = {name: {leg["id"] for leg in item.get("transferCalls") or ()} for name, item in calls.items()}
    return next(name for name, nested in legs.items() if nested and bool(nested & calls.keys()) == listed)


def rows(program, table: str, **wanted: Any) -> list[dict[str, Any]]:
    """The rows of a table over all days, each with its day, where columns have the wanted values."""
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
