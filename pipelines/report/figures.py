"""Every figure of a report, read from the catalog at one moment. The sections only put them into words and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final

import duckdb

from pipelines.errors import ChorusCallsError
from pipelines.report import queries
from pipelines.report.agents import Agents, read_agents
from pipelines.report.period import Period, choose
from pipelines.report.queries import Row, Source

_SHOWN_AGENTS: Final = 12
_NOTHING: Final[Row] = MappingProxyType({})
_HAS_CALLS: Final = "SELECT 1 FROM _tables WHERE table_name = 'calls'"
_DAY_IN_MICROSECONDS: Final = 86_400_000_000


@dataclass(frozen=True)
class NowAndBefore:
    """One row of sums of the period, and one of the period before; empty where there is no row."""

    now: Row
    before: Row


@dataclass(frozen=True)
class Figures:
    """What a report knows.

    Attributes:
        period: The days it is about.
        before: The days it compares them with; None where the lake does not reach back that far.
        known: The days from the lake's first call to its newest.
        agent: The only agent it is about; None for all.
        agents: Their names.
        currency: The label of money; None where none is set.
        timezone: The zone of the local hours.
        calls: Counts, sums and ratios of calls.
        legs: The same of transfers.
        by_step: Those of calls, by day, week or month.
        calls_before: Calls of the period before, by the day of this period that stands in the same place.
        by_agent: Those of the agents with the most calls; the last row is of all others together, where `agents` says
            so.
        outcomes: Calls by outcome, now and before.
        durations: Connected calls by ranges of their duration.
        hours: Calls by local weekday (1 is Monday) and hour.
        by_transfer_type: Transfers by type.
        percentiles: Of the duration in seconds, by percent, now and before.
        transfer_times: Seconds from a call's start to a transfer.
        repeat_callers: Whether inbound callers called again.
        reasons: Calls by ended_reason, now and before.
        issues: What was wrong with the data, by kind and place.
        deleted_calls: Calls of the period that the API no longer lists.
        published_days: How many days of the period are published.
        freshness: How far the lake reaches.
        generation: Which state of the lake this is.
    """

    period: Period
    before: Period | None
    known: Period
    agent: str | None
    agents: Agents
    currency: str | None
    timezone: str
    calls: NowAndBefore
    legs: NowAndBefore
    by_step: Sequence[Row]
    calls_before: Mapping[date, int]
    by_agent: Sequence[Row]
    outcomes: Sequence[Row]
    durations: Row
    hours: Mapping[tuple[int, int], int]
    by_transfer_type: Sequence[Row]
    percentiles: Sequence[Row]
    transfer_times: Row
    repeat_callers: NowAndBefore
    reasons: Sequence[Row]
    issues: Sequence[Row]
    deleted_calls: int
    published_days: int
    freshness: Row
    generation: int


def read_figures(
    connection: duckdb.DuckDBPyConnection, first: date | None, last: date | None, agent: str | None, timezone: str
) -> Figures:
    """Read all figures of a period.

    Args:
        connection: The catalog.
        first: The first day asked for, None for the default.
        last: The last day asked for, None for the day of the newest call.
        agent: The id of the only agent it is about; None for all.
        timezone: The zone of the local hours.

    Raises:
        ChorusCallsError: There are no calls, or none of this period or agent, or the days are no period.
    """
    plain = Source(connection, {})
    if not plain.rows(_HAS_CALLS):
        message = (
            "This catalog has only aggregated tables. Set CHORUS_CATALOG to the lake's own: a report needs the calls."
        )
        raise ChorusCallsError(message)
    span = plain.row(queries.KNOWN_DAYS)
    if first and last and first > last:
        choose(first, last, Period(first, last))  # wrong usage, whatever the lake holds
    if span["first"] is None:
        message = "There are no calls to report on yet. Run `chorus-calls sync` to fetch them."
        raise ChorusCallsError(message)
    known = Period(span["first"], span["last"])
    period = choose(first, last, known)
    agents = read_agents(plain)
    if agent is not None:
        agents.require(agent)
    before = (
        period.before() if period.before().first >= known.first else None
    )  # a part of one is nothing to compare with
    return _read(
        Source(connection, _parameters(period, before, agent)),
        period=period,
        before=before,
        known=known,
        agent=agent,
        agents=agents,
        timezone=timezone,
    )


def _read(source: Source, **known: Any) -> Figures:
    """Ask everything, and add what is known already."""
    lake = source.row(queries.LAKE)
    return Figures(
        **known,
        currency=lake["currency"],
        generation=lake["generation"],
        calls=_now_and_before(source.rows(queries.CALLS)),
        legs=_now_and_before(source.rows(queries.LEGS)),
        by_step=source.rows(queries.BY_STEP),
        calls_before={row["step"]: row["calls"] for row in source.rows(queries.CALLS_BEFORE)},
        by_agent=source.rows(queries.BY_AGENT),
        outcomes=source.rows(queries.OUTCOMES),
        durations=source.row(queries.DURATIONS),
        hours={(row["local_weekday"], row["local_hour"]): row["calls"] for row in source.rows(queries.HOURS)},
        by_transfer_type=source.rows(queries.BY_TRANSFER_TYPE),
        percentiles=source.rows(queries.PERCENTILES),
        transfer_times=source.row(queries.TRANSFER_TIMES),
        repeat_callers=_now_and_before(source.rows(queries.REPEAT_CALLERS)),
        reasons=source.rows(queries.REASONS),
        issues=source.rows(queries.ISSUES),
        deleted_calls=source.row(queries.DELETED_CALLS)["calls"],
        published_days=source.row(queries.PUBLISHED_DAYS)["days"],
        freshness=source.row(queries.FRESHNESS),
    )


def _parameters(period: Period, before: Period | None, agent: str | None) -> dict[str, Any]:
    return {
        "first": period.first,
        "last": period.last,
        "before_first": before.first if before else period.first,
        "days": period.days,
        "unit": period.unit,
        "agent": agent,
        "shown_agents": _SHOWN_AGENTS,
        "repeat_last": period.last + timedelta(days=queries.REPEAT_DAYS),
        "repeat_span": queries.REPEAT_DAYS * _DAY_IN_MICROSECONDS,
    }


def _now_and_before(rows: Sequence[Row]) -> NowAndBefore:
    found = {row["is_now"]: row for row in rows}
    return NowAndBefore(found.get(True, _NOTHING), found.get(False, _NOTHING))
