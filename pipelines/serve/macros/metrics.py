"""The macros of metrics: ratios and roll-ups of the marts, and metrics that need single calls.

Roll-ups add sums up and compute ratios from the sums; the data dictionary says which columns are which, so a measure
that a mart gains is included without a change here. A catalog to hand out lacks the macros that read single calls.
"""

from __future__ import annotations

from typing import Final

from pipelines.dictionary import RATIOS, TABLES, Additivity, Column, ColumnType, Ratio, ratios_of
from pipelines.dictionary.metrics import RATIOS_OF_METRICS
from pipelines.serve.ddl import name
from pipelines.serve.macros.macro import PERIOD_COLUMN, Macro, checked_grain, or_error, period_of


def _quotient(ratio: Ratio) -> str:
    """Return a ratio as an expression over its sums: null without them, and if it is no finite number.

    All is cast to DOUBLE, since a client may have set `/` to integer division; a division by zero is then infinite or
    null, also depending on the client's settings.
    """
    above = f"CAST({name(ratio.numerator)} AS DOUBLE)"
    below = " + ".join(f"CAST({name(part)} AS DOUBLE)" for part in ratio.denominator)
    factor = "" if ratio.factor == 1 else f"{ratio.factor:g} * "
    result = f"{factor}{above} / ({below})"
    return f"CASE WHEN isfinite({result}) THEN {result} END"


def _ratio_macro(ratio: Ratio) -> Macro:
    sums = ", ".join(f"sum({component})" for component in ratio.components)
    return Macro(
        name=ratio.name,
        parameters=tuple(name(component) for component in ratio.components),
        body=_quotient(ratio),
        description=f"{ratio.description} Takes sums over any rows of {' or '.join(ratio.tables)}.",
        example=f"SELECT {ratio.name}({sums}) FROM {ratio.tables[0]}",  # noqa: S608 - own names
        is_table=False,
    )


RATIO_MACROS = tuple(_ratio_macro(ratio) for ratio in (*RATIOS.values(), *RATIOS_OF_METRICS))


def _rollup(macro: str, mart: str, what: str, example: str) -> Macro:
    table = TABLES[mart]
    key = ", ".join(name(column) for column in table.key)
    sums = ", ".join(_sum(column) for column in table.columns if column.additivity is Additivity.ADDITIVE)
    period = f"{period_of('call_date')} AS period_start"
    # `period_start` first, then the mart's own columns in their usual order.
    ratios = {ratio.name: f"{_quotient(ratio)} AS {name(ratio.name)}" for ratio in ratios_of(TABLES[mart])}
    shown = ", ".join(ratios.get(column.name, name(column.name)) for column in table.columns)
    return Macro(
        name=macro,
        parameters=("grain",),
        body=(
            f"SELECT period_start, {shown} FROM (SELECT {period}, {key}, {sums} "  # noqa: S608 - own names
            f"FROM {name(mart)}, {checked_grain(macro)} GROUP BY period_start, {key})"
        ),
        description=(
            f"{what} by 'day', 'week' or 'month': one row per period and {', '.join(table.key)}. "
            f"Columns: {PERIOD_COLUMN}; then those of {mart}, with counts and sums added up and ratios computed from "
            "these sums. For fewer dimensions add the sums up again and use the ratios' own macros, never an average."
        ),
        example=example,
    )


def _sum(column: Column) -> str:
    """Sum a column in its own type; DuckDB's sum of integers would be a HUGEINT, which few clients support."""
    total = f"sum({name(column.name)})"
    whole = column.type is ColumnType.INTEGER
    return f"{f'CAST({total} AS BIGINT)' if whole else total} AS {name(column.name)}"


ROLLUP_MACROS = (
    _rollup(
        "call_metrics",
        "call_metrics_daily",
        "Calls, their outcomes, durations and costs",
        "SELECT period_start, agent_id, calls, connect_rate FROM call_metrics('month') ORDER BY ALL",
    ),
    _rollup(
        "transfer_metrics",
        "transfer_metrics_daily",
        "Transfer legs, their results, durations and costs",
        "SELECT period_start, transfer_type, legs, transfer_success_rate FROM transfer_metrics('week') ORDER BY ALL",
    ),
)

_DAY_IN_MICROSECONDS: Final = 86_400_000_000

