"""The figures of the catalogue of metrics, worked out from the rows of calls and legs in plain Python."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.marts import CALL_MEASURES, LEG_MEASURES, ratio_of
from tests.support.metrics_lake import (
    TIMEZONE,
    Part,
    Row,
    column,
    connected,
    counted,
    counted_legs,
    groups,
    has,
    is_,
    over,
    over_now,
    period_start,
    timed,
    total,
    where,
)

Figures = dict[tuple[Any, ...], dict[str, float | None]]
"""Figures by the columns that they are of."""

_OUTCOMES = ("completed", "failed", "no_answer", "busy", "voicemail", "canceled")
_BOUNDS = (-math.inf, 10, 30, 60, 120, 300, 600, 1800, math.inf)


def month(row: Row) -> date:
    return period_start(row["call_date"], "month")


def week(row: Row) -> date:
    return period_start(row["call_date"], "week")


def moment(call: Row) -> datetime:
    return call["created_at"] or call["started_at"]


def figures(
    rows: Iterable[Row], by: Iterable[Callable[[Row], Any] | str], **parts: Callable[[list[Row]], Any]
) -> Figures:
    """Work figures out by group; a column's name gives its value."""
    keys = [column(key) if isinstance(key, str) else key for key in by]
    found = groups(rows, lambda row: tuple(key(row) for key in keys))
    return {key: {name: part(behind) for name, part in parts.items()} for key, behind in found.items()}


def summed(part: Part) -> Callable[[list[Row]], float | None]:
    return lambda rows: total(rows, part)


def number(test: Callable[[Row], bool]) -> Callable[[list[Row]], float | None]:
    return summed(has(test))


def call_ratio(name: str, by: str) -> Callable[[list[Row], list[Row]], Figures]:
    """Return the ratio of a metric's query: by month and one dimension, with the number of calls."""
    return lambda calls, _legs: figures(
        counted(calls), [month, by], calls=len, **{name: lambda rows: ratio_of(rows, name, CALL_MEASURES)}
    )


def leg_ratio(name: str) -> Callable[[list[Row], list[Row]], Figures]:
    return lambda _calls, legs: figures(
        counted_legs(legs),
        [month, "transfer_type"],
        legs=len,
        **{name: lambda rows: ratio_of(rows, name, LEG_MEASURES)},
    )


def bill(calls: list[Row], day: Callable[[Row], date]) -> Figures:
    def kept(call: Row) -> bool:
        return call["deleted_at"] is None

    return figures(
        [call for call in calls if call["parent_call_id"] is None],
        [day],
        calls=number(kept),
        cost=summed(where(kept, "cost")),
        minutes=lambda rows: over(total(rows, where(kept, "duration_seconds")), 60),
        calls_without_cost=number(lambda call: kept(call) and call["cost"] is None),
        deleted_calls=number(lambda call: not kept(call)),
        deleted_cost=summed(where(lambda call: not kept(call), "cost")),
    )


def local_day(call: Row) -> date:
    started = call["started_at"]
    return started.astimezone(ZoneInfo(TIMEZONE)).date() if started else call["call_date"]


def outcome_shares(calls: list[Row], _legs: list[Row]) -> Figures:
    def share(outcome: str) -> Callable[[list[Row]], float | None]:
        return lambda rows: over(total(rows, is_("outcome", outcome)), total(rows, has(over_now)))

    return figures(
        counted(calls),
        [month, "direction"],
        terminal_calls=number(over_now),
        unknown_calls=number(lambda call: call["outcome"] == "unknown"),
        **{outcome: share(outcome) for outcome in _OUTCOMES},
    )


def ended_reasons(calls: list[Row], _legs: list[Row]) -> Figures:
    rows = counted(calls)

    def reason(call: Row) -> str | None:
        said = call["ended_reason"]
        return said and said.lower().replace("-", " ").replace("_", " ")

    return figures(rows, [reason, "outcome"], calls=len, share=lambda part: len(part) / len(rows))


