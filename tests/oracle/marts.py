"""The three tables of metrics, from the rows of calls and legs: what they promise, and each measure once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.names import DATE, INT, KEYS, NUM, TEXT, Columns, columns
from tests.oracle.ratios import ratio, total

Row = dict[str, Any]
Measure = Callable[[list[Row]], Any]
"""Counts or adds up rows of calls or of legs."""

MARTS: Mapping[str, Columns] = {
    "call_metrics_daily": columns(
        (TEXT, "organization_id agent_id phone_number_id direction provider"),
        (INT, "calls terminal_calls connected_calls connected_terminal_calls completed_calls failed_calls"),
        (INT, "no_answer_calls busy_calls voicemail_calls canceled_calls unknown_outcome_calls transferred_calls"),
        (INT, "contained_calls short_calls cost_missing_calls summary_calls extraction_calls"),
        (NUM, "duration_seconds"),
        (INT, "duration_calls"),
        (NUM, "cost cost_rated seconds_rated cost_zero_duration"),
        (INT, "messages user_words agent_words turns turn_calls"),
        (NUM, "seconds_to_transfer"),
        (INT, "seconds_to_transfer_calls"),
        (INT, "duration_le_10 duration_le_30 duration_le_60 duration_le_120 duration_le_300 duration_le_600"),
        (INT, "duration_le_1800 duration_gt_1800"),
        (NUM, "cost_per_minute average_duration_seconds connect_rate completion_rate transfer_rate"),
        (NUM, "transfer_rate_all containment_rate short_call_rate agent_word_share"),
    ),
    "transfer_metrics_daily": columns(
        (TEXT, "organization_id agent_id phone_number_id direction transfer_type"),
        (INT, "legs successful_legs failed_legs pending_legs unknown_legs"),
        (NUM, "duration_seconds"),
        (INT, "duration_legs"),
        (NUM, "cost cost_rated seconds_rated seconds_to_transfer"),
        (INT, "seconds_to_transfer_legs"),
        (NUM, "transfer_success_rate average_leg_seconds cost_per_minute"),
    ),
    "call_volume_hourly": columns(
        (INT, "hour_utc"),
        (TEXT, "agent_id direction"),
        (DATE, "local_date"),
        (INT, "local_hour local_weekday"),
        (INT, "calls connected_calls connected_terminal_calls completed_calls transferred_calls contained_calls"),
        (NUM, "duration_seconds cost cost_rated seconds_rated"),
        (INT, "peak_concurrency"),
    ),
}

# Each ratio as sum over sum. The last ones are macros only, no columns.
RATIOS: Mapping[str, str] = {
    "cost_per_minute": "60 * cost_rated / seconds_rated",
    "average_duration_seconds": "duration_seconds / duration_calls",
    "connect_rate": "connected_calls / calls",
    "completion_rate": "completed_calls / terminal_calls",
    "transfer_rate": "transferred_calls / connected_calls",
    "transfer_rate_all": "transferred_calls / calls",
    "containment_rate": "contained_calls / connected_terminal_calls",
    "short_call_rate": "short_calls / connected_calls",
    "agent_word_share": "agent_words / (agent_words + user_words)",
    "transfer_success_rate": "successful_legs / (successful_legs + failed_legs)",
    "average_leg_seconds": "duration_seconds / duration_legs",
    "cost_per_completed_call": "cost / completed_calls",
    "average_seconds_to_transfer": "seconds_to_transfer / seconds_to_transfer_calls",
    "turns_per_call": "turns / turn_calls",
    "summary_rate": "summary_calls / calls",
}

# Upper bounds of the duration histogram; each bucket begins where the one before it ends.
BUCKETS = (10, 30, 60, 120, 300, 600, 1800)


def _groups(rows: Iterable[Row], names: tuple[str, ...]) -> list[tuple[Row, list[Row]]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [(dict(zip(names, values, strict=True)), members) for values, members in groups.items()]


def _count(wanted: Callable[[Row], Any]) -> Measure:
    return lambda rows: sum(1 for row in rows if wanted(row))


def _known(name: str) -> Measure:
    return _count(lambda row: row[name] is not None)


def _is(name: str, value: str) -> Measure:
    return _count(lambda row: row[name] == value)


def _sum(name: str, where: Callable[[Row], Any] = lambda _: True) -> Measure:
    return lambda rows: total(row[name] for row in rows if where(row))


def _counted(calls: list[Row]) -> list[Row]:
    return [call for call in calls if call["is_root"] and call["deleted_at"] is None]


def _is_rated(row: Row) -> bool:
    return row["cost"] is not None and row["duration_seconds"] is not None and row["duration_seconds"] > 0


def _is_timed(call: Row) -> bool:
    return call["is_connected"] and call["duration_seconds"] is not None


def _between(lower: float, upper: float) -> Measure:
    return _count(lambda call: _is_timed(call) and lower < call["duration_seconds"] <= upper)


_MONEY: Mapping[str, Measure] = {
    "cost": _sum("cost"),
    "cost_rated": _sum("cost", _is_rated),
    "seconds_rated": _sum("duration_seconds", _is_rated),
}
_HOURLY: Mapping[str, Measure] = {
    **_MONEY,
    "calls": len,
    "connected_calls": _count(lambda call: call["is_connected"]),
    "connected_terminal_calls": _count(lambda call: call["is_connected"] and call["is_terminal"]),
    "completed_calls": _is("outcome", "completed"),
    "transferred_calls": _count(lambda call: call["is_transferred"]),
    "contained_calls": _count(lambda call: call["is_contained"]),
    "duration_seconds": _sum("duration_seconds", _is_timed),
}
CALL_MEASURES: Mapping[str, Measure] = {
    **_HOURLY,
    "terminal_calls": _count(lambda call: call["is_terminal"]),
    "failed_calls": _is("outcome", "failed"),
    "no_answer_calls": _is("outcome", "no_answer"),
    "busy_calls": _is("outcome", "busy"),
    "voicemail_calls": _is("outcome", "voicemail"),
    "canceled_calls": _is("outcome", "canceled"),
    "unknown_outcome_calls": _is("outcome", "unknown"),
    "short_calls": _count(lambda call: _is_timed(call) and call["duration_seconds"] < 10),
    "cost_missing_calls": _count(lambda call: call["cost"] is None),
    "summary_calls": _count(lambda call: call["summary"] is not None and call["summary"].strip() != ""),
    "extraction_calls": _count(lambda call: call["has_extractions"]),
    "duration_calls": _count(_is_timed),
    "cost_zero_duration": _sum("cost", lambda call: not _is_rated(call)),
    "messages": _sum("message_count"),
    "user_words": _sum("user_word_count"),
    "agent_words": _sum("agent_word_count"),
    "turns": _sum("turn_count"),
    "turn_calls": _known("turn_count"),
    "seconds_to_transfer": _sum("seconds_to_transfer"),
    "seconds_to_transfer_calls": _known("seconds_to_transfer"),
    **{
        f"duration_le_{upper}": _between(lower, upper)
        for lower, upper in zip((float("-inf"), *BUCKETS), BUCKETS, strict=False)
    },
    "duration_gt_1800": _between(1800, float("inf")),
}
LEG_MEASURES: Mapping[str, Measure] = {
    **_MONEY,
    "legs": len,
    "successful_legs": _is("transfer_outcome", "success"),
    "failed_legs": _is("transfer_outcome", "failed"),
    "pending_legs": _is("transfer_outcome", "pending"),
    "unknown_legs": _is("transfer_outcome", "unknown"),
    "duration_seconds": _sum("duration_seconds"),
    "duration_legs": _known("duration_seconds"),
    "seconds_to_transfer": _sum("seconds_to_transfer"),
    "seconds_to_transfer_legs": _known("seconds_to_transfer"),
}


def ratio_parts(name: str) -> tuple[float, str, tuple[str, ...]]:
    """Return the factor, the numerator and the columns of the denominator of a ratio."""
    above, below = RATIOS[name].split(" / ")
    factor, _, numerator = above.rpartition(" * ")
    return float(factor or 1), numerator, tuple(below.strip("()").split(" + "))


def ratio_of(rows: list[Row], name: str, measures: Mapping[str, Measure]) -> float | None:
    """Return a ratio over any rows of calls or legs; null where one of its sums is."""
    factor, numerator, denominator = ratio_parts(name)
    above, below = measures[numerator](rows), [measures[part](rows) for part in denominator]
    return None if above is None or None in below else ratio(factor * above, sum(below))


def _mart_rows(table: str, rows: list[Row], measures: Mapping[str, Measure]) -> list[Row]:
    ratios = [name for name in MARTS[table] if name in RATIOS]
    return [
        dimensions
        | {name: measure(members) for name, measure in measures.items()}
        | {name: ratio_of(members, name, measures) for name in ratios}
        for dimensions, members in _groups(rows, KEYS[table])
    ]


def call_metrics_rows(calls: list[Row]) -> list[Row]:
    """call_metrics_daily, over root calls that are not deleted."""
    return _mart_rows("call_metrics_daily", _counted(calls), CALL_MEASURES)


def transfer_metrics_rows(legs: list[Row]) -> list[Row]:
    """transfer_metrics_daily, over legs that did not leave with a deleted call."""
    return _mart_rows("transfer_metrics_daily", [leg for leg in legs if leg["deleted_at"] is None], LEG_MEASURES)


def hourly_rows(day: date, calls: list[Row], timezone: str) -> list[Row]:
    """call_volume_hourly: a row for each hour in which a root call was created, by agent and direction."""
    counted = [call | {"hour_utc": (call["created_at"] or call["started_at"]).hour} for call in _counted(calls)]
    rows = []
    for dimensions, members in _groups(counted, KEYS["call_volume_hourly"]):
        hour = datetime.combine(day, time(dimensions["hour_utc"]), UTC)
        local = hour.astimezone(ZoneInfo(timezone))
        of_agent = [
            call for call in counted if all(call[name] == dimensions[name] for name in ("agent_id", "direction"))
        ]
        rows.append(
            {
                **dimensions,
                **{name: measure(members) for name, measure in _HOURLY.items()},
                "local_date": local.date(),
                "local_hour": local.hour,
                "local_weekday": local.isoweekday(),
                "peak_concurrency": _peak(hour, of_agent),
            }
        )
    return rows


def _peak(hour: datetime, calls: list[Row]) -> int:
    """Return the most calls alive at one instant of the hour: the number only rises where a call starts."""
    known = [call for call in calls if call["started_at"] is not None and call["ended_at"] is not None]
    starts = [call["started_at"] for call in known if hour <= call["started_at"] < hour + timedelta(hours=1)]
    return max(sum(call["started_at"] <= instant < call["ended_at"] for call in known) for instant in [hour, *starts])
