"""Metrics of calls: how many there were, how they ended, what they cost and how long they lasted."""

from __future__ import annotations

from pipelines.dictionary.columns import MONEY
from pipelines.dictionary.marts import DURATION_BUCKETS, RATIOS
from pipelines.dictionary.metrics.metric import (
    ADDS_UP,
    CONNECTED_CALLS,
    NULL_SUM,
    RATIO_NULLS,
    RATIO_SUMS,
    ROOT_CALLS,
    ZERO_COUNT,
    Metric,
    of_ratio,
)
from pipelines.dictionary.ratios import Ratio

OUTCOME_METRICS = (
    Metric(
        name="calls",
        question="How many calls were there?",
        source="call_metrics_daily",
        formula="`sum(calls)`",
        numerator=("calls",),
        denominator=(),
        population=ROOT_CALLS,
        nulls=ZERO_COUNT,
        sums=ADDS_UP,
        vendors="Platforms that list each transfer as a call of its own, such as Amazon Connect (a contact record for "
        "each transfer), count more: a leg is not a call here.",
        sql="""\
SELECT period_start AS month, direction, sum(calls) AS calls
FROM call_metrics('month')
GROUP BY ALL
ORDER BY ALL;""",
    ),
    of_ratio(
        RATIOS["connect_rate"],
        "How many of our calls reached a person?",
        population=ROOT_CALLS,
        by="direction",
        standard="Genesys: [Answer %](https://help.mypurecloud.com/articles/metric-definitions), answered / offered.",
        vendors="Aviary counts people only, and divides by contacts, not by calls. The API does not say who picked up, "
        "so a voicemail box counts as connected unless the status or the reason names it. The rate is meant for "
        "outbound calls: an inbound caller is always a person.",
    ),
    of_ratio(
        RATIOS["completion_rate"],
        "How many of the calls that are over were completed?",
        population=f"{ROOT_CALLS}, and are over",
        standard="[smallest.ai](https://atoms-docs.smallest.ai/platform/analytics/understanding-metrics) has the same.",
        vendors="Calls that are still running, and calls whose status is in no map, are not in the denominator: check "
        "`unknown_outcome_calls` before you trust the rate.",
    ),
    Metric(
        name="outcome_shares",
        question="How did calls end: failed, not answered, busy, voicemail, canceled?",
        source="call_metrics_daily",
        formula="`sum(failed_calls) / sum(terminal_calls)`, and so on",
        numerator=(
            "completed_calls",
            "failed_calls",
            "no_answer_calls",
            "busy_calls",
            "voicemail_calls",
            "canceled_calls",
        ),
        denominator=("terminal_calls",),
        population=f"{ROOT_CALLS}, and are over; the six shares add up to 1",
        nulls=RATIO_NULLS,
        sums=RATIO_SUMS,
        standard="The outcomes are those that Twilio and Retell distinguish.",
        vendors="Retell and Bland detect voicemail themselves. Chorus does not say whether it does, so `voicemail` "
        "counts only calls whose status or reason says so.",
        sql="""\
SELECT
    period_start AS month,
    direction,
    sum(terminal_calls) AS terminal_calls,
    sum(completed_calls) / nullif(sum(terminal_calls), 0) AS completed,
    sum(failed_calls) / nullif(sum(terminal_calls), 0) AS failed,
    sum(no_answer_calls) / nullif(sum(terminal_calls), 0) AS no_answer,
    sum(busy_calls) / nullif(sum(terminal_calls), 0) AS busy,
    sum(voicemail_calls) / nullif(sum(terminal_calls), 0) AS voicemail,
    sum(canceled_calls) / nullif(sum(terminal_calls), 0) AS canceled,
    sum(unknown_outcome_calls) AS unknown_calls
FROM call_metrics('month')
GROUP BY ALL
ORDER BY ALL;""",
    ),
    Metric(
        name="ended_reasons",
        question="Why did calls end?",
        source="calls",
        formula="`count(*)` by reason, over `count(*)`",
        numerator=("ended_reason", "outcome"),
        denominator=(),
        population=ROOT_CALLS,
        nulls="calls without a reason are in the row whose reason is null",
        sums="the counts: over days and every dimension. The shares: no",
        vendors="Reasons are words as the API sends them, and every vendor's list grows: Retell has more than 30, Vapi "
        "dozens. Even one vendor spells them differently, hence `lower` and `replace`.",
        sql="""\
SELECT
    replace(replace(lower(ended_reason), '-', ' '), '_', ' ') AS reason,
    outcome,
    count(*) AS calls,
    count(*) / sum(count(*)) OVER () AS share
FROM calls
WHERE is_root AND deleted_at IS NULL
GROUP BY reason, outcome
ORDER BY calls DESC, reason, outcome;""",
    ),
    of_ratio(
        RATIOS["short_call_rate"],
        "How many connected calls lasted less than ten seconds?",
        population=CONNECTED_CALLS,
        standard="365agents: [10 seconds]"
        "(https://support.365agents.com/en/articles/5772227-what-is-call-containment-rate).",
        vendors="It replaces the abandonment rate of call centres (Genesys: abandoned over offered), which counts "
        "callers who left the queue; an agent that answers at once has no queue. For another limit, add duration "
        "buckets.",
    ),
)

