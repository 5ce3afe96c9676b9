"""Calls with nothing wrong about them but what services may rightly send, each made from a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from tests.support.json_text import Sent

MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)

CALL_IDS = ("c1", "c2", "c3", "l1", "l2", "l3", "ключ")
LEG_IDS = ("l1", "l1", "l2", "l2", "l3", "c1", "c2", "c1#0", "c2#1", "only-nested")
PARENT_IDS = ("c1", "c1", "c2", "c3", "l1", "never-seen")

STATUSES = (
    *("completed", "ended", "ENDED", "Completed", "failed", "error", "odd"),
    *("in-progress", "in_progress", "ringing", "queued"),
    *("no-answer", "No_Answer", "busy", "voicemail", "canceled", "cancelled"),
)
ENDED_REASONS = (
    "customer-ended-call",
    "agent_hangup",
    "voicemail",
    "NO_ANSWER",
    "busy",
    "canceled",
    "silence-timed-out",
)
TRANSFER_STATUSES = ("initiated", "bridged", "completed", "no-answer", "declined", "Failed", "in_progress", "odd")
ROLES = ("user", "user", "agent", "agent", "assistant", "User", "AI", "system", "tool", "function", "robot")
NUMBERS = ("+15550100", "+1 555 555 0123", "+15555550123", "+442079460123", "+99955550123", "5550123", "anonymous")
MEASURES = (0, 0.0, 1, 9.99, 10, 30, 60.5, 600, 1801, Sent("0.10"), Sent("12.50"), "0.50", " 45 ")
KEYS = ("intent", "amount", "", "a.b", "two words", 'quo"ted', "ключ", "\U0001f600", "cost", "id")

# White space by Unicode's reckoning, characters beyond 16 bits, combining marks, and what no column can hold.
TEXTS = (
    "hello there",
    "",
    " ",
    "one\u0085two\u2028three\u00a0four",
    "\x1cgroup\x1dunit\x1f",
    "\u3000wide\u3000",
    "zero\u200bwidth \ufeffmark",
    "\U0001f600 fine \U0001f468\u200d\U0001f469",
    "cafe\u0301 na\u00efve \u0645\u0631\u062d\u0628\u0627",
    'tab\there "quoted" back\\slash\nnew line / slash',
    "a\x00b",
    "half \ud83d pair",
    "\udc00\ud800",
    "7",
    "x" * 1200,
)
ALPHABET = "ab  \t\n.,'é\u0085\u1680\u2003\u2028\u202f\u3000\u200b\ufeff\u0301\u6771\U0001f600\U00010348\x1c\x7f"

# Makes a value from chance and the moment around which the call happens.
Maker = Callable[[Random, datetime], Any]


def sane_call(seed: int, call_id: str) -> dict[str, Any]:
    """A call with every field; the same number makes the same values, whichever of them are kept."""
    moment = _moment(Random(seed))
    values = {name: make(Random(f"{seed} {name}"), moment) for name, make in CALL_FIELDS.items()}
    return {"id": call_id, "createdAt": spelled(Random(seed), moment), **values}


def spelled(random: Random, moment: datetime) -> str:
    """The instant in one of the usual spellings."""
    spelling = random.randrange(6)
    if spelling == 0:
        return moment.isoformat()
    if spelling == 1:
        return moment.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
    if spelling == 2:
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return moment.isoformat().replace("+00:00", "Z")


def _moment(random: Random) -> datetime:
    near = random.choice((-3600, -1, 0, 1, 1800, 3600))
    return MIDNIGHT + timedelta(seconds=near if random.random() < 0.4 else random.randint(-90_000, 90_000))


def _one_of(*values: Any) -> Maker:
    return lambda random, _: random.choice(values)


def _maybe(make: Maker, share: float = 0.8) -> Maker:
    return lambda random, moment: make(random, moment) if random.random() < share else None


def _shortly_after(most: int) -> Maker:
    """Between a little before the moment and this many seconds after it."""
    return lambda random, moment: spelled(
        random, moment + timedelta(seconds=random.randint(-most // 10, most), milliseconds=random.choice((0, 0, 250)))
    )


def _text(random: Random, _moment: datetime) -> str:
    if random.random() < 0.5:
        return random.choice(TEXTS)
    return "".join(random.choices(ALPHABET, k=random.randrange(15)))


def _json_value(random: Random, moment: datetime) -> Any:
    kind = random.randrange(8)
    if kind == 0:
        return [_json_value(random, moment) for _ in range(random.randrange(3))]
    if kind == 1:
        return _object(random, moment)
    if kind < 4:
        return _text(random, moment)
    return random.choice(
        (None, True, False, 7, -3.25, Sent("1.50"), Sent("-0"), Sent("1E3"), Sent("12345678901234567890"))
    )


def _object(random: Random, moment: datetime) -> dict[str, Any]:
    return {random.choice(KEYS): _json_value(random, moment) for _ in range(random.randrange(4))}


def _transcript(random: Random, moment: datetime) -> list[dict[str, Any]]:
    content = _maybe(_text, 0.9)
    return [
        {"role": random.choice(ROLES), "content": content(random, moment)}
        for _ in range(random.choice((0, 1, 2, 3, 5)))
    ]


def _analysis(random: Random, moment: datetime) -> dict[str, Any]:
    return {"summary": _maybe(_text)(random, moment), "extractions": _maybe(_object)(random, moment)}


def _leg(random: Random, moment: datetime) -> dict[str, Any]:
    return {name: make(random, moment) for name, make in LEG_FIELDS.items()}


def _legs(random: Random, moment: datetime) -> list[dict[str, Any]]:
    return [_leg(random, moment) for _ in range(random.choice((0, 0, 1, 1, 2, 3)))]


LEG_FIELDS: Mapping[str, Maker] = {
    "id": _maybe(_one_of(*LEG_IDS), 0.95),
    "transferType": _maybe(_one_of("warm_briefing", "blind")),
    "transferStatus": _maybe(_one_of(*TRANSFER_STATUSES)),
    "durationSeconds": _maybe(_one_of(*MEASURES)),
    "customerNumber": _maybe(_one_of(*NUMBERS)),
    "recordingUrl": _maybe(_one_of("https://recordings.test/leg", ""), 0.5),
    "transcript": _maybe(_transcript, 0.6),
    "startedAt": _maybe(_shortly_after(300)),
    "endedAt": _maybe(_shortly_after(900)),
    "cost": _maybe(_one_of(*MEASURES)),
    "status": _maybe(_one_of(*STATUSES)),
}
CALL_FIELDS: Mapping[str, Maker] = {
    "parentCallId": _maybe(_one_of(*PARENT_IDS), 0.4),
    "transferCalls": _maybe(_legs, 0.7),
    "transcript": _maybe(_transcript),
    "startedAt": _maybe(_shortly_after(20), 0.9),
    "endedAt": _maybe(_shortly_after(7200), 0.9),
    "durationSeconds": _maybe(_one_of(*MEASURES)),
    "cost": _maybe(_one_of(*MEASURES)),
    "status": _maybe(_one_of(*STATUSES), 0.9),
    "endedReason": _maybe(_one_of(*ENDED_REASONS), 0.5),
    "organizationId": _maybe(_one_of("o1"), 0.9),
    "agentId": _maybe(_one_of("a1", "a2")),
    "phoneNumberId": _maybe(_one_of("p1")),
    "callSid": _maybe(_one_of("CA1")),
    "provider": _maybe(_one_of("twilio", "sip")),
    "direction": _maybe(_one_of("inbound", "outbound")),
    "customerNumber": _maybe(_one_of(*NUMBERS)),
    "recordingUrl": _maybe(_one_of("https://recordings.test/call", " "), 0.5),
    "turnCount": _maybe(_one_of(0, 3, 12, -2, Sent("4.0"))),
    "analysis": _maybe(_analysis),
    "contextVariables": _maybe(_object),
    "metadata": _maybe(_object),
    "transferType": _maybe(_one_of("warm_briefing"), 0.2),
    "transferStatus": _maybe(_one_of(*TRANSFER_STATUSES), 0.4),
    "aFieldNobodyKnows": _maybe(_json_value),
}
