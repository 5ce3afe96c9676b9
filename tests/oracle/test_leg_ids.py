"""Which id a nested leg gets: its own, unless it has none or an earlier leg of the day has it."""

from tests.oracle.examples import call, issues, pick, tables


def legs(of_day, *columns):
    return pick(of_day["transfer_legs"], *columns)


def test_the_first_leg_of_the_day_holds_a_repeated_id():
    of_day = tables(
        call("b", transferCalls=[{"id": "l"}, {"id": "x"}]),
        call("a", transferCalls=[{"id": "x"}, {"id": "l"}, {"id": "l"}]),
    )
    assert legs(of_day, "leg_id", "call_id", "leg_index") == [
        ("a#2", "a", 2),
        ("b#0", "b", 0),
        ("b#1", "b", 1),
        ("l", "a", 1),
        ("x", "a", 0),
    ]
    assert issues(of_day) == [
        ("a", "transfer_legs", "$.transferCalls[2].id", "inconsistent", '"l"'),
        ("b", "transfer_legs", "$.transferCalls[0].id", "inconsistent", '"l"'),
        ("b", "transfer_legs", "$.transferCalls[1].id", "inconsistent", '"x"'),
    ]


def test_a_leg_without_a_usable_id_is_named_after_its_call():
    of_day = tables(call("a", transferCalls=[{"id": None}, 7, {"id": " "}, {"id": {}}, {}, {"id": 7}]))
    assert legs(of_day, "leg_id", "leg_index") == [("7", 5), ("a#0", 0), ("a#2", 2), ("a#3", 3), ("a#4", 4)]
    assert [(path, kind, raw) for _, _, path, kind, raw in issues(of_day)] == [
        ("$.transferCalls[0].id", "missing_value", "null"),
        ("$.transferCalls[1]", "invalid_value", "7"),
        ("$.transferCalls[2].id", "missing_value", '" "'),
        ("$.transferCalls[3].id", "missing_value", "{}"),
        ("$.transferCalls[4].id", "missing_value", None),
        ("$.transferCalls[5].id", "inconsistent", "7"),
    ]


def test_a_made_up_id_avoids_every_id_of_the_day():
    of_day = tables(call("a", transferCalls=[{}, {"id": "a#0"}]), call("a#0#", parentCallId="a"))
    assert legs(of_day, "leg_id", "leg_index", "source") == [
        ("a#0", 1, "nested"),
        ("a#0#", 0, "nested"),
        ("a#0##", None, "child_call"),
    ]


def test_a_leg_with_a_repeated_id_is_not_filled_from_the_item_of_that_id():
    of_day = tables(
        call("a", transferCalls=[{"id": "l"}]),
        call("b", transferCalls=[{"id": "l"}]),
        call("l", parentCallId="a", cost=5),
    )
    assert legs(of_day, "leg_id", "cost") == [("b#0", None), ("l", 5.0)]


def test_a_made_up_id_says_nothing_of_an_item_that_happens_to_have_it():
    of_day = tables(call("a", transferCalls=[{}]), call("a#0", parentCallId="a", cost=5, transcript=[]))
    assert legs(of_day, "leg_id", "source", "cost", "message_count") == [
        ("a#0", "nested", None, None),
        ("a#0#", "child_call", 5.0, 0),
    ]
