"""Generated calls for property tests, valid ones and odd ones, and histories of them over a few days.

A valid call is made from a number, which is fast; what is odd about a call is drawn value by value, so that hypothesis
can take it away again. Ids come from a small pool, so that calls, parents and legs meet often; times are around one
midnight, so that calls fall on two days. Two calls of one id are two versions of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.oracle.items import Version
from tests.oracle.names import ANALYSIS_TEXTS, CORE_TABLES, INSTANT, INT, NUM, OBJECTS, SENT, TEXT, api_name
from tests.oracle.rows import Shaping
from tests.oracle.tables import call_date, usable_call_id
from tests.support.json_text import SPELLINGS, Sent, Twice, to_json

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
    """Return a call with every field; the same number makes the same values, whichever of them are kept."""
    moment = _moment(Random(seed))
    values = {name: make(Random(f"{seed} {name}"), moment) for name, make in CALL_FIELDS.items()}
    return {"id": call_id, "createdAt": spelled(Random(seed), moment), **values}


def spelled(random: Random, moment: datetime) -> str:
    """Return the instant in one of the usual spellings."""
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
    texts = {api_name(column): _maybe(_text)(random, moment) for column in ANALYSIS_TEXTS}
    return {**texts, "extractions": _maybe(_object)(random, moment)}


def _leg(random: Random, moment: datetime) -> dict[str, Any]:
    return {name: make(random, moment) for name, make in LEG_FIELDS.items()}


def _legs(random: Random, moment: datetime) -> list[dict[str, Any]]:
    return [_leg(random, moment) for _ in range(random.choice((0, 0, 1, 1, 2, 3)))]


_LEG_FIELDS: Mapping[str, Maker] = {
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
_CALL_FIELDS: Mapping[str, Maker] = {
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

# Fields of which nothing special is known: any value of their type.
_BY_TYPE: Mapping[str, Maker] = {
    TEXT: _maybe(_text),
    NUM: _maybe(_one_of(*MEASURES)),
    INT: _maybe(_one_of(0, 3, -2, Sent("4.0"))),
    INSTANT: _maybe(_shortly_after(7200)),
}


def _every_field(table: str, known: Mapping[str, Maker]) -> Mapping[str, Maker]:
    makers = {
        api_name(column): _maybe(_object) if column in OBJECTS else _BY_TYPE[CORE_TABLES[table][column]]
        for column in SENT[table]
        if column != "created_at"
    }
    return {**known, **{name: make for name, make in makers.items() if name not in known}}


LEG_FIELDS = _every_field("transfer_legs", _LEG_FIELDS)
CALL_FIELDS = _every_field("calls", _CALL_FIELDS)


# A member with this value is left out.
LEFT_OUT = object()

# What may turn up in any field, whatever belongs there.
ODD_VALUES = (
    None,
    "",
    " ",
    "\t\u2003",
    "text",
    "a\x00b",
    "\ud800",
    True,
    False,
    0,
    7,
    -1,
    2.5,
    [],
    ["text", None],
    {},
    {"id": "c1", "role": "user"},
    Sent("1.50"),
    Sent("3.0"),
    Sent("-0"),
    Sent("1e2"),
    Sent("1E-2"),
    Sent("NaN"),
    Sent("Infinity"),
    Sent("-Infinity"),
    Sent("1e999"),
    Sent("9223372036854775808"),
    Sent('"\\u0063\\u0031"'),
    Sent('{ "a" : [ 1.0 , NaN ] }'),
    "12.5",
    " +3 ",
    ".5",
    "5.",
    "-1",
    "1e999",
    "NaN",
    "1_000",
    "0x10",
    "2026-03-10T12:00:00",
    "2026-03-10",
    "20260310T235959Z",
    "2026-03-11T00:00:00.1234567Z",
    "2026-03-11T05:29:59.999999+05:30",
    "0001-01-01T00:00:00+14:00",
)

# What only a member can be: sent twice, or not at all.
ODD_MEMBERS = (LEFT_OUT, *ODD_VALUES, Twice("first", "second"), Twice(1, {"now": "an object"}))


@st.composite
def call(draw: st.DrawFn) -> dict[str, Any]:
    """Return one call. It shrinks to a call with an id and a time of creation, and to fewer oddities."""
    every_field = 2 ** len(CALL_FIELDS) - 1
    fields = draw(st.integers(0, every_field) | st.just(every_field))
    made = sane_call(draw(st.integers(0, 10_000)), draw(st.sampled_from(CALL_IDS)))
    kept = {"id", "createdAt", *(name for bit, name in enumerate(CALL_FIELDS) if fields >> bit & 1)}
    made = {name: value for name, value in made.items() if name in kept}
    for place, member in draw(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(ODD_MEMBERS)), max_size=3)):
        _put(made, place, member)
    if draw(st.integers(0, 9)) == 9:
        made["createdAt"] = draw(st.sampled_from([None, "soon", "2026-03-10T22:00:00"]))
    return made


def calls(max_size: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a few calls in the order in which they are seen; write them with `tests.support.json_text`."""
    return st.lists(call(), min_size=1, max_size=max_size)


