"""Metrics of how long calls last."""

from __future__ import annotations

from pipelines.dictionary.metrics.model import ADDS_UP, CONNECTED_CALLS, NULL_SUM, ZERO_COUNT, Metric, of_ratio
from pipelines.dictionary.ratios import RATIOS

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