_PERCENTILES: Final = f"""
SELECT period_start, organization_id, agent_id, duration_calls,
    found[1] AS p50, found[2] AS p90, found[3] AS p95, found[4] AS p99
FROM (
    SELECT {period_of("call_date")} AS period_start, organization_id, agent_id,
        count(duration_seconds) FILTER (WHERE is_connected) AS duration_calls,
        quantile_cont(duration_seconds, [0.5, 0.9, 0.95, 0.99]) FILTER (WHERE is_connected) AS found
    FROM calls, {checked_grain("duration_percentiles")}
    WHERE is_root AND deleted_at IS NULL
    GROUP BY period_start, organization_id, agent_id
)
"""  # noqa: S608 - own names

_SPAN: Final = f"""(
    SELECT CASE WHEN TRY_CAST(days AS DOUBLE) >= 1 AND TRY_CAST(days AS DOUBLE) = floor(TRY_CAST(days AS DOUBLE))
        THEN TRY_CAST(days AS DOUBLE) * {_DAY_IN_MICROSECONDS}
        ELSE error(concat('repeat_callers: days must be a whole number of at least 1, not ',
            coalesce(CAST(days AS VARCHAR), 'NULL'))) END AS span
)"""

# Instants are compared as microseconds since 1970: arithmetic on them would need an extension, and depend on the
# session's time zone. The next call is found before days are grouped, so that it may be on any later day.
_REPEAT_CALLERS: Final = f"""
SELECT call_date, organization_id, agent_id, anonymous_calls,
    CASE WHEN is_known THEN caller_calls END AS caller_calls,
    CASE WHEN is_known THEN repeat_calls END AS repeat_calls,
    CASE WHEN is_known THEN CAST(repeat_calls AS DOUBLE) / nullif(caller_calls, 0) END AS repeat_caller_rate
FROM (
    SELECT call_date, organization_id, agent_id,
        count(*) FILTER (WHERE customer_key IS NULL) AS anonymous_calls,
        count(customer_key) AS caller_calls,
        count(*) FILTER (WHERE customer_key IS NOT NULL AND next_at - called_at <= span) AS repeat_calls,
        coalesce(epoch_us(CAST(call_date AS TIMESTAMP)) + {_DAY_IN_MICROSECONDS} + any_value(span)
            <= (SELECT epoch_us(newest_call_at) FROM _lake), false) AS is_known
    FROM (
        SELECT call_date, organization_id, agent_id, customer_key, called_at,
            lead(called_at) OVER (PARTITION BY organization_id, customer_key ORDER BY called_at, call_id) AS next_at
        FROM (
            SELECT *, epoch_us(coalesce(created_at, started_at)) AS called_at
            FROM calls
            WHERE is_root AND deleted_at IS NULL AND direction = 'inbound'
        )
    ), {_SPAN}
    GROUP BY call_date, organization_id, agent_id
)
"""  # noqa: S608 - own names

# A sweep line over starts and ends; at one instant ends come first, then the beginning of a period, then starts. The
# number of active calls only grows at a start, so the peak is at the period's beginning or after one of its starts.
_CONCURRENCY: Final = f"""
SELECT {period_of("moment")} AS period_start, CAST(max(active) AS BIGINT) AS peak_calls
FROM (
    SELECT unit, make_timestamp(instant) AS moment, change,
        sum(change) OVER (ORDER BY instant, change ROWS UNBOUNDED PRECEDING) AS active
    FROM (
        WITH counted AS (
            SELECT call_date, epoch_us(started_at) AS started, epoch_us(ended_at) AS ended,
                coalesce(ended_at > started_at, false) AS was_active
            FROM calls
            WHERE is_root AND deleted_at IS NULL
        )
        SELECT started AS instant, 1 AS change FROM counted WHERE was_active
        UNION ALL
        SELECT ended, -1 FROM counted WHERE was_active
        UNION ALL
        SELECT epoch_us(CAST(day AS TIMESTAMP)), 0
        FROM (
            SELECT call_date AS day FROM counted
            UNION
            SELECT CAST(make_timestamp(started) AS DATE) FROM counted WHERE was_active
        )
    ), {checked_grain("concurrency_peaks")}
)
WHERE change >= 0
GROUP BY period_start
"""  # noqa: S608 - own names