COST_PER_COMPLETED_CALL = Ratio(
    "cost_per_completed_call",
    "cost",
    ("completed_calls",),
    ("call_metrics_daily",),
    "Cost of all calls, failed ones too, for each call with the outcome completed.",
    unit=MONEY,
)

# The query of both bill metrics; only the period differs.
_BILL = """\
SELECT
    {period},
    count(*) FILTER (deleted_at IS NULL) AS calls,
    sum(cost) FILTER (deleted_at IS NULL) AS cost,
    sum(duration_seconds) FILTER (deleted_at IS NULL) / 60 AS minutes,
    count(*) FILTER (deleted_at IS NULL AND cost IS NULL) AS calls_without_cost,
    count(*) FILTER (deleted_at IS NOT NULL) AS deleted_calls,
    sum(cost) FILTER (deleted_at IS NOT NULL) AS deleted_cost
FROM calls
WHERE is_root
GROUP BY ALL
ORDER BY ALL;"""

_BILL_COLUMNS = ("cost", "duration_seconds", "deleted_at")
_BILL_POPULATION = "root calls; calls that Chorus has deleted since are counted separately, as a bill may include them"

COST_METRICS = (
    Metric(
        name="cost",
        question="What did our calls cost, and how complete is that figure?",
        source="call_metrics_daily",
        formula="`sum(cost)`",
        numerator=("cost",),
        denominator=(),
        population=f"{ROOT_CALLS} and whose cost is known; `cost_missing_calls` counts the others",
        nulls=NULL_SUM,
        sums=f"{ADDS_UP}, within one currency; never together with the cost of legs",
        vendors="Retell's total includes the legs and is in cents. Twilio bills legs separately; its price is negative "
        "and may arrive after the call has ended. Chorus documents neither, so calls and legs are not added.",
        sql="""\
SELECT
    period_start AS month,
    agent_id,
    sum(cost) AS cost,
    sum(cost_rated) AS cost_with_duration,
    sum(cost_zero_duration) AS cost_without_duration,
    sum(cost_missing_calls) AS calls_without_cost
FROM call_metrics('month')
GROUP BY ALL
ORDER BY ALL;""",
    ),
    of_ratio(
        RATIOS["cost_per_minute"],
        "What does one minute cost?",
        population=f"{ROOT_CALLS} and have both a cost and a duration above zero; transfer_metrics_daily has the same "
        "of its legs",
        standard="Sum over sum, as AWS writes its "
        "[reference queries](https://docs.aws.amazon.com/connect/latest/adminguide/data-lake-reference-queries.html). "
        "For a call of 60 seconds that costs 0.10 and one of 600 seconds that costs 0.60 it is 0.064. The mean of the "
        "two calls' own rates is 0.08: it gives a call of one second as much weight as one of ten minutes.",
        vendors="A minimum charge that the API bills is included; cost without a duration is not "
        "(`cost_zero_duration`).",
    ),
    Metric(
        name="cost_trend",
        question="Are costs rising, and why: more calls, longer calls or more expensive minutes?",
        source="call_metrics_daily",
        formula="the sums and ratios of each month; `sum(cost)` divided by that of the month before, minus 1",
        numerator=("calls", "cost", "duration_seconds", "duration_calls", "cost_rated", "seconds_rated"),
        denominator=(),
        population=ROOT_CALLS,
        nulls="change is null if the month before has no known cost",
        sums="no. The newest month is not over, and costs may arrive later than their calls",
        sql="""\
SELECT
    period_start AS month,
    sum(calls) AS calls,
    sum(cost) AS cost,
    average_duration_seconds(sum(duration_seconds), sum(duration_calls)) AS average_duration_seconds,
    cost_per_minute(sum(cost_rated), sum(seconds_rated)) AS cost_per_minute,
    sum(cost) / nullif(sum(sum(cost)) OVER month_before, 0) - 1 AS change
FROM call_metrics('month')
GROUP BY period_start
WINDOW month_before AS (
    ORDER BY period_start RANGE BETWEEN INTERVAL 1 MONTH PRECEDING AND INTERVAL 1 MONTH PRECEDING
)
ORDER BY month;""",
    ),
    of_ratio(
        COST_PER_COMPLETED_CALL,
        "What does each completed call cost, if the cost of all other calls is included?",
        population=f"numerator: {ROOT_CALLS}; denominator: those with the outcome completed",
        vendors="The cost of failed calls is included; without it an agent that often fails would look cheap.",
    ),
    Metric(
        name="bill",
        question="Does the month's bill agree with the calls?",
        source="calls",
        formula="`sum(cost)`, `sum(duration_seconds) / 60` and `count(*)` by month in UTC",
        numerator=_BILL_COLUMNS,
        denominator=(),
        population=_BILL_POPULATION,
        nulls=f"{NULL_SUM}; counts are 0",
        sums="over months and every dimension, within one currency",
        vendors="A bill may round each call up to whole minutes, and may include transfer legs: compare it with "
        "`sum(cost)` of `transfer_metrics('month')`, without adding that. Minutes are of all calls, connected or not.",
        sql=_BILL.format(period="CAST(date_trunc('month', call_date) AS DATE) AS month"),
    ),
    Metric(
        name="bill_by_local_day",
        question="Does the bill agree day by day, in local time?",
        source="calls",
        formula="the same, by the local date on which the call started",
        numerator=(*_BILL_COLUMNS, "started_at_local"),
        denominator=(),
        population=f"{_BILL_POPULATION}; a call that never started is on its call_date",
        nulls=f"{NULL_SUM}; counts are 0",
        sums="over days and every dimension, within one currency",
        vendors="Local means `CHORUS_TIMEZONE`. Days on which clocks change have 23 or 25 hours. By local date of "
        "creation, and without deleted calls, `call_volume_hourly` answers faster.",
        sql=_BILL.format(period="coalesce(CAST(started_at_local AS DATE), call_date) AS local_day"),
    ),
)

