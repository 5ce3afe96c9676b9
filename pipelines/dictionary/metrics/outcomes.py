"""Metrics of how many calls there were, how long they lasted and how they ended."""

from __future__ import annotations

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
from pipelines.dictionary.ratios import RATIOS

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
        vendors="Platforms that list each transferred part as a call of its own, such as Amazon Connect (a contact "
        "record for each transfer), count more: a leg is not a call here.",
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
        vendors="Aviary counts people only, over different contacts rather than calls. The API does not say who "
        "picked up, so a voicemail box counts as connected unless status or reason tells of it. The rate is meant for "
        "outbound calls: an inbound caller is a person anyway.",
    ),
    of_ratio(
        RATIOS["completion_rate"],
        "How many of the calls that are over came to a proper end?",
        population=f"{ROOT_CALLS}, and are over",
        standard="[smallest.ai](https://atoms-docs.smallest.ai/platform/analytics/understanding-metrics) has the same.",
        vendors="Calls that still run, and those whose status is in no map, are not in the denominator: look at "
        "`unknown_outcome_calls` before you trust it.",
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
        standard="The outcomes are those that Twilio and Retell have words for.",
        vendors="Retell and Bland detect voicemail by themselves; Chorus does not say whether it does, so "
        "`voicemail` is only what a status or reason names.",
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
        nulls="a call without a reason is in the row whose reason is null",
        sums="the counts over days and every dimension; the shares not",
        vendors="Reasons are words as the API sends them, and the list grows at every vendor: Retell has more than 30, "
        "Vapi dozens. They differ in spelling within one vendor too, hence `lower` and `replace`.",
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
        "How many callers were gone within ten seconds?",
        population=CONNECTED_CALLS,
        standard="365agents: [10 seconds]"
        "(https://support.365agents.com/en/articles/5772227-what-is-call-containment-rate).",
        vendors="It stands in for the abandonment rate of call centres (Genesys: abandoned over offered), which counts "
        "who left the queue; an agent that answers at once has no queue. For another limit add duration buckets.",
    ),
)


_BOUNDS = (10, 30, 60, 120, 300, 600, 1800)
_BUCKETS = (*(f"duration_le_{bound}" for bound in _BOUNDS), "duration_gt_1800")
_SHOWN = ",\n".join(f"    sum({bucket}) AS {bucket}" for bucket in _BUCKETS)

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
        "the call was created, wherever its end lies.",
        vendors="Bland states lengths in minutes. `seconds_rated` is another sum: of all calls with a cost.",
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
        vendors="It is no average handle time: Genesys takes the [total handle time over interactions]"
        "(https://help.mypurecloud.com/articles/select-and-manage-metrics/), Twilio Flex adds the wrap-up after the "
        "call. Neither holds nor wrap-up exist here, and legs have their own durations.",
    ),
    Metric(
        name="duration_percentiles",
        question="How long do most calls last, and how long the longest?",
        source="duration_percentiles('month')",
        formula="`quantile_cont(duration_seconds, 0.5)`, and of 0.9, 0.95, 0.99",
        numerator=("p50", "p90", "p95", "p99"),
        denominator=(),
        population=f"{CONNECTED_CALLS}, with a known duration: `duration_calls` says how many",
        nulls="null where there is no such call",
        sums="no, and never averaged either: percentiles are of one group of calls alone",
        standard="Exact, interpolated between the two nearest calls (DuckDB's `quantile_cont`).",
        vendors="Estimates from sketches ([t-digest](https://lyletagawa.com/posts/t-digest/)) differ a little, means "
        "of daily percentiles [by any amount](http://recursion.org/2017/5/15/you-cant-average-percentiles-period). "
        "Of another group ask the calls: `quantile_cont(duration_seconds, 0.95)`.",
        sql="""\
SELECT period_start AS month, organization_id, agent_id, duration_calls, p50, p90, p95, p99
FROM duration_percentiles('month')
ORDER BY ALL;""",
    ),
    Metric(
        name="duration_buckets",
        question="How are the lengths of calls spread?",
        source="call_metrics_daily",
        formula="`sum(duration_le_10)`, and so on",
        numerator=_BUCKETS,
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
