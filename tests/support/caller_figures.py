"""The figures of the catalogue that are about callers, load and extractions, in plain Python as well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.measured_lake import TIMEZONE
from tests.support.measures import CALL_RATIOS, Row, column, counted, groups, over, period_start, ratio
from tests.support.metric_figures import Figures, figures, moment, month, number


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
        connect_rate=lambda rows: ratio(rows, CALL_RATIOS["connect_rate"]),
    )


def callers(calls: list[Row], _legs: list[Row]) -> Figures:
    inbound = [call for call in counted(calls) if call["direction"] == "inbound"]
    return figures(inbound, [month], unique_callers=lambda rows: len({c["customer_key"] for c in rows} - {None}))
