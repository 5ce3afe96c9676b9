"""Every figure of a report, read from one state of the catalog. The sections only turn them into words and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import duckdb

from pipelines.errors import ChorusCallsError
from pipelines.report import queries
from pipelines.report.period import Period, choose_period
from pipelines.report.queries import Row, Source
from pipelines.report.text import clean, word

_SHOWN_AGENTS: Final = 12
_NOTHING: Final[Row] = {}
_HAS_CALLS: Final = "SELECT 1 FROM _tables WHERE table_name = 'calls'"
_DAY_IN_MICROSECONDS: Final = 86_400_000_000
_SHORTEST_ID: Final = 8
_LONGEST_ID: Final = 40
_LISTED_AGENTS: Final = 5
_AGENT_NAMES: Final = "SELECT id, name FROM agents WHERE name IS NOT NULL"
_HAS_AGENT_NAMES: Final = "SELECT 1 FROM _tables WHERE table_name = 'agents'"


@dataclass(frozen=True)
class Agents:
    """The agents of a lake.

    Attributes:
        ids: Those with calls, the one with the most first.
        names: Names by id, of those with a name.
    """

    ids: Sequence[str]
    names: Mapping[str, str]

    def require(self, agent: str) -> None:
        """Raise ChorusCallsError if an agent has no calls."""
        if agent in self.ids:
            return
        some = ", ".join(self.ids[:_LISTED_AGENTS])
        more = f" and {len(self.ids) - _LISTED_AGENTS:,} more" if len(self.ids) > _LISTED_AGENTS else ""
        known = f"The agents with the most calls are {some}{more}." if some else "No call names an agent."
        message = f"No agent with calls has the id {word(agent)!r}. {known}"
        raise ChorusCallsError(message)

    def label(self, agent: str | None) -> str:
        """Return an agent's label: name and short id, or the short id alone."""
        if agent is None:
            return "(no agent)"
        name = word(self.names.get(agent), absent="")
        short = clean(agent[: self._length()]) or "(blank id)"
        return f"{name} ({short})" if name else short

    def _length(self) -> int:
        """Return how many characters make the short ids unique."""
        lengths = range(_SHORTEST_ID, _LONGEST_ID)
        return next((n for n in lengths if len({agent[:n] for agent in self.ids}) == len(self.ids)), _LONGEST_ID)


def read_agents(source: Source) -> Agents:
    """Read which agents have calls, and their names if the catalog has the table of them."""
    ids = [row["agent_id"] for row in source.rows(queries.AGENTS)]
    named = source.rows(_AGENT_NAMES) if source.rows(_HAS_AGENT_NAMES) else []
    return Agents(ids, {row["id"]: row["name"] for row in named})


@dataclass(frozen=True)
class NowAndBefore:
    """The sums of the period and of the period before; empty if there are none."""

    now: Row
    before: Row


@dataclass(frozen=True)
class Figures:
    """The figures of a report.

    Attributes:
        period: The days it covers.
        before: The days it compares them with; None if the lake does not reach back that far.
        known: The days from the lake's first call to its newest.
        agent: The only agent it covers; None for all.
        by_step: Those of calls, by day, week or month.
        calls_before: Calls of the period before, by the day of this period in the same position.
        by_agent: Those of the agents with the most calls; a last row with `agents` above 1 is all others together.
        outcomes: Calls by outcome, now and before.
        hours: Calls by local weekday (1 is Monday) and hour.
        percentiles: Percentiles of the duration in seconds, now and before.
        transfer_times: Seconds from a call's start to a transfer.
        repeat_callers: Whether inbound callers called again.
        reasons: Calls by ended_reason, now and before.
        deleted_calls: Calls of the period that the API no longer lists.
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
        agent: Id of the only agent; None for all.
        timezone: The zone of the local hours.

    Raises:
        ChorusCallsError: There are no calls, or none of this period or agent, or the first day is after the last.
    """
    plain = Source(connection, {})
    if not plain.rows(_HAS_CALLS):
        message = (
            "This catalog has only aggregated tables. Set CHORUS_CATALOG to the lake's own: a report needs the calls."
        )
        raise ChorusCallsError(message)
    span = plain.row(queries.KNOWN_DAYS)
    if first and last and first > last:
        choose_period(first, last, Period(first, last))  # wrong usage, whatever the lake contains
    if span["first"] is None:
        message = "There are no calls to report on yet. Run `chorus-calls sync` to fetch them."
        raise ChorusCallsError(message)
    known = Period(span["first"], span["last"])
    period = choose_period(first, last, known)
    agents = read_agents(plain)
    if agent is not None:
        agents.require(agent)
    before = period.before()
    compared = before if before.first >= known.first else None  # never with part of a period
    return _read(
        Source(connection, _parameters(period, compared, agent)),
        period=period,
        before=compared,
        known=known,
        agent=agent,
        agents=agents,
        timezone=timezone,
    )


def _read(source: Source, **known: Any) -> Figures:
    """Run all queries."""
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
