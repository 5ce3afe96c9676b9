"""What the report reads from the tables of single calls, since no sum over days gives it."""

from __future__ import annotations

from typing import Final

REPEAT_DAYS: Final = 7

_ROOT: Final = "is_root AND deleted_at IS NULL AND ($agent IS NULL OR agent_id = $agent)"
_IS_NOW: Final = "call_date >= $first AS is_now"

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

# A caller's next call may be on any later day and reach another agent, so the next one is looked for among all calls.
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

# raw_value is never read: it holds what was sent.
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