def _put(made: dict[str, Any], place: int, member: Any) -> None:
    """Put something odd at one of the places where the call has a value."""
    places = list(_places(made))
    if not places:
        return
    container, key = places[place % len(places)]
    if isinstance(container, list):
        container[key] = None if member is LEFT_OUT or isinstance(member, Twice) else deepcopy(member)
    elif member is LEFT_OUT:
        del container[key]
    else:
        container[key] = deepcopy(member)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield value, key
        yield from _places(inner)


FIRST_LANDED = datetime(2026, 3, 12, 8, tzinfo=UTC)
START_DATE = date(2019, 1, 1)


@dataclass
class History:
    """All versions by the day of their calls, and rejected items by the day of their arrival."""

    versions: dict[date, list[Version]] = field(default_factory=dict)
    rejected: dict[date, list[Version]] = field(default_factory=dict)

    @property
    def days(self) -> list[date]:
        return sorted({*self.versions, *self.rejected})

    def receive(self, payload: str, landed_at: datetime) -> None:
        """Put an item where it belongs."""
        call_id, day = usable_call_id(payload), call_date(payload)
        version = Version(call_id, payload, landed_at)
        if call_id is None or day is None or not START_DATE <= day <= landed_at.date() + timedelta(days=1):
            self.rejected.setdefault(landed_at.date(), []).append(version)
        else:
            self.versions.setdefault(day, []).append(version)

    def lose(self, number: int, landed_at: datetime, *, moved: bool = False) -> None:
        """Delete one of the calls that are there, chosen by a number; or say that it is on another day now."""
        known = sorted({(day, version.call_id) for day, versions in self.versions.items() for version in versions})
        if known:
            day, call_id = known[number % len(known)]
            self.versions[day].append(Version(call_id, None, landed_at, moved))


@st.composite
def histories(draw: st.DrawFn, max_size: int = 8) -> History:
    """A few calls that land one after the other, a microsecond apart at least, some deleted or moved in between."""
    history = History()
    landed_at = FIRST_LANDED
    for _ in range(draw(st.integers(1, max_size))):
        landed_at += timedelta(microseconds=draw(st.sampled_from([1, 1_500_000, 3_600_000_000])))
        history.receive(to_json(draw(call()), draw(st.sampled_from(SPELLINGS))), landed_at)
        if draw(st.integers(0, 5)) == 5:
            landed_at += timedelta(seconds=1)
            history.lose(draw(st.integers(0, 9)), landed_at, moved=draw(st.booleans()))
    return history


def shapings() -> st.SearchStrategy[Shaping]:
    """Settings that shape tables."""
    return st.builds(
        Shaping,
        timezone=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Chatham"]),
        pii=st.sampled_from(["mask", "raw"]),
        pii_key=st.sampled_from([b"k", b"another key"]),
    )
