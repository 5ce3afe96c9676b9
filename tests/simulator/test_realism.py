"""The world looks like a company's calls: people build dashboards on it before they have a key."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import timedelta
from statistics import mean

import pytest

from pipelines.api_values import parse_instant
from pipelines.simulator import World
from tests.support.simulated import START

FICTITIOUS = re.compile(
    r"\+1\d{3}55501\d\d"
    r"|\+44(2079460|1214960|1614960|1134960|1414960|7700900)\d{3}"
    r"|\+33(19900|26191|35301|46571|53649|63998)\d{4}"
    r"|\+34555\d{6}|\+97157\d{7}"
)


@pytest.fixture(scope="module")
def calls():
    world = World(calls=3000, days=28, start=START)
    return [json.loads(item) for item in world.items(START + timedelta(days=2))]


@pytest.fixture(scope="module")
def roots(calls):
    return [call for call in calls if call["parentCallId"] is None]


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


def test_there_is_one_organisation_with_several_numbers(calls):
    assert len({call["organizationId"] for call in calls}) == 1
    assert len({call["phoneNumberId"] for call in calls if call["phoneNumberId"]}) > 5
    assert {call["direction"] for call in calls} == {"inbound", "outbound"}


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


def test_numbers_belong_to_nobody(calls):
    numbers = {call["customerNumber"] for call in calls} | {
        leg["customerNumber"] for call in calls for leg in call["transferCalls"]
    }
    plain = {number for number in numbers if number and number.startswith("+")}
    assert not [number for number in plain if not FICTITIOUS.fullmatch(number)]
    assert len(plain) > 500
    odd = numbers - plain
    assert {"anonymous", None} <= odd
    assert any(number.startswith("sip:") for number in odd if number)


def test_people_speak_several_languages(calls):
    said = " ".join(message["content"] or "" for call in calls if call["transcript"] for message in call["transcript"])
    for word in ("Thank you", "Gracias", "Bonjour", "شكراً"):
        assert word in said
    assert "{" not in re.sub(r'\{"lookup".*?\}', "", said)


def test_oddities_of_real_data_occur(calls):
    messages = [message for call in calls for message in call["transcript"] or []]
    roles = {message["role"] for message in messages}
    assert {"user", "agent", "assistant", "bot", "human", "system", "tool", None} <= roles
    assert {"", None} <= {message["content"] for message in messages if not message["content"]}
    assert {int, float, str, type(None)} == {type(call["cost"]) for call in calls} | {
        type(call["durationSeconds"]) for call in calls
    }
    assert {type(call["metadata"]) for call in calls} == {dict, type(None)}
    sentiments = {type(call["analysis"]["extractions"].get("sentiment")) for call in calls if call["analysis"]}
    assert {str, float} <= sentiments
    assert len({call["transferType"] for call in calls}) >= 4