_SHOWN = ",\n".join(f"    sum({bucket}) AS {bucket}" for bucket in DURATION_BUCKETS)

DURATION_METRICS = (
    Metric(
        name="talk_minutes",
        question="How many minutes did our agents talk?",
        source="call_metrics_daily",
        formula="`sum(duration_seconds) / 60`",
        numerator=("duration_seconds",),
        denominator=(),
        population=f"{CONNECTED_CALLS}, with a known duration",
        nulls=NULL_SUM,
        sums=ADDS_UP,
        standard="Twilio Flex: talk time belongs to the period [in which it started]"
        "(https://www.twilio.com/docs/flex/end-user-guide/insights/data-model-caveats.md); here to the day on which "
        "the call was created, whenever it ended.",
        vendors="Bland states durations in minutes. `seconds_rated` is a different sum: of all calls with a cost.",
        sql="""\
SELECT period_start AS week, agent_id, sum(duration_seconds) / 60 AS talk_minutes
FROM call_metrics('week')
GROUP BY ALL
ORDER BY ALL;""",
    ),
    of_ratio(
        RATIOS["average_duration_seconds"],
        "How long is a call on average?",
        population=f"{CONNECTED_CALLS}, with a known duration",
        standard="smallest.ai: [total call time over number of calls]"
        "(https://atoms-docs.smallest.ai/platform/analytics/understanding-metrics).",
        vendors="It is not average handle time: Genesys takes the [total handle time over interactions]"
        "(https://help.mypurecloud.com/articles/select-and-manage-metrics/), Twilio Flex adds the wrap-up after the "
        "call. There is no hold and no wrap-up here, and legs have durations of their own.",
    ),
    Metric(
        name="duration_percentiles",
        question="How long do most calls last, and how long do the longest?",
        source="duration_percentiles('month')",
        formula="`quantile_cont(duration_seconds, 0.5)`, and for 0.9, 0.95 and 0.99",
        numerator=("p50", "p90", "p95", "p99"),
        denominator=(),
        population=f"{CONNECTED_CALLS}, with a known duration: `duration_calls` says how many",
        nulls="null if there is no such call",
        sums="no, and never averaged either: percentiles belong to one group of calls",
        standard="Exact, interpolated between the two nearest calls (DuckDB's `quantile_cont`).",
        vendors="Estimates from sketches ([t-digest](https://lyletagawa.com/posts/t-digest/)) differ a little, means "
        "of daily percentiles [by any amount](http://recursion.org/2017/5/15/you-cant-average-percentiles-period). "
        "For another group, query the calls: `quantile_cont(duration_seconds, 0.95)`.",
        sql="""\
SELECT period_start AS month, organization_id, agent_id, duration_calls, p50, p90, p95, p99
FROM duration_percentiles('month')
ORDER BY ALL;""",
    ),
    Metric(
        name="duration_buckets",
        question="How are the durations of calls distributed?",
        source="call_metrics_daily",
        formula="`sum(duration_le_10)`, and so on",
        numerator=DURATION_BUCKETS,
        denominator=(),
        population=f"{CONNECTED_CALLS}, with a known duration; the eight do not overlap and add up to `duration_calls`",
        nulls=ZERO_COUNT,
        sums=ADDS_UP,
        sql=f"""\
SELECT
    period_start AS month,
{_SHOWN}
FROM call_metrics('month')
GROUP BY ALL
ORDER BY ALL;""",  # noqa: S608 - own names
    ),
)
