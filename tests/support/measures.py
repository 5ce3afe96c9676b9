"""What metrics are made of, row by row in plain Python: nothing here knows marts, the dictionary or SQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

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


def one(_row: Row) -> int:
    return 1


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


def rated(row: Row) -> bool:
    return row["cost"] is not None and (row["duration_seconds"] or 0) > 0


def timed(call: Row) -> bool:
    return connected(call) and call["duration_seconds"] is not None


def is_(name: str, value: Any) -> Part:
    return has(lambda row: row[name] == value)


def known(name: str) -> Part:
    return has(lambda row: row[name] is not None)


def column(name: str) -> Part:
    return lambda row: row[name]


_COST_PER_MINUTE = (60, where(rated, "cost"), [where(rated, "duration_seconds")])

# A factor, what is added up above the line, and what is added up below it, each sum for itself.
CALL_RATIOS: Mapping[str, tuple[float, Part, Sequence[Part]]] = {
    "cost_per_minute": _COST_PER_MINUTE,
    "average_duration_seconds": (1, where(timed, "duration_seconds"), [has(timed)]),
    "connect_rate": (1, has(connected), [one]),
    "completion_rate": (1, is_("outcome", "completed"), [has(over_now)]),
    "transfer_rate": (1, column("is_transferred"), [has(connected)]),
    "transfer_rate_all": (1, column("is_transferred"), [one]),
    "containment_rate": (
        1,
        has(lambda call: connected(call) and over_now(call) and not call["is_transferred"]),
        [has(lambda call: connected(call) and over_now(call))],
    ),
    "short_call_rate": (1, has(lambda call: timed(call) and call["duration_seconds"] < 10), [has(connected)]),
    "agent_word_share": (1, column("agent_word_count"), [column("agent_word_count"), column("user_word_count")]),
    "cost_per_completed_call": (1, column("cost"), [is_("outcome", "completed")]),
    "average_seconds_to_transfer": (1, column("seconds_to_transfer"), [known("seconds_to_transfer")]),
    "turns_per_call": (1, column("turn_count"), [known("turn_count")]),
    "summary_rate": (1, has(lambda call: (call["summary"] or "").strip() != ""), [one]),
}
LEG_RATIOS: Mapping[str, tuple[float, Part, Sequence[Part]]] = {
    "transfer_success_rate": (
        1,
        is_("transfer_outcome", "success"),
        [is_("transfer_outcome", "success"), is_("transfer_outcome", "failed")],
    ),
    "average_leg_seconds": (1, column("duration_seconds"), [known("duration_seconds")]),
    "cost_per_minute": _COST_PER_MINUTE,
}


def ratio(rows: Iterable[Row], parts: tuple[float, Part, Sequence[Part]]) -> float | None:
    """Work a ratio out over rows of calls or legs; null where one of its sums is."""
    factor, above, below = parts
    rows = list(rows)
    sums = [total(rows, part) for part in below]
    known_sums = [value for value in sums if value is not None]
    result = over(total(rows, above), math.fsum(known_sums) if len(known_sums) == len(sums) else None)
    return None if result is None else factor * result
