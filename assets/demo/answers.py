"""What the demo asks the catalog, as anybody could who has it: SQL, and nothing that is known from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from assets.demo.place import CATALOG
from pipelines.serve.conversation import Conversation, read_conversation
from pipelines.serve.query import run_query

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
SELECT call_id
FROM calls
WHERE deleted_at IS NULL
    AND call_id IN (
        SELECT call_id FROM transfer_legs WHERE transfer_outcome = 'success' AND source = 'nested' AND message_count > 0
    )
ORDER BY call_id IN (SELECT call_id FROM transcript_turns WHERE speaker NOT IN ('agent', 'customer')),
    list_contains($1, agent_id) DESC, abs(message_count - 9), started_at DESC
LIMIT 1
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


def agents() -> list[AgentRow]:
    """Return each agent, the busiest first, and last all of them."""
    return [AgentRow(*row) for row in _rows(AGENTS)]


def handed_over(preferred: list[str]) -> Conversation | None:
    """Return a call of moderate length whose transfer succeeded, of one of these agents if there is one."""
    found = _rows(_CALL, preferred)
    return read_conversation(CATALOG, found[0][0]) if found else None


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with run_query(CATALOG, sql, values) as found:
        return list(found.rows)
