from datetime import timedelta

from tests.oracle.examples import LANDED, call, day_before, issues, landed, only, pick, tables
from tests.oracle.items import Version

SAID = [{"role": "user", "content": "hello there"}]
ANSWERED = [{"role": "agent", "content": "yes"}, {"role": "user", "content": "fine"}]


def legs(of_day, *columns):
    return pick(of_day["transfer_legs"], *columns)


def turns(of_day):
    return pick(of_day["transcript_turns"], "call_id", "leg_id", "turn_index", "content")


def test_a_nested_leg_takes_four_columns_from_its_call():
    of_day = tables(
        call(organizationId="o", agentId="a", phoneNumberId="p", direction="inbound", transferCalls=[{"id": "l1"}])
    )
    leg = only(of_day["transfer_legs"])
    assert (leg["organization_id"], leg["agent_id"], leg["phone_number_id"], leg["direction"]) == (
        "o",
        "a",
        "p",
        "inbound",
    )
    assert (leg["leg_index"], leg["source"], leg["parent_found"]) == (0, "nested", True)
    assert (leg["transfer_outcome"], leg["message_count"], leg["has_recording"]) == ("unknown", None, False)
    assert issues(of_day) == []


def test_an_item_of_the_same_day_fills_the_nulls_of_its_nested_leg():
    of_day = tables(
        call("c1", startedAt="2026-03-10T12:00:00Z", transferCalls=[{"id": "l1", "cost": 2, "transcript": []}]),
        call(
            "l1",
            parentCallId="c1",
            cost=9,
            durationSeconds="30",
            transferType="warm",
            transferStatus="bridged",
            status="ended",
            startedAt="2026-03-10T12:01:30Z",
            endedAt="2026-03-10T12:02:00Z",
            recordingUrl="https://recordings.test/1",
            customerNumber="+15550100",
            transcript=ANSWERED,
        ),
    )
    leg = only(of_day["transfer_legs"])
    assert (leg["cost"], leg["duration_seconds"], leg["cost_per_minute"]) == (2.0, 30.0, 4.0)
    assert (leg["transfer_type"], leg["transfer_status"], leg["transfer_outcome"]) == ("warm", "bridged", "success")
    assert (leg["status"], leg["has_recording"], leg["customer_number"]) == ("ended", True, "+15550100")
    assert (leg["seconds_to_transfer"], leg["message_count"]) == (90.0, 2)
    assert turns(of_day) == [("c1", "l1", 0, "yes"), ("c1", "l1", 1, "fine")]
    child = of_day["calls"][1]
    assert (child["call_id"], child["message_count"], child["transfer_leg_count"]) == ("l1", 2, 0)


def test_a_nested_transcript_counts_for_both():
    of_day = tables(
        call("c1", transferCalls=[{"id": "l1", "transcript": SAID}]), call("l1", transcript=ANSWERED, parentCallId="c1")
    )
    assert turns(of_day) == [("c1", "l1", 0, "hello there")]
    assert legs(of_day, "message_count") == [(1,)]
    assert pick(of_day["calls"], "call_id", "message_count") == [("c1", None), ("l1", 2)]


def test_an_empty_nested_transcript_is_known_to_be_empty_where_the_item_has_none():
    of_day = tables(call("c1", transferCalls=[{"id": "l1", "transcript": []}]), call("l1", parentCallId="c1"))
    assert legs(of_day, "message_count") == [(0,)]


def test_an_item_whose_leg_was_nested_the_day_before_only_brings_its_transcript():
    parent = day_before("c1", transferCalls=[{"id": "l1"}])
    of_day = tables(call("l1", parentCallId="other", transcript=SAID), before=[parent])
    assert of_day["transfer_legs"] == []
    assert turns(of_day) == [("c1", "l1", 0, "hello there")]
    spoken = day_before("c1", transferCalls=[{"id": "l1", "transcript": ANSWERED}])
    assert turns(tables(call("l1", parentCallId="c1", transcript=SAID), before=[spoken])) == []


def test_the_leg_of_the_day_before_is_not_filled_from_the_next_day():
    assert legs(tables(day_before("c1", transferCalls=[{"id": "l1"}])), "message_count", "cost") == [(None, None)]


def test_the_holder_of_the_same_day_goes_before_that_of_the_day_before():
    before = day_before("c1", transferCalls=[{"id": "l1", "transcript": ANSWERED}])
    of_day = tables(
        call("c2", transferCalls=[{"id": "l1"}]), call("l1", parentCallId="c1", transcript=SAID), before=[before]
    )
    assert legs(of_day, "leg_id", "call_id", "message_count") == [("l1", "c2", 1)]
    assert turns(of_day) == [("c2", "l1", 0, "hello there")]


def test_a_child_item_nobody_nests_is_listed_on_its_own_day():
    parent = day_before("c1", agentId="a", direction="outbound", startedAt="2026-03-09T23:50:00Z")
    child = call(
        "l1", parentCallId="c1", agentId="b", phoneNumberId="p", startedAt="2026-03-10T00:05:00Z", transcript=SAID
    )
    of_day = tables(child, before=[parent])
    leg = only(of_day["transfer_legs"])
    assert (leg["call_id"], leg["source"], leg["leg_index"], leg["parent_found"]) == ("c1", "child_call", None, True)
    assert (leg["agent_id"], leg["phone_number_id"], leg["direction"]) == ("a", None, "outbound")
    assert (leg["seconds_to_transfer"], leg["message_count"]) == (900.0, 1)
    assert turns(of_day) == [("c1", "l1", 0, "hello there")]


