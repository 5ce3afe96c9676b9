"""A lake that is hard on metrics: several organisations, nulls wherever they can be, weeks and years that end."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pipelines.materialize.days import build_days
from pipelines.workspace import Workspace
from tests.oracle.items import Version
from tests.support.lakes import FIRST_LANDING, land, place, workspace

# Sundays and Mondays, the ends of months and of a year whose last ISO week reaches into the next; a month between.
DAYS = (
    *(date(2025, 11, 30), date(2025, 12, 28), date(2025, 12, 29), date(2025, 12, 31), date(2026, 1, 1)),
    *(date(2026, 1, 4), date(2026, 1, 5), date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2), date(2026, 4, 1)),
)
SILENT_DAY = DAYS[3]
"""A day on which no call reaches anybody."""

CALLS_A_DAY = 40
TIMEZONE = "America/New_York"

_STATUSES = ("completed", "completed", "ended", "failed", "no-answer", "busy", "voicemail", "canceled", "odd")
_REASONS = (None, None, "customer-ended-call", "customer_ended_call", "voicemail", "Agent_Hangup")
_NUMBERS = (*(f"+1555010{number:04}" for number in range(101, 111)), "anonymous", None)
_FIELDS: tuple[Any, ...] = ("text", "", " \t", 0, False, 7.5, None, [], {}, ["x"], {"a": None}, "[]")
_LEG_STATUSES = ("completed", "completed", "failed", "initiated", "odd", None)


def measured_lake(folder: Path) -> Workspace:
    """Land and build the lake; the same one every time."""
    opened = workspace(folder, timezone=TIMEZONE)
    random = Random(20260401)
    items = [item for day in DAYS for number in range(CALLS_A_DAY) for item in _items(random, day, number)]
    days = place(json.dumps(item) for item in items)
    for versions in days.values():
        gone = [version.call_id for version in versions[4::9]]
        versions += [Version(call_id, None, FIRST_LANDING + timedelta(hours=1)) for call_id in gone]
    land(opened, days)
    for first in range(0, len(days), 3):  # three days at once are built in this process
        build_days(opened, sorted(days)[first : first + 3])
    return opened


def _items(random: Random, day: date, number: int) -> list[dict[str, Any]]:
    """Return one call, and sometimes a leg of it that comes as an item of its own."""
    call_id = f"{day}-{number}"
    created = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=random.randrange(86_400))
    crosses = number == 0 and day + timedelta(days=1) in DAYS  # a leg of this call is an item of the next day
    if crosses:
        created = created.replace(hour=23, minute=59, second=59)
    started = created + timedelta(seconds=random.choice([0, 2, 20]))
    seconds = random.choice([None, 0, 0.5, 9.99, 10, 65, 65, 600, 4000])
    item = {
        "id": call_id,
        "organizationId": random.choice(["org_1", "org_2", None]),
        "agentId": random.choice(["agent_1", "agent_2", None]),
        "phoneNumberId": random.choice(["number_1", None]),
        "direction": random.choice(["inbound", "inbound", "outbound", None]),
        "provider": random.choice(["twilio", None]),
        "status": random.choice([*_STATUSES, "ringing"]),
        "endedReason": random.choice(_REASONS),
        "customerNumber": random.choice(_NUMBERS),
        "durationSeconds": seconds,
        "cost": random.choice([None, 0, 0.013, 0.25, 1.5]),
        "turnCount": random.choice([None, 0, 12]),
        "transcript": random.choice([None, [], _TALK, _TALK[:1]]),
        "analysis": _analysis(random),
        "metadata": {"intent": "of the campaign"},
        "contextVariables": {"email": "given"},
        "createdAt": created.isoformat(),
        "startedAt": random.choice([started.isoformat()] * 4 + [None]),
        "endedAt": (started + timedelta(seconds=seconds)).isoformat() if seconds is not None else None,
    }
    if number in (7, 8):  # where createdAt is unusable, startedAt says when the call was
        item |= {"createdAt": "soon", "startedAt": started.isoformat()}
    if day == SILENT_DAY:
        return [item | {"status": "no-answer", "durationSeconds": 0, "endedAt": item["startedAt"]}]
    legs = [_leg(random, f"{call_id}-leg{n}", started) for n in range(random.choice([0, 0, 0, 1, 2]))]
    if crosses:
        legs = [_leg(random, f"{call_id}-next", started) | {"transferStatus": "completed"}]
    if not legs or (random.random() < 0.7 and not crosses):
        return [item | {"transferCalls": legs}]
    child = {name: item[name] for name in ("organizationId", "agentId", "direction")}
    child |= {"parentCallId": call_id, "createdAt": (created + timedelta(seconds=1)).isoformat()}
    return [item | {"transferCalls": legs[1:]}, legs[0] | child]


_TALK = [{"role": "agent", "content": "How can I help you today?"}, {"role": "user", "content": "My order, please"}]


def _analysis(random: Random) -> dict[str, Any] | None:
    keys = random.sample(["intent", "amount", "email"], random.randrange(4))
    extractions = {key: random.choice(_FIELDS) for key in keys}
    return random.choice([None, {"summary": random.choice([None, " ", "All is well."]), "extractions": extractions}])


def _leg(random: Random, leg_id: str, started: datetime) -> dict[str, Any]:
    return {
        "id": leg_id,
        "transferType": random.choice(["warm", "cold", None]),
        "transferStatus": random.choice(_LEG_STATUSES),
        "durationSeconds": random.choice([None, 0, 30, 200]),
        "cost": random.choice([None, 0, 0.1]),
        "startedAt": (started + timedelta(seconds=random.choice([-5, 0, 33]))).isoformat(),
    }


Row = Mapping[str, Any]
Part = Callable[[Row], float | None]


def counted(calls: Iterable[Row]) -> list[Row]:
    """Return root calls that are not deleted."""
    return [call for call in calls if call["parent_call_id"] is None and call["deleted_at"] is None]


def counted_legs(legs: Iterable[Row]) -> list[Row]:
    """Return legs that are not deleted."""
    return [leg for leg in legs if leg["deleted_at"] is None]


def period_start(day: date, grain: str) -> date:
    """Return the first day of the day, ISO week or month."""
    return {"day": day, "week": day - timedelta(days=day.isoweekday() - 1), "month": day.replace(day=1)}[grain]


def total(rows: Iterable[Row], part: Part) -> float | None:
    """Add a part up; null where no row has one."""
    known = [value for value in map(part, rows) if value is not None]
    return math.fsum(known) if known else None


def over(above: float | None, below: float | None) -> float | None:
    """Divide; null where there is nothing to divide or to divide by."""
    return None if above is None or not below else above / below


def groups(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Put rows together whose key is the same, nulls alike."""
    found = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def has(test: Callable[[Row], bool]) -> Part:
    """Count the rows for which something is true."""
    return lambda row: int(bool(test(row)))


def where(test: Callable[[Row], bool], name: str) -> Part:
    """Take a value where something is true."""
    return lambda row: row[name] if test(row) else None


def connected(call: Row) -> bool:
    seconds, reached = call["duration_seconds"], call["outcome"] not in ("no_answer", "busy", "canceled", "voicemail")
    return call["is_transferred"] or ((seconds or 0) > 0 and reached)


def over_now(call: Row) -> bool:
    return call["outcome"] not in ("in_progress", "unknown")


def timed(call: Row) -> bool:
    return connected(call) and call["duration_seconds"] is not None


def is_(name: str, value: Any) -> Part:
    return has(lambda row: row[name] == value)


def column(name: str) -> Part:
    return lambda row: row[name]
