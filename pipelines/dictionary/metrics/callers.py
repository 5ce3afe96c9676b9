"""Metrics of who calls and when, and of what was said."""

from __future__ import annotations

from pipelines.dictionary.metrics.metric import RATIO_NULLS, ROOT_CALLS, ZERO_COUNT, Metric, of_ratio
from pipelines.dictionary.ratios import RATIOS, Ratio

_FIRST_CALL = "https://hamming.ai/resources/voice-agent-analytics-post-call-metrics-definitions-formulas-dashboards"

CALLER_METRICS = (
    Metric(
        name="repeat_caller_rate",
        question="How many callers have to call again within a week?",
        source="repeat_callers(7)",
        formula="`sum(repeat_calls) / sum(caller_calls)`",
        numerator=("repeat_calls",),
        denominator=("caller_calls",),
        population=f"inbound {ROOT_CALLS}, and whose caller is known; a day counts once so many days have passed by "
        "the newest call. Anonymous callers are counted apart",
        nulls=f"{RATIO_NULLS}. Of days too young to tell, both parts are null, so sums leave them out",
        sums="the two parts over days and agents of one number of days; the rate not, and not over several numbers",
        standard="A later call of the same number to the same organisation, whichever agent takes it.",
        vendors="One [KPI tool](https://glama.ai/mcp/servers/jojao115/callcenter-kpi-mcp/tools/rechamadas) looks 24 "
        "hours ahead, or 1 to 168. One less the rate is often shown as "
        f"[first-call resolution]({_FIRST_CALL}); it is only a proxy: who does not call again may have given up.",
        sql="""\
SELECT
    CAST(date_trunc('month', call_date) AS DATE) AS month,
    agent_id,
    sum(caller_calls) AS caller_calls,
    sum(repeat_calls) / nullif(sum(caller_calls), 0) AS repeat_caller_rate,
    sum(anonymous_calls) AS anonymous_calls
FROM repeat_callers(7)
GROUP BY ALL
ORDER BY ALL;""",
    ),
    Metric(
        name="unique_callers",
        question="How many different people called?",
        source="calls",
        formula="`count(DISTINCT customer_key)`",
        numerator=("customer_key",),
        denominator=(),
        population=f"inbound {ROOT_CALLS}, and whose number can be read",
        nulls=ZERO_COUNT,
        sums="no, over nothing: who calls on two days or two agents is one person; count anew",
        standard="squawk: [Unique Callers](https://docs.squawkvoice.ai/analyze/call-analytics).",
        vendors="A number is not a person: families share one, and one person may have several.",
        sql="""\
SELECT CAST(date_trunc('month', call_date) AS DATE) AS month, count(DISTINCT customer_key) AS unique_callers
FROM calls
WHERE is_root AND deleted_at IS NULL AND direction = 'inbound'
GROUP BY ALL
ORDER BY ALL;""",
    ),
    Metric(
        name="volume_by_hour",
        question="On which weekdays and hours do calls come in?",
        source="call_volume_hourly",
        formula="`sum(calls)` by `local_weekday` and `local_hour`",
        numerator=("calls",),
        denominator=(),
        population=f"{ROOT_CALLS}, by the hour in which they were created on the clock of `CHORUS_TIMEZONE`",
        nulls="an hour without a call has no row",
        sums="yes, over hours, days and every dimension",
        vendors="Where clocks change, an hour comes twice or not at all. In a zone half an hour off UTC the local hour "
        "is that in which the UTC hour begins.",
        sql="""\
SELECT
    local_weekday,
    local_hour,
    sum(calls) AS calls,
    connect_rate(sum(connected_calls), sum(calls)) AS connect_rate
FROM call_volume_hourly
GROUP BY ALL
ORDER BY ALL;""",
    ),
    Metric(
        name="peak_concurrency",
        question="How many calls does an agent have at once, at most?",
        source="call_volume_hourly",
        formula="`max(peak_concurrency)`",
        numerator=("peak_concurrency",),
        denominator=(),
        population=f"{ROOT_CALLS}, with a start and an end, each from its start until just before its end",
        nulls="0 where no call was alive",
        sums="no: take the maximum over hours and days of one agent and direction. Peaks of several agents lie at "
        "different instants, so neither their sum nor their maximum is the peak of all",
        vendors="There is a row only for an hour in which a call was created, and its peak is of that day's calls; "
        "the peak of all calls below has every hour, and the calls of the evening before, too.",
        sql="""\
SELECT
    CAST(date_trunc('month', call_date) AS DATE) AS month,
    agent_id,
    direction,
    max(peak_concurrency) AS peak_concurrency
FROM call_volume_hourly
GROUP BY ALL
ORDER BY ALL;""",
    ),
    Metric(
        name="concurrency_peaks",
        question="How many lines did we need, all agents together?",
        source="concurrency_peaks('month')",
        formula="the most calls alive at one instant",
        numerator=("peak_calls",),
        denominator=(),
        population=f"{ROOT_CALLS}, with a start and an end, of all agents and organisations; legs are not counted",
        nulls="0 where no call was alive",
        sums="no: the peak of a longer period is the largest of its days'",
        sql="""\
SELECT period_start AS month, peak_calls
FROM concurrency_peaks('month')
ORDER BY ALL;""",
    ),
)


