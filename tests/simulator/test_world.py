"""The world: the same for the same seed and clock, alive, and like a company's calls."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any

import pytest

from pipelines.api_values import parse_instant
from pipelines.simulator import World
from pipelines.simulator.conversation import DialogueError, read_dialogues
from tests.support.simulated import START, small_world


def calls(world: World, at: datetime | None = None) -> list[dict[str, Any]]:
    return [json.loads(item) for item in world.items(at)]


def created(call: dict[str, Any]) -> datetime:
    moment, _ = parse_instant(call["createdAt"])
    assert moment is not None
    return moment


def test_the_same_seed_and_moment_give_the_same_bytes():
    assert small_world().items() == small_world().items()


def test_another_seed_gives_other_calls():
    assert not {c["id"] for c in calls(small_world(seed=1))} & {c["id"] for c in calls(small_world(seed=2))}


def test_what_is_shown_does_not_depend_on_how_the_clock_got_there():
    stepped, leaped = small_world(), small_world()
    for _ in range(6):
        stepped.advance(hours=5)
        stepped.items()
    leaped.advance(hours=30)
    assert stepped.items() == leaped.items() == small_world().items(START + timedelta(hours=30))


@pytest.mark.parametrize("count", [0, 1, 120])
def test_there_are_as_many_calls_as_asked_for(count):
    roots = [call for call in calls(small_world(calls=count)) if call["parentCallId"] is None]
    assert len(roots) == count


def test_a_world_that_starts_a_day_later_shares_the_calls_of_the_days_in_common():
    today, tomorrow = small_world(calls=300), small_world(calls=300, start=START + timedelta(days=1))
    ids_before = {call["id"] for call in calls(today)}
    day = (START - timedelta(days=1)).date()
    known = [call["id"] for call in calls(tomorrow) if created(call).date() == day and call["parentCallId"] is None]
    assert known
    assert ids_before.issuperset(known)


def test_items_are_listed_newest_first_and_none_is_of_the_future():
    moments = [created(call) for call in calls(small_world())]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] <= START


def test_new_calls_arrive_as_time_passes():
    world = small_world()
    before = {call["id"] for call in calls(world)}
    world.advance(hours=6)
    new = [call for call in calls(world) if call["id"] not in before]
    assert new
    assert all(START < created(call) <= START + timedelta(hours=6) for call in new)


def states(world: World, call_id: str, moments: list[datetime]) -> list[dict[str, Any]]:
    return [call for at in moments for call in calls(world, at) if call["id"] == call_id]


def every_quarter_minute(begin: datetime, minutes: int) -> list[datetime]:
    return [begin + timedelta(seconds=15 * step) for step in range(minutes * 4)]


def test_a_call_rings_is_spoken_ends_and_gets_its_bill_and_its_analysis_later():
    world = small_world(calls=40, days=1)
    final = next(call for call in calls(world, START + timedelta(days=3)) if call["analysis"] and call["recordingUrl"])
    seen = states(world, final["id"], every_quarter_minute(created(final), 25))
    words = [call["status"] for call in seen]
    assert words[0] in ("queued", "ringing")
    assert words.index("completed") > 0
    assert {"in-progress", "in_progress"} & set(words)
    ended = words.index("completed")
    costed = next(place for place, call in enumerate(seen) if call["cost"] is not None)
    analysed = next(place for place, call in enumerate(seen) if call["analysis"] is not None)
    assert ended < costed < analysed
    assert seen[0]["startedAt"] is seen[0]["endedAt"] is seen[0]["durationSeconds"] is None
    lengths = [len(call["transcript"] or []) for call in seen]
    assert lengths == sorted(lengths)
    assert 0 < seen[ended - 1]["transcript"].__len__() < lengths[-1]


@pytest.mark.slow
def test_a_transfer_starts_undecided_and_its_end_and_cost_come_later():
    world = small_world(calls=150)
    end = START + timedelta(days=3)
    final = next(
        call
        for call in calls(world, end)
        if any(leg["cost"] is not None and leg["transferType"] != "callback" for leg in call["transferCalls"])
    )
    seen = states(world, final["id"], every_quarter_minute(created(final), 40))
    legs = [call["transferCalls"][0] for call in seen if call["transferCalls"]]
    assert not seen[0]["transferCalls"]
    assert (legs[0]["transferStatus"], legs[0]["endedAt"], legs[0]["cost"]) == ("initiated", None, None)
    assert legs[-1]["transferStatus"] != "initiated"
    assert legs[-1]["endedAt"]


def test_some_bills_are_corrected_a_day_later():
    world = small_world(calls=300)
    after_an_hour = {call["id"]: call["cost"] for call in calls(world, START + timedelta(hours=1))}
    later = {call["id"]: call["cost"] for call in calls(world, START + timedelta(days=3))}
    corrected = [name for name, cost in after_an_hour.items() if cost is not None and later[name] != cost]
    assert 0 < len(corrected) < len(after_an_hour) / 5


def test_what_has_settled_changes_no_more_but_recordings_have_a_new_signature_each_day():
    world = small_world()
    one, other = (
        {call["id"]: call for call in calls(world, START + timedelta(days=days)) if created(call) < START}
        for days in (3, 4)
    )
    assert one.keys() == other.keys()
    recorded = [name for name, call in one.items() if call["recordingUrl"]]
    assert recorded
    assert all(one[name]["recordingUrl"] != other[name]["recordingUrl"] for name in recorded)
    for call in (*one.values(), *other.values()):
        for holder in (call, *call["transferCalls"]):
            holder["recordingUrl"] = bool(holder["recordingUrl"])
    assert one == other


def test_legs_are_nested_or_items_of_their_own_or_both_and_some_items_are_on_the_next_day():
    listed = calls(World(calls=1500, days=20, start=START))
    by_id = {call["id"]: call for call in listed}
    nested = {leg["id"] for call in listed for leg in call["transferCalls"]}
    children = {call["id"]: call for call in listed if call["parentCallId"]}
    assert nested - set(children)
    assert set(children) - nested
    assert nested & set(children)
    parents = {name: by_id[call["parentCallId"]] for name, call in children.items() if call["parentCallId"] in by_id}
    days = Counter((created(children[name]).date() - created(parent).date()).days for name, parent in parents.items())
    assert set(days) == {0, 1}


def test_calls_can_be_inserted_replaced_and_deleted():
    world = small_world()
    other = calls(world)[5]["id"]
    world.insert({"id": "mine", "createdAt": START.isoformat(), "cost": float("nan")})
    assert calls(world)[0]["id"] == "mine"
    world.replace("mine", {"id": "mine", "createdAt": "unknown"})
    assert calls(world)[0] == {"id": "mine", "createdAt": "unknown"}
    world.replace(other, b"[not a call")
    world.delete("mine")
    assert world.items()[5] == b"[not a call"
    with pytest.raises(KeyError):
        world.delete("mine")
    with pytest.raises(KeyError):
        world.replace("mine", {})


def test_inserted_calls_are_listed_by_their_creation():
    world = small_world()
    world.insert({"id": "oldest", "createdAt": "2020-01-01T00:00:00Z"})
    world.insert(b"no JSON", created=START + timedelta(hours=1))
    assert calls(world)[-1]["id"] == "oldest"
    assert b"no JSON" not in world.items()
    world.advance(hours=1)
    assert b"no JSON" in world.items()


def test_without_a_start_the_world_lives_in_the_present():
    world = World(calls=5, days=1)
    assert abs(datetime.now(UTC) - world.now) < timedelta(minutes=1)
    assert all(created(call) <= datetime.now(UTC) for call in calls(world))


DIALOGUE = {
    "dialogue_id": "1_00000",
    "services": ["Restaurants_2"],
    "intents": ["ReserveRestaurant"],
    "final_slot_values": {"Restaurants_2": {"restaurant_name": "Chez Nous", "number_of_seats": "2"}},
    "turns": [
        {"speaker": "USER", "utterance": "A table at Chez Nous for two, please."},
        {"speaker": "SYSTEM", "utterance": "Your table is booked."},
    ],
}


def test_english_calls_speak_the_words_of_the_file(tmp_path):
    file = tmp_path / "dialogues.jsonl"
    file.write_text(json.dumps(DIALOGUE) + "\n\n", encoding="utf-8")
    world = World(calls=200, days=3, start=START, dialogues=read_dialogues(file))
    calls = [json.loads(item) for item in world.items()]
    spoken = [[message["content"] for message in call["transcript"] or []] for call in calls]
    assert ["A table at Chez Nous for two, please.", "Your table is booked."] in spoken
    found = [call["analysis"] for call in calls if call["analysis"]]
    booked = [analysis for analysis in found if analysis["extractions"].get("restaurant_name") == "Chez Nous"]
    assert booked
    assert any("ReserveRestaurant" in (analysis["summary"] or "") for analysis in booked)
    assert any("Gracias" in str(lines) for lines in spoken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no dialogues"),
        ("{}\n", "line 1"),
        (json.dumps(DIALOGUE) + "\nnonsense\n", "line 2"),
        ("[1]\n", "line 1"),
        ('{"turns": []}', "no turns"),
    ],
)
def test_a_file_without_dialogues_is_refused(tmp_path, text, message):
    file = tmp_path / "dialogues.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DialogueError, match=message):
        read_dialogues(file)


FICTITIOUS = re.compile(
    r"\+1\d{3}55501\d\d"
    r"|\+44(2079460|1214960|1614960|1134960|1414960|7700900)\d{3}"
    r"|\+33(19900|26191|35301|46571|53649|63998)\d{4}"
    r"|\+34555\d{6}|\+97157\d{7}"
)


@pytest.fixture(scope="module")
def company_calls():
    world = World(calls=3000, days=28, start=START)
    return [json.loads(item) for item in world.items(START + timedelta(days=2))]


@pytest.fixture(scope="module")
def roots(company_calls):
    return [call for call in company_calls if call["parentCallId"] is None]


def when(call):
    return parse_instant(call["createdAt"])[0]


@pytest.mark.slow
def test_weekends_and_nights_are_quiet(roots):
    weekdays = Counter(when(call).weekday() for call in roots)
    assert max(weekdays[5], weekdays[6]) < min(weekdays[day] for day in range(5)) * 0.75
    hours = Counter(when(call).hour for call in roots)
    assert sum(hours[hour] for hour in range(14, 20)) > 4 * sum(hours[hour] for hour in range(6))


def test_agents_differ_in_price_and_in_how_often_they_transfer(roots):
    prices, transfers = defaultdict(list), defaultdict(list)
    for call in roots:
        if call["cost"] and call["durationSeconds"] and float(call["durationSeconds"]) > 30:
            prices[call["agentId"]].append(float(call["cost"]) / float(call["durationSeconds"]) * 60)
        transfers[call["agentId"]].append(call["transferType"] is not None)
    rates = [mean(values) for values in prices.values()]
    shares = [mean(values) for values in transfers.values()]
    assert len(rates) == 8
    assert max(rates) > 2 * min(rates)
    assert max(shares) > 3 * min(shares)


def test_there_is_one_organisation_with_several_numbers(company_calls):
    assert len({call["organizationId"] for call in company_calls}) == 1
    assert len({call["phoneNumberId"] for call in company_calls if call["phoneNumberId"]}) > 5
    assert {call["direction"] for call in company_calls} == {"inbound", "outbound"}


def test_every_outcome_occurs_and_most_calls_are_answered(roots):
    words = Counter(call["status"].replace("_", "-") for call in roots if call["endedAt"])
    assert {"completed", "no-answer", "busy", "voicemail", "failed", "canceled"} == set(words)
    assert words["completed"] / len(roots) > 0.7
    assert any(call["status"] == "completed" and call["endedReason"] == "voicemail" for call in roots)


def test_unanswered_calls_have_no_start_and_no_conversation(roots):
    unanswered = [call for call in roots if call["status"].replace("_", "-") in ("no-answer", "busy", "canceled")]
    assert all(call["startedAt"] is None and not call["transcript"] for call in unanswered)
    assert {call["durationSeconds"] for call in unanswered} <= {0, None, "0"}


def test_durations_are_those_of_the_clock_and_of_conversations(roots):
    for call in roots:
        if call["startedAt"] and call["endedAt"]:
            seconds = (parse_instant(call["endedAt"])[0] - parse_instant(call["startedAt"])[0]).total_seconds()
            assert float(call["durationSeconds"]) == seconds
    durations = [float(call["durationSeconds"]) for call in roots if call["transcript"]]
    assert 60 < mean(durations) < 300
    assert max(durations) <= 3_700


def test_customers_call_again(roots):
    numbers = Counter(call["customerNumber"] for call in roots if call["direction"] == "inbound")
    assert sum(count > 1 for count in numbers.values()) > 100


def test_numbers_belong_to_nobody(company_calls):
    numbers = {call["customerNumber"] for call in company_calls} | {
        leg["customerNumber"] for call in company_calls for leg in call["transferCalls"]
    }
    plain = {number for number in numbers if number and number.startswith("+")}
    assert not [number for number in plain if not FICTITIOUS.fullmatch(number)]
    assert len(plain) > 500
    odd = numbers - plain
    assert {"anonymous", None} <= odd
    assert any(number.startswith("sip:") for number in odd if number)


def test_people_speak_several_languages(company_calls):
    said = " ".join(
        message["content"] or "" for call in company_calls if call["transcript"] for message in call["transcript"]
    )
    for word in ("Thank you", "Gracias", "Bonjour", "شكراً"):
        assert word in said
    assert "{" not in re.sub(r'\{"lookup".*?\}', "", said)


def test_oddities_of_real_data_occur(company_calls):
    messages = [message for call in company_calls for message in call["transcript"] or []]
    roles = {message["role"] for message in messages}
    assert {"user", "agent", "assistant", "bot", "human", "system", "tool", None} <= roles
    assert {"", None} <= {message["content"] for message in messages if not message["content"]}
    assert {int, float, str, type(None)} == {type(call["cost"]) for call in company_calls} | {
        type(call["durationSeconds"]) for call in company_calls
    }
    assert {type(call["metadata"]) for call in company_calls} == {dict, type(None)}
    sentiments = {type(call["analysis"]["extractions"].get("sentiment")) for call in company_calls if call["analysis"]}
    assert {str, float} <= sentiments
    assert len({call["transferType"] for call in company_calls}) >= 4
