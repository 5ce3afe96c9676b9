"""The suppression list recognizes erased customers and reveals nobody; the filter keeps what of them may land."""

from __future__ import annotations

import json
from datetime import date

import pytest

from pipelines.lake import layout, raw
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.retention import raise_floor
from pipelines.suppression.filter import is_erased_rejected_item, open_filter, without_erased
from pipelines.suppression.identifiers import Identifiers, Leg, read_identifiers, without_legs
from pipelines.suppression.suppression_list import customers_number, load_suppression_list
from tests.extract.test_landing import land
from tests.support.extraction import call, raw_rows
from tests.support.small_lake import SmallLake

NUMBER = "+15550100123"


@pytest.fixture
def storage(tmp_path):
    return SmallLake(tmp_path / "lake").storage


def listed(storage):
    """Return a list with one of each."""
    erasures = load_suppression_list(storage)
    erasures.add_number(customers_number(NUMBER))
    erasures.add_call("call-1")
    erasures.add_leg("leg-1")
    erasures.add_item("hash-1")
    erasures.commit(storage, [date(2026, 3, 2)])
    return erasures


def test_no_list_covers_nothing_and_is_not_made(storage):
    erasures = load_suppression_list(storage)
    assert erasures.empty
    assert erasures.pending is None
    assert not (erasures.covers_number(NUMBER))
    assert not (erasures.covers_call("a"))
    assert not (erasures.covers_leg("a"))
    assert storage.size(layout.ERASED) is None


def test_what_was_listed_is_known_again(storage):
    listed(storage)
    again = load_suppression_list(storage)
    assert not again.empty
    assert again.pending == [date(2026, 3, 2)]
    assert again.covers_call("call-1")
    assert again.covers_leg("leg-1")
    assert again.covers_item("hash-1")
    assert again.covers_number(NUMBER)
    again.commit(storage, None)
    assert load_suppression_list(storage).pending is None


def test_kinds_are_kept_apart(storage):
    erasures = listed(storage)
    assert not (erasures.covers_call("leg-1"))
    assert not (erasures.covers_leg("call-1"))
    assert not (erasures.covers_item("call-1"))
    assert not (erasures.covers_call(None))
    assert not (erasures.covers_leg(None))
    assert not (erasures.covers_number(None))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("+1 (555) 010-0123", True),
        ("tel:+1-555-010-0123", True),
        ("0015550100123", True),
        ("001 555 010 0123", True),
        ("+15550100124", False),
        ("15550100123", False),
        ("5550100123", False),
        ("anonymous", False),
        ("sip:+15550100123@example.com", False),
        ("00", False),
        ("", False),
    ],
)
def test_a_number_is_one_in_each_spelling_that_has_its_country_code(storage, text, same):
    assert listed(storage).covers_number(text) is same


def test_the_list_gives_nobody_away(storage, tmp_path):
    listed(storage)
    other = listed(LocalStorage(tmp_path / "other"))
    kept = storage.read(layout.ERASED)
    assert not any(text in kept for text in (b"5550100123", b"call-1", b"leg-1", b"hash-1"))
    assert other.alias("call-1") != load_suppression_list(storage).alias("call-1"), "each list has its own salt"


def test_what_is_added_twice_is_no_news(storage):
    erasures = listed(storage)
    additions = erasures.additions
    erasures.add_call("call-1")
    assert erasures.additions == additions
    erasures.add_call("call-2")
    assert erasures.additions == additions + 1


@pytest.fixture
def erasures(storage):
    found = load_suppression_list(storage)
    found.add_number(customers_number(NUMBER))
    found.add_call("gone")
    found.add_leg("gone-leg")
    found.commit(storage, None)
    return found


def test_traces_are_read_from_a_call_as_documented():
    legs = [{"id": "l1", "customerNumber": "+1555"}, {"id": None}]
    item = call("a", parentCallId="p", customerNumber="+1444", transferCalls=legs)
    assert read_identifiers(item) == Identifiers(("a",), ("p",), ("+1444",), (Leg("l1", "+1555"), Leg(None, None)))


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (b'{"id": 7, "customerNumber": 15550100123}', Identifiers(("7",), (), ("15550100123",))),
        (b'{"customerNumber": "+1", "customerNumber": "+2"}', Identifiers((), (), ("+1", "+2"))),
        (
            b'{"id": "a", "cost": NaN, "transferCalls": [7, null, {"id": "l"}]}',
            Identifiers(("a",), (), (), (Leg(None, None), Leg(None, None), Leg("l", None))),
        ),
        (b'{"id": " ", "parentCallId": null, "transferCalls": {}}', Identifiers()),
        (b'{"metadata": {"id": "m", "customerNumber": "+3"}, "id": "a"}', Identifiers(("a",))),
        (b"[1]", Identifiers()),
        (b"{", Identifiers()),
    ],
)
def test_traces_are_read_from_odd_items_too(item, found):
    assert read_identifiers(item) == found