_FILL_RATES: Final = f"""
WITH found AS (
    SELECT {period_of("calls.call_date")} AS period_start, calls.organization_id, calls.agent_id, attributes.key,
        count(*) FILTER (WHERE CASE attributes.value_type
            WHEN 'string' THEN regexp_matches(attributes.value, '\\S')
            ELSE regexp_replace(attributes.value, '\\s', '', 'g') NOT IN ('[]', '{{}}') END) AS filled_calls
    FROM calls
    JOIN call_attributes AS attributes
        ON attributes.call_date = calls.call_date AND attributes.call_id = calls.call_id,
        {checked_grain("extraction_fill_rates")}
    WHERE calls.is_root AND calls.deleted_at IS NULL AND attributes.source = 'extraction'
    GROUP BY period_start, calls.organization_id, calls.agent_id, attributes.key
), keys AS (
    SELECT DISTINCT organization_id, agent_id, key FROM found
), extracted AS (
    SELECT {period_of("call_date")} AS period_start, organization_id, agent_id,
        CAST(sum(extraction_calls) AS BIGINT) AS extraction_calls
    FROM call_metrics_daily, {checked_grain("extraction_fill_rates")}
    GROUP BY period_start, organization_id, agent_id
    HAVING sum(extraction_calls) > 0
)
SELECT extracted.period_start, extracted.organization_id, extracted.agent_id, keys.key,
    coalesce(found.filled_calls, 0) AS filled_calls, extracted.extraction_calls,
    CAST(coalesce(found.filled_calls, 0) AS DOUBLE) / extracted.extraction_calls AS fill_rate
FROM extracted
JOIN keys ON keys.organization_id IS NOT DISTINCT FROM extracted.organization_id
    AND keys.agent_id IS NOT DISTINCT FROM extracted.agent_id
LEFT JOIN found ON found.period_start = extracted.period_start AND found.key = keys.key
    AND found.organization_id IS NOT DISTINCT FROM extracted.organization_id
    AND found.agent_id IS NOT DISTINCT FROM extracted.agent_id
"""  # noqa: S608 - own names


def _by_grain(name: str, columns: int, body: str, description: str, example: str) -> Macro:
    query = or_error(body.strip(), columns, checked_grain(name))
    return Macro(name, ("grain",), query, description, example, reads_calls=True)


SINGLE_CALL_MACROS = (
    _by_grain(
        "duration_percentiles",
        8,
        _PERCENTILES,
        "How long calls last, by 'day', 'week' or 'month': one row per period, organization_id and agent_id with "
        f"calls. Columns: {PERIOD_COLUMN}; organization_id; agent_id; duration_calls, the connected root calls, not "
        "deleted, that have a duration; p50 (the median), p90, p95 and p99, the seconds that so many percent of these "
        "calls do not exceed, exact and interpolated between neighbours (quantile_cont), null if there are no such "
        "calls. Never average or add percentiles: ask for another group with quantile_cont over calls.",
        "SELECT period_start, agent_id, p50, p95 FROM duration_percentiles('month') ORDER BY ALL",
    ),
    Macro(
        "repeat_callers",
        ("days",),
        or_error(_REPEAT_CALLERS.strip(), 7, _SPAN),
        "Whether callers call again within so many days (a whole number, each day of 24 hours): one row per call_date, "
        "organization_id and agent_id with inbound calls. Columns: anonymous_calls, inbound calls without a usable "
        "number, which the others leave out; caller_calls, the inbound root calls, not deleted, whose caller is known; "
        "repeat_calls, those after which the same caller called the same organisation again within the time, whichever "
        "agent answered; repeat_caller_rate, repeat_calls over caller_calls. caller_calls and repeat_calls are null, "
        "so that sums leave them out, for days whose end is less than that many days before the newest call: who calls "
        "again is not known yet.",
        "SELECT sum(repeat_calls) / sum(caller_calls) AS repeat_caller_rate FROM repeat_callers(7)",
        reads_calls=True,
    ),
    _by_grain(
        "concurrency_peaks",
        2,
        _CONCURRENCY,
        "The most calls of all agents together that were active at one instant, by 'day', 'week' or 'month' in UTC: "
        f"one row per period in which a call was created or started. Columns: {PERIOD_COLUMN}; peak_calls. Counted are "
        "root calls, not deleted, from started_at until just before ended_at, those of the day before included; calls "
        "without a start or an end are left out. A peak is a maximum: never add it up.",
        "SELECT period_start, peak_calls FROM concurrency_peaks('day') ORDER BY ALL",
    ),
    _by_grain(
        "extraction_fill_rates",
        7,
        _FILL_RATES,
        "How often the analysis finds a value for each field it is asked for, by 'day', 'week' or 'month': one row per "
        "period, organization_id, agent_id and key. "
        f"Columns: {PERIOD_COLUMN}; organization_id; agent_id; key, the name of the field; filled_calls, the calls "
        "with a value for it; extraction_calls, all calls of this agent from which a field was extracted; fill_rate, "
        "filled_calls over extraction_calls. Every key that an agent ever extracted is expected of each of its calls "
        "with extractions; null, blank text, [] and {} are no value, false and 0 are.",
        "SELECT agent_id, key, fill_rate FROM extraction_fill_rates('month') ORDER BY ALL",
    ),
)
