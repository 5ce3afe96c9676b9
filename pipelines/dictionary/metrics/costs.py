"""Metrics of what calls cost."""

from __future__ import annotations

from pipelines.dictionary.columns import MONEY
from pipelines.dictionary.metrics.metric import ADDS_UP, NULL_SUM, ROOT_CALLS, Metric, of_ratio
from pipelines.dictionary.ratios import RATIOS, Ratio

COST_PER_COMPLETED_CALL = Ratio(
    "cost_per_completed_call",
    "cost",
    ("completed_calls",),
    ("call_metrics_daily",),
    "Cost of all calls, failed ones too, for each call with the outcome completed.",
    unit=MONEY,
)

# What both reconciliations ask, by another day.
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
_BILL_POPULATION = "root calls; those that were deleted at Chorus since are counted apart, for a bill may have them"

COST_METRICS = (
    Metric(
        name="cost",
        question="What did our calls cost, and how far is that known?",
        source="call_metrics_daily",
        formula="`sum(cost)`",
        numerator=("cost",),
        denominator=(),
        population=f"{ROOT_CALLS} and whose cost is known; the others are counted in `cost_missing_calls`",
        nulls=NULL_SUM,
        sums=f"{ADDS_UP}, within one currency; never with the cost of legs",
        vendors="Retell's total includes the legs and is in cents, Twilio's legs are apart, its price is negative and "
        "may come after the call has ended. Of Chorus neither is documented, so calls and legs are not added.",
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
        "What does a minute cost?",
        population=f"{ROOT_CALLS} and have both a cost and a duration above zero; transfer_metrics_daily has the same "
        "of its legs",
        standard="Sum over sum, as AWS writes its "
        "[reference queries](https://docs.aws.amazon.com/connect/latest/adminguide/data-lake-reference-queries.html). "
        "Of 60 seconds for 0.10 and 600 seconds for 0.60 it is 0.064; the mean of the two calls' own rates, 0.08, "
        "gives a call of one second as much weight as one of ten minutes.",
        vendors="The API bills what it bills: a minimum charge is inside, cost without a duration is not "
        "(`cost_zero_duration`).",
    ),
    Metric(
        name="cost_trend",
        question="Are costs rising, and is it more calls, longer calls or dearer minutes?",
        source="call_metrics_daily",
        formula="each month's sums and ratios; `sum(cost)` over that of the month before, less 1",
        numerator=("calls", "cost", "duration_seconds", "duration_calls", "cost_rated", "seconds_rated"),
        denominator=(),
        population=ROOT_CALLS,
        nulls="change is null where the month before has no known cost",
        sums="no; the newest month is not over, and costs may come later than their calls",
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
        "What does a call that came to a proper end cost, those included that did not?",
        population=f"cost: {ROOT_CALLS}; below the line those with the outcome completed",
        vendors="The cost of failed calls belongs in; without it an agent looks cheap for failing often.",
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
        vendors="A bill may round each call up to whole minutes, and may contain transfer legs: compare with "
        "`sum(cost)` of `transfer_metrics('month')`, without adding it. Minutes are of all calls, connected or not.",
        sql=_BILL.format(period="CAST(date_trunc('month', call_date) AS DATE) AS month"),
    ),
    Metric(
        name="bill_by_local_day",
        question="Does it agree day by day, on the clock of the business?",
        source="calls",
        formula="the same by the local date on which the call started",
        numerator=(*_BILL_COLUMNS, "started_at_local"),
        denominator=(),
        population=f"{_BILL_POPULATION}; a call that never started is on its call_date",
        nulls=f"{NULL_SUM}; counts are 0",
        sums="over days and every dimension, within one currency",
        vendors="Local is `CHORUS_TIMEZONE`. Days in which clocks change have 23 or 25 hours. By local date of "
        "creation, without deleted calls, `call_volume_hourly` answers faster.",
        sql=_BILL.format(period="coalesce(CAST(started_at_local AS DATE), call_date) AS local_day"),
    ),
)