def cost_trend(calls: list[Row], _legs: list[Row]) -> Figures:
    found = figures(
        counted(calls),
        [month],
        calls=len,
        cost=summed(column("cost")),
        average_duration_seconds=lambda rows: ratio_of(rows, "average_duration_seconds", CALL_MEASURES),
        cost_per_minute=lambda rows: ratio_of(rows, "cost_per_minute", CALL_MEASURES),
    )
    for (first,), figure in found.items():
        before = found.get((period_start(first - timedelta(days=1), "month"),), {"cost": None})["cost"]
        change = over(figure["cost"], before)
        figure["change"] = None if change is None else change - 1
    return found


def percentile(share: float) -> Callable[[list[Row]], float | None]:
    """Return the usual percentile, between its two neighbours in proportion."""

    def part(rows: list[Row]) -> float | None:
        lengths = sorted(call["duration_seconds"] for call in rows if timed(call))
        if not lengths:
            return None
        below, rest = divmod((len(lengths) - 1) * share, 1)
        low, high = lengths[int(below)], lengths[min(int(below) + 1, len(lengths) - 1)]
        return low + (high - low) * rest

    return part


def percentiles(calls: list[Row], _legs: list[Row]) -> Figures:
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    parts = {name: percentile(share) for name, share in shares.items()}
    return figures(counted(calls), [month, "organization_id", "agent_id"], duration_calls=number(timed), **parts)


def buckets(calls: list[Row], _legs: list[Row]) -> Figures:
    def bucket(low: float, high: float) -> Callable[[list[Row]], float | None]:
        return number(lambda call: timed(call) and low < call["duration_seconds"] <= high)

    limits = list(pairwise(_BOUNDS))
    parts = {f"duration_le_{high}": bucket(low, high) for low, high in limits[:-1]}
    return figures(counted(calls), [month], **parts, duration_gt_1800=bucket(*limits[-1]))


def funnel(calls: list[Row], legs: list[Row]) -> Figures:
    arrived = {leg["call_id"] for leg in counted_legs(legs) if leg["transfer_outcome"] == "success"}
    return figures(
        counted(calls),
        [month],
        calls=len,
        connected_calls=number(connected),
        transferred_calls=number(lambda call: call["is_transferred"]),
        arrived_calls=number(lambda call: call["is_transferred"] and call["call_id"] in arrived),
    )


def costs(calls: list[Row], _legs: list[Row]) -> Figures:
    def lasted(call: Row) -> bool:
        return (call["duration_seconds"] or 0) > 0

    return figures(
        counted(calls),
        [month, "agent_id"],
        cost=summed(column("cost")),
        cost_with_duration=summed(where(lasted, "cost")),
        cost_without_duration=summed(where(lambda call: not lasted(call), "cost")),
        calls_without_cost=number(lambda call: call["cost"] is None),
    )


def repeat_callers(calls: list[Row], days: int = 7) -> Figures:
    newest = max(map(moment, calls))
    inbound = sorted(
        (c for c in counted(calls) if c["direction"] == "inbound"), key=lambda c: (moment(c), c["call_id"])
    )

    def is_known(call: Row) -> bool:
        midnight = datetime.combine(call["call_date"], datetime.min.time(), UTC)
        return midnight + timedelta(days=1 + days) <= newest and call["customer_key"] is not None

    def again(call: Row) -> bool:
        caller = (call["organization_id"], call["customer_key"])
        later = [c for c in inbound[inbound.index(call) + 1 :] if (c["organization_id"], c["customer_key"]) == caller]
        return any(moment(c) - moment(call) <= timedelta(days=days) for c in later)

    def of_known(part: Callable[[Row], bool]) -> Callable[[list[Row]], float | None]:
        # A sum over days of which none is old enough is null, and 0 where only the callers are unknown.
        return lambda rows: (
            sum(part(call) for call in rows if is_known(call))
            if any(is_known({**call, "customer_key": ""}) for call in rows)
            else None
        )

    callers, repeated = of_known(lambda _call: True), of_known(again)
    return figures(
        inbound,
        [month, "agent_id"],
        caller_calls=callers,
        repeat_caller_rate=lambda rows: over(repeated(rows), callers(rows)),
        anonymous_calls=number(lambda call: call["customer_key"] is None),
    )


