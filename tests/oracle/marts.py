"""The three tables of metrics, from the rows of calls and legs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.names import KEYS
from tests.oracle.ratios import per_minute, ratio, total

Row = dict[str, Any]

# Upper bounds of the duration histogram; each bucket begins where the one before it ends.
BUCKETS = (10, 30, 60, 120, 300, 600, 1800)


def _groups(rows: Iterable[Row], names: tuple[str, ...]) -> list[tuple[Row, list[Row]]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [(dict(zip(names, values, strict=True)), members) for values, members in groups.items()]


def _count(rows: list[Row], wanted: Callable[[Row], Any]) -> int:
    return sum(1 for row in rows if wanted(row))


def _counted(calls: list[Row]) -> list[Row]:
    return [call for call in calls if call["is_root"] and call["deleted_at"] is None]


def _is_rated(row: Row) -> bool:
    return row["cost"] is not None and row["duration_seconds"] is not None and row["duration_seconds"] > 0


def _money(rows: list[Row]) -> Row:
    rated = [row for row in rows if _is_rated(row)]
    return {
        "cost": total(row["cost"] for row in rows),
        "cost_rated": total(row["cost"] for row in rated),
        "seconds_rated": total(row["duration_seconds"] for row in rated),
    }


def _call_counts(calls: list[Row]) -> Row:
    return {
        "calls": len(calls),
        "connected_calls": _count(calls, lambda call: call["is_connected"]),
        "connected_terminal_calls": _count(calls, lambda call: call["is_connected"] and call["is_terminal"]),
        "completed_calls": _count(calls, lambda call: call["outcome"] == "completed"),
        "transferred_calls": _count(calls, lambda call: call["is_transferred"]),
        "contained_calls": _count(calls, lambda call: call["is_contained"]),
    }


def _connected_durations(calls: list[Row]) -> list[float]:
    return [call["duration_seconds"] for call in calls if call["is_connected"] and call["duration_seconds"] is not None]


def call_metrics_rows(calls: list[Row]) -> list[Row]:
    """call_metrics_daily, over root calls that are not deleted."""
    groups = _groups(_counted(calls), KEYS["call_metrics_daily"])
    return [dimensions | _call_metrics(members) for dimensions, members in groups]


def _call_metrics(calls: list[Row]) -> Row:
    durations = _connected_durations(calls)
    row = {
        **_call_counts(calls),
        **_money(calls),
        **_histogram(durations),
        "terminal_calls": _count(calls, lambda call: call["is_terminal"]),
        "failed_calls": _count(calls, lambda call: call["outcome"] == "failed"),
        "no_answer_calls": _count(calls, lambda call: call["outcome"] == "no_answer"),
        "busy_calls": _count(calls, lambda call: call["outcome"] == "busy"),
        "voicemail_calls": _count(calls, lambda call: call["outcome"] == "voicemail"),
        "canceled_calls": _count(calls, lambda call: call["outcome"] == "canceled"),
        "unknown_outcome_calls": _count(calls, lambda call: call["outcome"] == "unknown"),
        "short_calls": sum(seconds < 10 for seconds in durations),
        "cost_missing_calls": _count(calls, lambda call: call["cost"] is None),
        "summary_calls": _count(calls, lambda call: call["summary"] is not None and call["summary"].strip() != ""),
        "extraction_calls": _count(calls, lambda call: call["has_extractions"]),
        "duration_seconds": total(durations),
        "duration_calls": len(durations),
        "cost_zero_duration": total(call["cost"] for call in calls if not _is_rated(call)),
        "messages": total(call["message_count"] for call in calls),
        "user_words": total(call["user_word_count"] for call in calls),
        "agent_words": total(call["agent_word_count"] for call in calls),
        "turns": total(call["turn_count"] for call in calls),
        "turn_calls": _count(calls, lambda call: call["turn_count"] is not None),
        "seconds_to_transfer": total(call["seconds_to_transfer"] for call in calls),
        "seconds_to_transfer_calls": _count(calls, lambda call: call["seconds_to_transfer"] is not None),
    }
    return row | _call_ratios(row)


def _histogram(durations: list[float]) -> Row:
    bounds = (float("-inf"), *BUCKETS)
    row: Row = {
        f"duration_le_{upper}": sum(lower < seconds <= upper for seconds in durations)
        for lower, upper in zip(bounds, BUCKETS, strict=False)
    }
    return row | {"duration_gt_1800": sum(seconds > 1800 for seconds in durations)}


def _call_ratios(row: Row) -> Row:
    words = None if row["user_words"] is None else row["agent_words"] + row["user_words"]
    return {
        "cost_per_minute": per_minute(row["cost_rated"], row["seconds_rated"]),
        "average_duration_seconds": ratio(row["duration_seconds"], row["duration_calls"]),
        "connect_rate": ratio(row["connected_calls"], row["calls"]),
        "completion_rate": ratio(row["completed_calls"], row["terminal_calls"]),
        "transfer_rate": ratio(row["transferred_calls"], row["connected_calls"]),
        "transfer_rate_all": ratio(row["transferred_calls"], row["calls"]),
        "containment_rate": ratio(row["contained_calls"], row["connected_terminal_calls"]),
        "short_call_rate": ratio(row["short_calls"], row["connected_calls"]),
        "agent_word_share": ratio(row["agent_words"], words),
    }


def transfer_metrics_rows(legs: list[Row]) -> list[Row]:
    """transfer_metrics_daily, over legs that did not leave with a deleted call."""
    alive = [leg for leg in legs if leg["deleted_at"] is None]
    return [
        dimensions | _transfer_metrics(members)
        for dimensions, members in _groups(alive, KEYS["transfer_metrics_daily"])
    ]


def _transfer_metrics(legs: list[Row]) -> Row:
    row = {
        **_money(legs),
        "legs": len(legs),
        "successful_legs": _count(legs, lambda leg: leg["transfer_outcome"] == "success"),
        "failed_legs": _count(legs, lambda leg: leg["transfer_outcome"] == "failed"),
        "pending_legs": _count(legs, lambda leg: leg["transfer_outcome"] == "pending"),
        "unknown_legs": _count(legs, lambda leg: leg["transfer_outcome"] == "unknown"),
        "duration_seconds": total(leg["duration_seconds"] for leg in legs),
        "duration_legs": _count(legs, lambda leg: leg["duration_seconds"] is not None),
        "seconds_to_transfer": total(leg["seconds_to_transfer"] for leg in legs),
        "seconds_to_transfer_legs": _count(legs, lambda leg: leg["seconds_to_transfer"] is not None),
    }
    decided = row["successful_legs"] + row["failed_legs"]
    return row | {
        "transfer_success_rate": ratio(row["successful_legs"], decided),
        "average_leg_seconds": ratio(row["duration_seconds"], row["duration_legs"]),
        "cost_per_minute": per_minute(row["cost_rated"], row["seconds_rated"]),
    }


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
                **_call_counts(members),
                **_money(members),
                "local_date": local.date(),
                "local_hour": local.hour,
                "local_weekday": local.isoweekday(),
                "duration_seconds": total(_connected_durations(members)),
                "peak_concurrency": _peak(hour, of_agent),
            }
        )
    return rows


def _peak(hour: datetime, calls: list[Row]) -> int:
    """Return the most calls alive at one instant of the hour: the number only rises where a call starts."""
    known = [call for call in calls if call["started_at"] is not None and call["ended_at"] is not None]
    starts = [call["started_at"] for call in known if hour <= call["started_at"] < hour + timedelta(hours=1)]
    return max(
        _count(known, lambda call, instant=instant: call["started_at"] <= instant < call["ended_at"])
        for instant in [hour, *starts]
    )