def test_a_child_without_its_parent_keeps_what_it_knows():
    of_day = tables(call("l1", parentCallId="gone", agentId="b", startedAt="2026-03-10T00:05:00Z", transcript=SAID))
    assert legs(of_day, "call_id", "parent_found", "agent_id", "seconds_to_transfer") == [("gone", False, "b", None)]
    assert turns(of_day) == [("gone", "l1", 0, "hello there")]


def test_the_parent_of_the_same_day_goes_before_that_of_the_day_before():
    of_day = tables(call("c1", agentId="new"), call("l1", parentCallId="c1"), before=[day_before("c1", agentId="old")])
    assert legs(of_day, "agent_id") == [("new",)]
    assert pick(of_day["calls"], "call_id", "transfer_leg_count", "is_transferred", "is_root") == [
        ("c1", 1, True, True),
        ("l1", 0, False, False),
    ]


def test_a_root_call_that_another_call_nests_keeps_its_own_turns():
    of_day = tables(call("a", transferCalls=[{"id": "r"}]), call("r", transcript=SAID))
    assert legs(of_day, "leg_id", "call_id", "message_count") == [("r", "a", 1)]
    assert turns(of_day) == [("r", None, 0, "hello there")]


def test_the_earliest_leg_says_how_long_a_call_took_to_transfer():
    start = "2026-03-10T12:00:00Z"
    late, early = {"id": "l1", "startedAt": "2026-03-10T12:02:00Z"}, {"id": "l2", "startedAt": "2026-03-10T12:00:30.5Z"}
    of_day = tables(call("c", startedAt=start, transferCalls=[late, {"id": "l3"}, early]))
    assert legs(of_day, "seconds_to_transfer") == [(120.0,), (30.5,), (None,)]
    assert only(of_day["calls"])["seconds_to_transfer"] == 30.5


def test_a_leg_before_its_call_is_noted_where_its_start_was_sent():
    start, before = "2026-03-10T12:00:00Z", "2026-03-10T11:59:00Z"
    of_day = tables(
        call("c", startedAt=start, transferCalls=[{"id": "l1", "startedAt": before}, {"id": "l2"}]),
        call("l2", parentCallId="c", startedAt="2026-03-10T11:00:00Z"),
    )
    assert legs(of_day, "seconds_to_transfer") == [(None,), (None,)]
    assert of_day["calls"][0]["seconds_to_transfer"] is None
    assert issues(of_day) == [
        ("c", "transfer_legs", "$.transferCalls[0].startedAt", "inconsistent", f'"{before}"'),
        ("l2", "transfer_legs", "$.startedAt", "inconsistent", '"2026-03-10T11:00:00Z"'),
    ]


def test_an_unknown_transfer_status_is_noted_where_it_was_sent_and_only_if_it_counts():
    of_day = tables(
        call("c", transferStatus="of no leg", transferCalls=[{"id": "l1"}, {"id": "l2", "transferStatus": "odd"}]),
        call("l1", parentCallId="c", transferStatus="odder"),
        call("l2", parentCallId="c", transferStatus="unseen"),
        call("l3", parentCallId="c", transferStatus="oddest"),
    )
    assert legs(of_day, "leg_id", "transfer_outcome") == [("l1", "unknown"), ("l2", "unknown"), ("l3", "unknown")]
    assert issues(of_day) == [
        ("c", "transfer_legs", "$.transferCalls[1].transferStatus", "unknown_value", '"odd"'),
        ("l1", "transfer_legs", "$.transferStatus", "unknown_value", '"odder"'),
        ("l3", "transfer_legs", "$.transferStatus", "unknown_value", '"oddest"'),
    ]


def test_legs_leave_with_their_call():
    gone = Version("c", None, LANDED + timedelta(hours=1))
    of_day = tables(
        landed(call("c", transferCalls=[{"id": "l1"}])),
        gone,
        call("l2", parentCallId="c"),
        call("l3", parentCallId="?"),
    )
    assert legs(of_day, "leg_id", "deleted_at") == [("l1", gone.landed_at), ("l2", gone.landed_at), ("l3", None)]
    assert only(of_day["transfer_metrics_daily"])["legs"] == 1
    assert of_day["call_metrics_daily"] == []


def test_a_deleted_child_takes_its_own_leg_away_but_not_a_nested_one():
    gone = [Version(leg, None, LANDED + timedelta(hours=1)) for leg in ("l1", "l2")]
    of_day = tables(
        call("c", transferCalls=[{"id": "l1"}]),
        call("l1", parentCallId="c", cost=3),
        call("l2", parentCallId="c"),
        *gone,
    )
    assert legs(of_day, "leg_id", "cost", "deleted_at") == [("l1", 3.0, None), ("l2", None, gone[0].landed_at)]


def test_a_call_that_is_its_own_parent_is_a_leg_of_itself():
    of_day = tables(call("c", parentCallId="c", transcript=SAID))
    assert legs(of_day, "leg_id", "call_id", "source", "parent_found") == [("c", "c", "child_call", True)]
    assert turns(of_day) == [("c", "c", 0, "hello there")]


def test_a_leg_that_is_no_leg_leaves_the_others_their_places():
    of_day = tables(call("c", transferCalls=[None, {"id": "l"}]), call("d", transferCalls={"id": "l2"}))
    assert legs(of_day, "leg_id", "leg_index") == [("l", 1)]
    assert pick(of_day["calls"], "transfer_leg_count", "is_transferred") == [(1, True), (0, False)]
    assert issues(of_day) == [
        ("c", "transfer_legs", "$.transferCalls[0]", "invalid_value", "null"),
        ("d", "transfer_legs", "$.transferCalls", "invalid_value", '{"id": "l2"}'),
    ]


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