def alive(calls: Iterable[Row], instant: datetime) -> int:
    lives = ((call["started_at"], call["ended_at"]) for call in calls)
    return sum(None not in life and life[0] <= instant < life[1] for life in lives)


def hourly_peaks(calls: list[Row], _legs: list[Row]) -> Figures:
    found: Figures = {}
    for (day, agent, direction), rows in groups(
        counted(calls), lambda c: (c["call_date"], c["agent_id"], c["direction"])
    ).items():
        hours = {moment(call).replace(minute=0, second=0, microsecond=0) for call in rows}
        starts = [c["started_at"] for c in rows if c["started_at"] is not None]
        instants = [*hours, *(start for start in starts if start.replace(minute=0, second=0, microsecond=0) in hours)]
        peak = max(alive(rows, instant) for instant in instants)
        key = (period_start(day, "month"), agent, direction)
        found[key] = {"peak_concurrency": max(peak, found.get(key, {"peak_concurrency": 0})["peak_concurrency"] or 0)}
    return found


def peaks(calls: list[Row], _legs: list[Row]) -> Figures:
    rows = counted(calls)
    starts = [c["started_at"] for c in rows if alive([c], c["started_at"] or moment(c))]
    firsts = {month(c) for c in rows} | {period_start(start.date(), "month") for start in starts}
    instants = [*starts, *(datetime(first.year, first.month, 1, tzinfo=UTC) for first in firsts)]
    found = groups(instants, lambda instant: (period_start(instant.date(), "month"),))
    return {key: {"peak_calls": max(alive(rows, instant) for instant in within)} for key, within in found.items()}


def fill_rates(calls: list[Row], attributes: list[Row]) -> Figures:
    of = {call["call_id"]: call for call in counted(calls)}
    rows = [row for row in attributes if row["source"] == "extraction" and row["call_id"] in of]
    found: Figures = {}
    for (_organization, agent), part in groups(rows, lambda row: _pair(of[row["call_id"]])).items():
        extracted = len({row["call_id"] for row in part})
        for key, named in groups(part, column("key")).items():
            figure = found.setdefault((agent, key), {"filled_calls": 0, "extraction_calls": 0})
            figure["filled_calls"] = (figure["filled_calls"] or 0) + sum(map(_is_filled, named))
            figure["extraction_calls"] = (figure["extraction_calls"] or 0) + extracted
    for figure in found.values():
        figure["fill_rate"] = over(figure["filled_calls"], figure["extraction_calls"])
    return found


def _pair(call: Row) -> tuple[Any, Any]:
    return call["organization_id"], call["agent_id"]


def _is_filled(attribute: Row) -> bool:
    if attribute["value_type"] == "string":
        return attribute["value"].strip() != ""
    return attribute["value_type"] != "null" and json.loads(attribute["value"]) not in ([], {})


def hours(calls: list[Row], _legs: list[Row]) -> Figures:
    def local(call: Row) -> datetime:
        return moment(call).astimezone(ZoneInfo(TIMEZONE))

    return figures(
        counted(calls),
        [lambda call: local(call).isoweekday(), lambda call: local(call).hour],
        calls=len,
        connect_rate=lambda rows: ratio_of(rows, "connect_rate", CALL_MEASURES),
    )


def callers(calls: list[Row], _legs: list[Row]) -> Figures:
    inbound = [call for call in counted(calls) if call["direction"] == "inbound"]
    return figures(inbound, [month], unique_callers=lambda rows: len({c["customer_key"] for c in rows} - {None}))
