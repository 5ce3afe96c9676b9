"""Calls that change: which of several versions counts, which changes a sync can find, and what becomes of the gone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.simulator.faults import parse_faults
from tests.support.extraction import call, landed_ids, raw_rows, synced
from tests.support.simulated import START, simulated_api, small_world

pytestmark = pytest.mark.slow

NAMES = [f"call-{number:03}" for number in range(150)]


def listing(**changed):
    """Calls of two and a half hours, newest first; `changed` gives one of them, by its number, other fields."""
    started = [START - timedelta(minutes=number) for number in range(len(NAMES))]
    times = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in started]
    fields = {int(name.removeprefix("call")): more for name, more in changed.items()}
    return [
        call(name, **{"createdAt": times[number], "cost": 1.5, **fields.get(number, {})})
        for number, name in enumerate(NAMES)
    ]


def rows_of(program, call_id, table="calls"):
    return [row for day in program.rows().values() for row in day[table] if row["call_id"] == call_id]


def test_17_of_a_call_that_is_twice_on_a_page_the_later_one_counts(program, serve):
    serve(items=listing(), faults=parse_faults("duplicate:every=1:place=0"))
    assert program.sync()["scan"]["calls_new"] == len(NAMES)
    (row,) = rows_of(program, NAMES[0])
    assert (row["status"], row["version_count"]) == ("in-progress", 1)
    assert sorted(version.call_id for day in program.versions().values() for version in day) == NAMES
    program.assert_tables_are_the_oracles()


def test_18_of_a_call_on_two_pages_the_one_that_was_read_last_counts(storage):
    older = listing(call95={"status": "ringing"})

    def lagging(request, respond):
        page = respond(request)  # the second one reaches back over the first one's last ten
        return page if request.number == 1 else replace(page, body=page.body.replace(listing()[95], older[95]))

    def landed():
        return [json.loads(row["payload"])["status"] for row in raw_rows(storage) if row["call_id"] == NAMES[95]]

    with simulated_api(items=listing(), faults=[lagging]) as api:
        assert synced(storage, api).complete
        assert landed() == ["ringing"]
        api.faults.clear()
        assert synced(storage, api, full=True).calls_changed == 1  # the next scan puts it right
    assert landed() == ["ringing", "completed"]


def test_19_a_call_that_goes_back_to_an_earlier_state_is_kept_as_it_is_now(program, serve):
    serve(items=listing())
    program.sync()
    serve(items=listing(call3={"status": "in-progress", "cost": None}))
    scan = program.sync("--full")["scan"]
    assert (scan["calls_new"], scan["calls_changed"]) == (0, 1)
    (row,) = rows_of(program, NAMES[3])
    assert (row["status"], row["is_terminal"], row["cost"], row["version_count"]) == ("in-progress", False, None, 2)
    program.assert_tables_are_the_oracles()


def test_20_a_change_within_the_lookback_is_found_by_any_sync_and_an_older_one_by_a_full_scan(storage):
    world = small_world(calls=300, days=6)
    old, recent = (json.loads(world.items()[place]) for place in (-1, 10))
    with simulated_api(world) as api:
        synced(storage, api)
        for one in (old, recent):
            world.replace(one["id"], {**one, "cost": 9.75})
        assert synced(storage, api, lookback_hours=24).calls_changed == 1
        assert landed_ids(storage).count(recent["id"]) == 2
        assert landed_ids(storage).count(old["id"]) == 1
        assert synced(storage, api, full=True).calls_changed == 1
    assert landed_ids(storage).count(old["id"]) == 2


def test_20_a_change_behind_the_place_of_reading_is_found_by_the_next_sync(storage):
    world = small_world(calls=300, days=1)
    passed = json.loads(world.items()[150])

    def update(request, respond):
        if request.number == 3:
            world.replace(passed["id"], {**passed, "cost": 9.75})
        return respond(request)

    with simulated_api(world, faults=[update]) as api:
        synced(storage, api)
        assert synced(storage, api).calls_changed == 1


def test_21_a_call_that_is_gone_from_a_whole_list_is_marked_and_stays(program, serve):
    serve(items=listing())
    program.sync()
    serve(items=[item for number, item in enumerate(listing()) if number != 7])
    assert program.sync("--full")["scan"]["calls_deleted"] == 1
    (row,) = rows_of(program, NAMES[7])
    assert row["deleted_at"] is not None
    assert sum(row["calls"] for day in program.rows().values() for row in day["call_metrics_daily"]) == len(NAMES) - 1
    serve(items=listing())
    program.sync("--full")
    (row,) = rows_of(program, NAMES[7])
    assert row["deleted_at"] is None
    program.assert_tables_are_the_oracles()


def test_21_a_part_of_a_list_marks_nothing(program, serve):
    serve(items=listing())
    program.sync()
    serve(items=listing()[7:])
    program.sync()
    assert program.sync("--full", "--max-pages", "1")["scan"]["calls_deleted"] == 0
    serve(items=listing()[7:], faults=parse_faults("status:code=404:every=1:after=2"))
    assert program("sync", "--full")[0] == 1
    assert [row for day in program.rows().values() for row in day["calls"] if row["deleted_at"]] == []


@pytest.mark.parametrize("left", [130, 0])
def test_21_many_that_are_gone_are_asked_about(program, serve, left):
    serve(items=listing())
    program.sync()
    serve(items=listing()[len(NAMES) - left :])
    code, _, err = program("sync", "--full")
    assert code == 1
    (line,) = [line for line in err.splitlines() if "incomplete" in line]
    assert f"{len(NAMES) - left} of 150 known calls" in line
    assert "--accept-deletions" in err
    assert program.sync("--accept-deletions")["scan"]["calls_deleted"] == len(NAMES) - left
    program.assert_tables_are_the_oracles()