def test_a_leg_is_taken_out_and_all_else_stays_as_it_was_sent():
    item = b'{ "id":"a" ,\n "transferCalls" : [ {"id":"l1"} , {"id":"l2", "x":"[,\\"]"} ,{"id":"l3"} ], "cost": 1.50 }'
    assert without_legs(item, lambda leg: leg.leg_id == "l2") == (
        b'{ "id":"a" ,\n "transferCalls" : [ {"id":"l1"} ,{"id":"l3"} ], "cost": 1.50 }'
    )
    assert without_legs(item, lambda _: True) == b'{ "id":"a" ,\n "transferCalls" : [], "cost": 1.50 }'
    assert without_legs(item, lambda _: False) == item


@pytest.mark.parametrize(
    "item",
    [
        call("gone"),
        call("a", customerNumber="+1 555 010 0123"),
        call("a", parentCallId="gone"),
        call("gone-leg", parentCallId="somebody"),
        b'{"id": "a", "customerNumber": "+15550100123", "customerNumber": null}',
    ],
)
def test_nothing_stays_of_what_is_erased(erasures, item):
    assert without_erased(erasures, item) is None


@pytest.mark.parametrize(
    "item",
    [
        call("a", customerNumber="+15550100124", transferCalls=[{"id": "l", "customerNumber": None}]),
        call("gone-leg"),
        call("gone-leg", transferCalls=[{"id": "gone-leg"}]),
        call("a", metadata={"number": NUMBER, "id": "gone"}, transcript=[{"role": "user", "content": NUMBER}]),
    ],
    ids=["another", "a root call with a leg's id", "a call that nests its own id", "a mention"],
)
def test_what_is_not_erased_stays_as_it_is(erasures, item):
    assert without_erased(erasures, item) is item


def test_what_goes_is_known_by_id_from_then_on(erasures):
    assert without_erased(erasures, call("b", customerNumber=NUMBER)) is None
    assert without_erased(erasures, call("c", parentCallId="b")) is None
    assert without_erased(erasures, call("d", parentCallId="c")) is None
    call_with_leg = call("e", transferCalls=[{"id": "l", "customerNumber": NUMBER}])
    assert json.loads(without_erased(erasures, call_with_leg))["transferCalls"] == []
    assert without_erased(erasures, call("l", parentCallId="e")) is None
    assert json.loads(without_erased(erasures, call("e", transferCalls=[{"id": "l"}])))["transferCalls"] == []


@pytest.mark.parametrize(
    "item",
    [b"gone", b'["gone"]', b'{"x": {"y": "+1 555 010 0123"}}', b'{"\\u0067one": 1}', b'{"a": "001 555 010 0123"'],
)
def test_an_oddity_goes_by_any_of_its_values(erasures, item):
    assert is_erased_rejected_item(erasures, item)


@pytest.mark.parametrize("item", [b"null", b'{"a": "gone away"}', b'{"a": "+15550100124"}', b""])
def test_another_oddity_stays(erasures, item):
    assert not is_erased_rejected_item(erasures, item)


@pytest.mark.usefixtures("erasures")
def test_landing_drops_them_and_the_scan_sees_them_all(storage):
    one = land(storage, call("kept"))
    shown = one.add([call("gone"), call("a", customerNumber=NUMBER), call(None, customerNumber=NUMBER), call("kept")])
    assert len({item.key for item in shown}) == 4
    assert not {"gone", "a"} & {item.key for item in shown}
    assert [item.day for item in shown] == [date(2026, 3, 4)] * 2 + [None, date(2026, 3, 4)]
    assert [item.key for item in shown] == [
        item.key
        for item in one.add(
            [call("gone"), call("a", customerNumber=NUMBER), call(None, customerNumber=NUMBER), call("kept")]
        )
    ]
    one.flush()
    assert [row["call_id"] for row in raw_rows(storage)] == ["kept"]
    assert raw_rows(storage, "rejected") == []
    assert load_suppression_list(storage).pending == [], (
        "a call came to light, so what landed before has to be looked into"
    )


@pytest.mark.usefixtures("erasures")
def test_a_child_held_back_before_its_parent_came_does_not_land(storage):
    land(
        storage,
        call("grandchild", parentCallId="child"),
        call("child", parentCallId="a"),
        call("a", customerNumber=NUMBER),
    )
    assert raw_rows(storage) == []


@pytest.mark.usefixtures("erasures")
def test_what_is_dropped_again_and_again_changes_nothing(storage):
    for _ in range(2):
        land(storage, call("gone"), call("b", transferCalls=[{"id": "gone"}, {"id": "l"}]))
        before = storage.read(layout.ERASED)
    assert storage.read(layout.ERASED) == before
    assert load_suppression_list(storage).pending is None
    assert len(raw_rows(storage)) == 1


def test_days_before_the_floor_do_not_land(storage):
    raise_floor(storage, date(2026, 3, 4))
    one = land(storage, call("old", createdAt="2026-03-03T23:59:59Z"), call("new", createdAt="2026-03-04T00:00:00Z"))
    assert [row["call_id"] for row in raw_rows(storage)] == ["new"]
    assert one.counts.rejected == 0
    assert open_filter(storage).is_too_old(date(2026, 3, 3))
    assert raw_rows(storage, raw.REJECTED) == []
