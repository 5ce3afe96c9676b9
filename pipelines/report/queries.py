"""The SQL of the report, over marts and over single calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import duckdb

Row = Mapping[str, Any]

_PARAMETER: Final = re.compile(r"\$([a-z_]+)")


class Source:
    """An open catalog, and the parameters of queries.

    Args:
        connection: The catalog.
        parameters: Values by name; a query gets those that it names, as in `$agent`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, Any]) -> None:
        self._connection = connection
        self.parameters = parameters

    def rows(self, sql: str) -> list[Row]:
        """Return the rows of a query as mappings from column to value."""
        used = {name: self.parameters[name] for name in _PARAMETER.findall(sql)}
        result = self._connection.execute(sql, used)
        columns = [column[0] for column in result.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def row(self, sql: str) -> Row:
        """Return the only row of a query."""
        return self.rows(sql)[0]


_CALLS: Final = """
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(connected_calls) AS BIGINT) AS connected_calls,
    CAST(sum(contained_calls) AS BIGINT) AS contained_calls,
    CAST(sum(transferred_calls) AS BIGINT) AS transferred_calls,
    sum(duration_seconds) / 60 AS minutes,
    sum(cost) AS cost,
    cost_per_minute(sum(cost_rated), sum(seconds_rated)) AS cost_per_minute,
    connect_rate(sum(connected_calls), sum(calls)) AS connect_rate,
    containment_rate(sum(contained_calls), sum(connected_terminal_calls)) AS containment_rate,
    transfer_rate(sum(transferred_calls), sum(connected_calls)) AS transfer_rate,
    average_duration_seconds(sum(duration_seconds), sum(duration_calls)) AS average_duration_seconds,
    CAST(sum(cost_missing_calls) AS BIGINT) AS cost_missing_calls,
    sum(cost_zero_duration) AS cost_zero_duration
"""
_LEGS: Final = """
    CAST(sum(legs) AS BIGINT) AS legs,
    CAST(sum(successful_legs) AS BIGINT) AS successful_legs,
    CAST(sum(failed_legs) AS BIGINT) AS failed_legs,
    CAST(sum(pending_legs) + sum(unknown_legs) AS BIGINT) AS open_legs,
    transfer_success_rate(sum(successful_legs), sum(failed_legs)) AS transfer_success_rate
"""
_IN_PERIOD: Final = "call_date BETWEEN $first AND $last AND ($agent IS NULL OR agent_id = $agent)"
_WITH_BEFORE: Final = "call_date BETWEEN $before_first AND $last AND ($agent IS NULL OR agent_id = $agent)"
_IS_NOW: Final = "call_date >= $first AS is_now"

# The names of columns, tables and macros are this program's own; values are parameters.
CALLS: Final = f"SELECT {_IS_NOW}, {_CALLS} FROM call_metrics_daily WHERE {_WITH_BEFORE} GROUP BY is_now"  # noqa: S608
LEGS: Final = f"SELECT {_IS_NOW}, {_LEGS} FROM transfer_metrics_daily WHERE {_WITH_BEFORE} GROUP BY is_now"  # noqa: S608
BY_STEP: Final = f"""
SELECT CAST(date_trunc($unit, call_date) AS DATE) AS step, {_CALLS}
FROM call_metrics_daily WHERE {_IN_PERIOD} GROUP BY step ORDER BY step
"""  # noqa: S608
CALLS_BEFORE: Final = f"""
SELECT call_date + CAST($days AS INTEGER) AS step, CAST(sum(calls) AS BIGINT) AS calls
FROM call_metrics_daily WHERE {_WITH_BEFORE} AND call_date < $first GROUP BY step
"""  # noqa: S608
BY_AGENT: Final = f"""
WITH ranked AS (
    SELECT agent_id, row_number() OVER (ORDER BY sum(calls) DESC, agent_id NULLS LAST) AS place
    FROM call_metrics_daily WHERE {_IN_PERIOD} GROUP BY agent_id
)
SELECT least(place, $shown_agents + 1) AS place, any_value(agent_id) AS agent_id, count(DISTINCT place) AS agents,
    {_CALLS}
FROM (
    SELECT call_metrics_daily.*, place
    FROM call_metrics_daily JOIN ranked ON ranked.agent_id IS NOT DISTINCT FROM call_metrics_daily.agent_id
    WHERE call_date BETWEEN $first AND $last
)
GROUP BY ALL
ORDER BY place
"""  # noqa: S608
OUTCOMES: Final = f"""
SELECT {_IS_NOW}, outcome, CAST(sum(calls) AS BIGINT) AS calls
FROM (
    SELECT call_date, unnest([
        {{outcome: 'completed', calls: completed_calls}},
        {{outcome: 'voicemail', calls: voicemail_calls}},
        {{outcome: 'no_answer', calls: no_answer_calls}},
        {{outcome: 'busy', calls: busy_calls}},
        {{outcome: 'canceled', calls: canceled_calls}},
        {{outcome: 'failed', calls: failed_calls}},
        {{outcome: 'in_progress', calls: calls - terminal_calls - unknown_outcome_calls}},
        {{outcome: 'unknown', calls: unknown_outcome_calls}}
    ], recursive := true)
    FROM call_metrics_daily WHERE {_WITH_BEFORE}
)
GROUP BY ALL
"""  # noqa: S608
DURATIONS: Final = f"""
SELECT CAST(sum(duration_le_10) AS BIGINT) AS le_10, CAST(sum(duration_le_30) AS BIGINT) AS le_30,
    CAST(sum(duration_le_60) AS BIGINT) AS le_60, CAST(sum(duration_le_120) AS BIGINT) AS le_120,
    CAST(sum(duration_le_300) AS BIGINT) AS le_300, CAST(sum(duration_le_600) AS BIGINT) AS le_600,
    CAST(sum(duration_le_1800) AS BIGINT) AS le_1800, CAST(sum(duration_gt_1800) AS BIGINT) AS gt_1800
FROM call_metrics_daily WHERE {_IN_PERIOD}
"""  # noqa: S608
HOURS: Final = f"""
SELECT local_weekday, local_hour, CAST(sum(calls) AS BIGINT) AS calls
FROM call_volume_hourly WHERE {_IN_PERIOD} GROUP BY ALL
"""  # noqa: S608
BY_TRANSFER_TYPE: Final = f"""
SELECT transfer_type, {_LEGS},
    sum(seconds_to_transfer) / nullif(sum(seconds_to_transfer_legs), 0) AS seconds_to_transfer
FROM transfer_metrics_daily WHERE {_IN_PERIOD} GROUP BY transfer_type ORDER BY legs DESC, transfer_type NULLS LAST
"""  # noqa: S608
KNOWN_DAYS: Final = "SELECT min(call_date) AS first, max(call_date) AS last FROM call_metrics_daily WHERE calls > 0"
AGENTS: Final = (
    "SELECT agent_id FROM call_metrics_daily WHERE agent_id IS NOT NULL GROUP BY 1 ORDER BY sum(calls) DESC, 1"
)
FRESHNESS: Final = "FROM data_freshness"
LAKE: Final = "SELECT generation, committed_at, currency FROM _lake"
PUBLISHED_DAYS: Final = "SELECT count(*) AS days FROM _days WHERE call_date BETWEEN $first AND $last"


REPEAT_DAYS: Final = 7

_ROOT: Final = "is_root AND deleted_at IS NULL AND ($agent IS NULL OR agent_id = $agent)"

PERCENTILES: Final = f"""
SELECT {_IS_NOW}, count(duration_seconds) AS duration_calls,
    unnest(quantile_cont(duration_seconds, [0.5, 0.9, 0.95, 0.99])) AS seconds, unnest([50, 90, 95, 99]) AS percentile
FROM calls
WHERE call_date BETWEEN $before_first AND $last AND {_ROOT} AND is_connected
GROUP BY is_now
"""  # noqa: S608 - own names; values are parameters

TRANSFER_TIMES: Final = """
SELECT count(seconds_to_transfer) AS timed_legs, avg(seconds_to_transfer) AS average,
    quantile_cont(seconds_to_transfer, 0.5) AS p50, quantile_cont(seconds_to_transfer, 0.9) AS p90
FROM transfer_legs
WHERE call_date BETWEEN $first AND $last AND deleted_at IS NULL AND ($agent IS NULL OR agent_id = $agent)
"""

# A caller's next call may be on any later day and with another agent, so it is searched for among all calls.
REPEAT_CALLERS: Final = f"""
SELECT {_IS_NOW},
    count(*) AS inbound_calls,
    count(*) FILTER (WHERE customer_key IS NULL) AS anonymous_calls,
    count(*) FILTER (WHERE customer_key IS NOT NULL AND NOT is_old_enough) AS recent_calls,
    count(*) FILTER (WHERE customer_key IS NOT NULL AND is_old_enough) AS caller_calls,
    count(*) FILTER (WHERE customer_key IS NOT NULL AND is_old_enough AND next_at - called_at <= $repeat_span)
        AS repeat_calls
FROM (
    SELECT call_date, agent_id, customer_key, called_at,
        lead(called_at) OVER (PARTITION BY organization_id, customer_key ORDER BY called_at, call_id) AS next_at,
        coalesce(epoch_us(CAST(call_date + 1 AS TIMESTAMP)) + $repeat_span
            <= (SELECT epoch_us(newest_call_at) FROM _lake), false) AS is_old_enough
    FROM (
        SELECT call_date, call_id, agent_id, organization_id, customer_key,
            epoch_us(coalesce(created_at, started_at)) AS called_at
        FROM calls
        WHERE is_root AND deleted_at IS NULL AND direction = 'inbound'
            AND call_date BETWEEN $before_first AND $repeat_last
    )
)
WHERE call_date <= $last AND ($agent IS NULL OR agent_id = $agent)
GROUP BY is_now
"""  # noqa: S608

REASONS: Final = f"""
SELECT ended_reason, count(*) FILTER (WHERE call_date >= $first) AS calls,
    count(*) FILTER (WHERE call_date < $first) AS calls_before
FROM calls
WHERE call_date BETWEEN $before_first AND $last AND {_ROOT}
GROUP BY ended_reason
"""  # noqa: S608

DELETED_CALLS: Final = """
SELECT count(*) AS calls FROM calls
WHERE call_date BETWEEN $first AND $last AND is_root AND deleted_at IS NOT NULL
    AND ($agent IS NULL OR agent_id = $agent)
"""

# raw_value is not read: it may contain personal data.
ISSUES: Final = """
SELECT kind, table_name, regexp_replace(path, '\\[\\d+\\]', '[*]', 'g') AS path, count(*) AS problems,
    count(DISTINCT call_id) AS calls
FROM data_issues
WHERE call_date BETWEEN $first AND $last AND ($agent IS NULL OR call_id IN (
    SELECT call_id FROM calls WHERE call_date BETWEEN $first AND $last AND agent_id = $agent
))
GROUP BY ALL
ORDER BY problems DESC, kind, table_name, path
"""
