"""Faults of the list: lying pages, totals and orders, and a list that moves while it is read."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import requests

from pipelines.simulator.faults import parse_faults
from tests.support.simulated import KEY, simulated_api, small_world


def get(api, limit, offset):
    return requests.get(
        f"{api.url}/calls", {"limit": limit, "offset": offset}, headers={"Authorization": f"Bearer {KEY}"}, timeout=10
    ).json()


def ids(page):
    return [item["id"] for item in page["data"]]


def world_ids(world):
    return [json.loads(item)["id"] for item in world.items()]


def pages(text, *asked, order="newest", world=None):
    """Return the ids of pages, and of the whole list before and after."""
    world = world or small_world()
    before = world_ids(world)
    with simulated_api(world, faults=parse_faults(text), order=order) as api:
        shown = [ids(get(api, limit, offset)) for limit, offset in asked]
    return shown, before, world_ids(world)


def test_more_may_come_than_was_asked_for():
    [shown], before, _ = pages("more:count=20", (30, 10))
    assert shown == before[10:60]


def test_a_page_in_the_middle_may_be_short_once():
    shown, before, _ = pages("short_page:every=1:place=45:missing=7:times=1", (20, 20), (20, 40), (20, 40))
    assert shown == [before[20:40], before[40:53], before[40:60]]


def test_a_page_in_the_middle_may_be_empty_for_ever():
    shown, before, _ = pages("empty_page:every=1:place=45", (20, 20), (20, 40), (20, 40), (20, 60))
    assert shown == [before[20:40], [], [], before[60:80]]


def test_the_last_page_may_come_for_ever():
    shown, before, _ = pages("repeat_last", (20, 100), (20, 1_000), (20, 2_000))
    assert shown == [before[100:120], before[-20:], before[-20:]]


def test_the_offset_may_be_ignored():
    shown, before, _ = pages("ignore_offset", (20, 0), (20, 60))
    assert shown == [before[:20]] * 2


def test_pages_may_come_in_a_cycle():
    shown, before, _ = pages("cycle:calls=40", (20, 0), (20, 20), (20, 40), (20, 60), (20, 70))
    assert shown == [before[:20], before[20:40], before[:20], before[20:40], before[30:40]]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("small", 60),
        ("large", 340),
        ("zero", 0),
        ("changing", 170),
        ("null", None),
        ("text", "120"),
        ("negative", -1),
        ("fraction", 120.5),
    ],
)
def test_the_total_may_be_a_lie(form, said):
    items = [{"id": str(number)} for number in range(120)]
    with simulated_api(items=items, faults=parse_faults(f"total:form={form}")) as api:
        page = get(api, 20, 10)
    assert len(page["data"]) == 20
    assert page["pagination"] == {"total": said, "limit": 20, "offset": 10}


def test_the_total_or_all_of_the_pagination_may_be_missing():
    with simulated_api(faults=parse_faults("total:form=missing")) as api:
        assert get(api, 20, 10)["pagination"] == {"limit": 20, "offset": 10}
    with simulated_api(faults=parse_faults("total:form=no_pagination")) as api:
        assert get(api, 20, 10).keys() == {"data"}


def test_the_order_may_turn_in_the_middle():
    shown, before, _ = pages("order:form=oldest:after=1", (20, 0), (20, 20))
    assert shown == [before[:20], before[::-1][20:40]]


def test_a_list_shuffled_once_stays_so_though_calls_come():
    world = small_world()
    [first], before, _ = pages("", (100, 0), order="shuffled_once", world=world)
    world.insert({"id": "new", "createdAt": "2026-03-04T16:30:00Z"})
    [second], _, _ = pages("", (100, 0), order="shuffled_once", world=world)
    assert first not in (before[:100], before[::-1][:100])
    without = [name for name in second if name != "new"]
    assert without == first[: len(without)]


@pytest.mark.parametrize("served", ["world", "items"])
def test_calls_of_the_same_minute_may_swap_places_at_each_request(served):
    items = [
        {"id": f"{number}", "createdAt": f"2026-03-04T10:{number // 10:02}:{number % 10:02}Z"} for number in range(60)
    ]
    world = small_world(calls=0) if served == "world" else None
    for item in items if world else ():
        world.insert(item)
    with simulated_api(world, **({} if world else {"items": items}), order="ties") as api:
        shown = [get(api, 60, 0)["data"] for _ in range(2)]
    minutes = [[item["createdAt"][:16] for item in page] for page in shown]
    assert minutes[0] == minutes[1] == sorted(minutes[0], reverse=True)
    assert shown[0] != shown[1]
    assert sorted(item["id"] for item in shown[0]) == sorted(item["id"] for item in items)


def test_a_call_may_be_on_a_page_twice_with_differing_content():
    with simulated_api(faults=parse_faults("duplicate:every=1")) as api:
        page = get(api, 20, 50)["data"]
        nothing = get(api, 20, 1_000)["data"]
    assert page[-1]["id"] == page[0]["id"]
    assert page[-1]["status"] == "in-progress" != page[0]["status"]
    assert (len(page), nothing) == (21, [])


def test_the_calls_may_be_somebody_elses():
    with simulated_api(faults=parse_faults("other_account:after=1")) as api:
        ours, theirs = ({item["organizationId"] for item in get(api, 20, 0)["data"]} for _ in range(2))
    assert theirs == {"org_of_somebody_else"}
    assert theirs != ours


@pytest.mark.parametrize("served", ["world", "items"])
def test_calls_may_come_at_the_head_between_pages(served):
    world = small_world()
    settings = {"items": [json.loads(item) for item in world.items()]} if served == "items" else {"world": world}
    with simulated_api(**settings, faults=parse_faults("insertions:every=2:count=3")) as api:
        shown = [ids(get(api, 20, 20 * number)) for number in range(3)]
        after = ids(get(api, 100, 0))
    before = [json.loads(item)["id"] for item in small_world().items()]
    assert shown[0] == before[:20]
    assert shown[1] == before[17:37]
    assert len(set(after[:6]) - set(before)) == 6
    assert after[6:] == before[:94]


@pytest.mark.parametrize(
    ("where", "gone"), [("before", slice(0, 40)), ("behind", slice(60, None)), ("anywhere", slice(0, None))]
)
def test_calls_may_vanish_between_pages(where, gone):
    [_, shown], before, after = pages(f"deletions:every=2:count=4:where={where}", (20, 0), (20, 40))
    lost = [name for name, count in (Counter(before) - Counter(after)).items() for _ in range(count)]
    assert len(lost) == 4
    assert all(before.index(name) in range(len(before))[gone] for name in lost)
    assert shown == after[40:60]


def test_nothing_vanishes_before_the_head():
    _, before, after = pages("deletions:every=1:where=before", (20, 0))
    assert before == after


@pytest.mark.parametrize("served", ["world", "items"])
def test_calls_may_move_to_the_head(served):
    world = small_world()
    before = world_ids(world)
    settings = {"items": world.items()} if served == "items" else {"world": world}
    with simulated_api(**settings, faults=parse_faults("moves:every=2:count=2:times=1")) as api:
        first, second = (ids(get(api, 20, offset)) for offset in (0, 20))
        head = ids(get(api, 100, 0))
    moved = head[:2]
    assert first == before[:20]
    assert second == head[20:40]
    assert head[2:] == [name for name in before if name not in moved][:98]
    assert moved != before[:2]


def test_calls_may_change_in_their_places():
    world = small_world()
    old = world.items()
    pages("updates:every=2:count=3", (20, 0), (20, 20), world=world)
    changed = [(json.loads(one), json.loads(two)) for one, two in zip(old, world.items(), strict=True) if one != two]
    assert 1 <= len(changed) <= 3
    assert all({**one, "cost": two["cost"]} == two for one, two in changed)


def test_a_list_that_cannot_be_changed_stays():
    class Still:
        def page(self, _order, offset, limit, *, draw):  # noqa: ARG002
            return [b'{"id":"a"}'][offset : offset + limit], 1

    with simulated_api(Still(), faults=parse_faults("deletions:every=1:where=anywhere")) as api:
        assert ids(get(api, 1, 0)) == ["a"]