TURNS_PER_CALL = Ratio(
    "turns_per_call",
    "turns",
    ("turn_calls",),
    ("call_metrics_daily",),
    "Average number of turns of a call, as the API states them.",
    unit="turns",
)

SUMMARY_RATE = Ratio(
    "summary_rate",
    "summary_calls",
    ("calls",),
    ("call_metrics_daily",),
    "Share of all calls that have a summary.",
)

CONVERSATION_METRICS = (
    of_ratio(
        TURNS_PER_CALL,
        "How many turns does a conversation take?",
        population=f"{ROOT_CALLS} and have a turn count",
        standard="Amazon Connect: average bot conversation turns.",
        vendors="What counts as a turn the API does not say; messages of the transcript (`messages`) are counted apart "
        "and can differ.",
    ),
    of_ratio(
        RATIOS["agent_word_share"],
        "Who does the talking?",
        population=f"{ROOT_CALLS} and have a transcript",
        vendors="It is no talk time: Amazon Connect's [talk time %]"
        "(https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-metrics.html) is measured in time, and "
        "Chorus's transcripts have none. Words are split at white space: wrong for Chinese, Japanese and Thai.",
    ),
    of_ratio(
        SUMMARY_RATE,
        "Of how many calls is there a summary?",
        population=ROOT_CALLS,
        vendors="An agent makes summaries only if it is set to, and by default it is not: a low share is normal.",
    ),
    Metric(
        name="extraction_fill_rate",
        question="How often does the analysis find each field it is asked for?",
        source="extraction_fill_rates('month')",
        formula="`sum(filled_calls) / sum(extraction_calls)`, by agent and key",
        numerator=("filled_calls",),
        denominator=("extraction_calls",),
        population=f"{ROOT_CALLS} and from which at least one field was extracted; each key that an agent ever "
        "extracted is expected of all of its calls",
        nulls="agents without extractions have no row; null, blank text, `[]` and `{}` are no value, `false` and 0 are",
        sums="the two parts over days and agents of one key; not over keys, which share the calls below the line",
        standard="The agent's own list of fields would be a better denominator; the API does not send it with calls.",
        vendors="Some platforms skip the analysis of calls [under 2 turns or 10 words]"
        "(https://docs.nixflex.com/advanced/post-call-analysis).",
        sql="""\
SELECT
    agent_id,
    key,
    sum(filled_calls) AS filled_calls,
    sum(extraction_calls) AS extraction_calls,
    sum(filled_calls) / sum(extraction_calls) AS fill_rate
FROM extraction_fill_rates('month')
GROUP BY ALL
ORDER BY ALL;""",
    ),
)
