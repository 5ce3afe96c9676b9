"""What the demo asks the catalog, as anybody could who has it: SQL, and nothing that is known from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pipelines.demo.place import CATALOG
from pipelines.serve.catalog import open_catalog

AGENTS: Final = """
WITH calls AS (
    SELECT agent_id, sum(calls) AS calls, connect_rate(sum(connected_calls), sum(calls)) AS connect_rate,
        sum(seconds_rated) / 60 AS minutes, sum(cost) AS cost,
        cost_per_minute(sum(cost_rated), sum(seconds_rated)) AS cost_per_minute
    FROM call_metrics_daily GROUP BY GROUPING SETS ((agent_id), ())
), transfers AS (
    SELECT agent_id, sum(legs) AS legs,
        transfer_success_rate(sum(successful_legs), sum(failed_legs)) AS transfer_success_rate
    FROM transfer_metrics_daily GROUP BY GROUPING SETS ((agent_id), ())
)
SELECT calls.*, coalesce(legs, 0) AS legs, transfer_success_rate, agents.name
FROM calls LEFT JOIN transfers ON calls.agent_id IS NOT DISTINCT FROM transfers.agent_id
LEFT JOIN agents ON agents.id = calls.agent_id
ORDER BY calls.agent_id IS NULL, calls DESC
"""
"""Each agent's calls and transfers, and last, without an id, those of all agents."""

_CALL: Final = """
SELECT call_id, agent_id, agents.name, direction, customer_number, started_at, duration_seconds, cost
FROM calls LEFT JOIN agents ON agents.id = agent_id
WHERE deleted_at IS NULL
    AND call_id IN (
        SELECT call_id FROM transfer_legs WHERE transfer_outcome = 'success' AND source = 'nested' AND message_count > 0
    )
ORDER BY call_id IN (SELECT call_id FROM transcript_turns WHERE speaker NOT IN ('agent', 'customer')),
    list_contains($agents, agent_id) DESC, abs(message_count - 9), started_at DESC
LIMIT 1
"""
_LEGS: Final = """
SELECT leg_id, transfer_type, transfer_outcome, customer_number, duration_seconds, cost, seconds_to_transfer
FROM transfer_legs WHERE call_id = $call ORDER BY started_at, leg_index
"""
_TURNS: Final = """
SELECT leg_id, speaker, content FROM transcript_turns WHERE call_id = $call ORDER BY leg_id NULLS FIRST, turn_index
"""


@dataclass(frozen=True)
class AgentRow:
    """One agent, or all of them where there is no id. Minutes and costs are null where nothing is behind them."""

    agent_id: str | None
    calls: int
    connect_rate: float | None
    minutes: float | None
    cost: float | None
    cost_per_minute: float | None
    legs: int
    transfer_success_rate: float | None
    name: str | None


@dataclass(frozen=True)
class Leg:
    """A transfer leg and what was said on it: (speaker, words)."""

    leg_id: str
    transfer_type: str | None
    outcome: str
    number: str | None
    seconds: float | None
    cost: float | None
    seconds_to_transfer: float | None
    turns: list[tuple[str, str | None]]


@dataclass(frozen=True)
class Conversation:
    """A call that was handed over, and what was said on it: (speaker, words)."""

    call_id: str
    agent_id: str | None
    agent_name: str | None
    direction: str | None
    number: str | None
    started_at: datetime | None
    seconds: float | None
    cost: float | None
    turns: list[tuple[str, str | None]]
    legs: list[Leg]


def agents() -> list[AgentRow]:
    """Return each agent, the busiest first, and last all of them."""
    return [AgentRow(*row) for row in _rows(AGENTS)]


def handed_over(preferred: list[str]) -> Conversation | None:
    """Return a call of moderate length whose transfer succeeded, of one of these agents if there is one."""
    found = _rows(_CALL, agents=preferred)
    if not found:
        return None
    call_id, agent_id, name, direction, number, started_at, seconds, cost = found[0]
    said: dict[str | None, list[tuple[str, str | None]]] = {}
    for leg_id, speaker, content in _rows(_TURNS, call=call_id):
        said.setdefault(leg_id, []).append((speaker, content))
    legs = [Leg(*(*leg, said.get(leg[0], []))) for leg in _rows(_LEGS, call=call_id)]
    own = said.get(None, [])
    return Conversation(call_id, agent_id, name, direction, number, started_at, seconds, cost, own, legs)


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with open_catalog(CATALOG) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql, parameters or None).fetchall()
