"""Metrics of conversations: transfers, what the agent did alone, who calls and when, and what was said."""

from __future__ import annotations

from pipelines.dictionary.columns import SECONDS
from pipelines.dictionary.marts import RATIOS
from pipelines.dictionary.metrics.metric import (
    CONNECTED_CALLS,
    LEGS,
    RATIO_NULLS,
    ROOT_CALLS,
    ZERO_COUNT,
    Metric,
    of_ratio,
)
from pipelines.dictionary.ratios import Ratio

AVERAGE_SECONDS_TO_TRANSFER = Ratio(
    "average_seconds_to_transfer",
    "seconds_to_transfer",
    ("seconds_to_transfer_calls",),
    ("call_metrics_daily",),
    "Average time from the start of a call to its first transfer attempt.",
    unit=SECONDS,
)

_SMALLEST = "[smallest.ai](https://atoms-docs.smallest.ai/platform/analytics/understanding-metrics)"
_AVIARY = "[Aviary](https://docs.helloaviary.ai)"
_CONTAINMENT = "[365agents](https://support.365agents.com/en/articles/5772227-what-is-call-containment-rate)"

TRANSFER_METRICS = (
    Metric(
        name="funnel",
        question="How many calls reach a person, are transferred, and are transferred successfully?",
        source="calls",
        formula="`count(*)` of all, of those with `is_connected`, with `is_transferred`, and with a leg that succeeded",
        numerator=("is_connected", "is_transferred"),
        denominator=(),
        population=f"{ROOT_CALLS}; each step counts calls of the step before it",
        nulls=ZERO_COUNT,
        sums="yes, over days and every dimension of calls",
        vendors="Steps count calls, not legs: a call with three transfer attempts, one of which succeeds, counts once.",
        sql="""\
SELECT
    CAST(date_trunc('month', call_date) AS DATE) AS month,
    count(*) AS calls,
    count(*) FILTER (is_connected) AS connected_calls,
    count(*) FILTER (is_transferred) AS transferred_calls,
    count(*) FILTER (is_transferred AND arrived.call_id IS NOT NULL) AS arrived_calls
FROM calls
LEFT JOIN (
    SELECT DISTINCT call_id
    FROM transfer_legs
    WHERE transfer_outcome = 'success' AND deleted_at IS NULL
) AS arrived USING (call_id)
WHERE is_root AND deleted_at IS NULL
GROUP BY ALL
ORDER BY ALL;""",
    ),
    of_ratio(
        RATIOS["transfer_rate"],
        "In how many conversations was a transfer attempted?",
        population=CONNECTED_CALLS,
        standard=f"{_AVIARY}: over connected calls.",
        vendors=f"Genesys (Calls Transferred Ratio) and {_SMALLEST} divide by all calls: that is `transfer_rate_all`. "
        "Say which one you show.",
    ),
    of_ratio(
        RATIOS["transfer_rate_all"],
        "In how many of all calls was a transfer attempted?",
        population=ROOT_CALLS,
        standard=f"Genesys (Calls Transferred Ratio) and {_SMALLEST}: over all calls.",
        vendors=f"{_AVIARY} divides by connected calls: that is `transfer_rate`.",
    ),
    of_ratio(
        RATIOS["transfer_success_rate"],
        "How many transfer attempts succeed?",
        population=f"{LEGS}, with the result success or failed",
        by="transfer_type",
        standard="Synthflow's transfer-success: a live human answered and the caller was bridged. Here it is what the "
        "transfer's status says.",
        vendors="Legs are attempts: each retry counts. Pending and unknown legs are in neither numerator nor "
        "denominator; check `pending_legs` and `unknown_legs` before you trust the rate. A duration proves nothing: "
        "the person who answered may have declined.",
    ),
    of_ratio(
        RATIOS["average_leg_seconds"],
        "How long does a transfer leg last?",
        population=f"{LEGS}, with a known duration",
        by="transfer_type",
        vendors="Retell reports when the conversation after a transfer ended. Here failed legs are included, and the "
        "briefing of the person who takes over may be.",
    ),
    of_ratio(
        AVERAGE_SECONDS_TO_TRANSFER,
        "How long do callers talk to the agent before a transfer is attempted?",
        population=f"{ROOT_CALLS} and have a leg with a known start",
        vendors="It ends with the attempt. Synthflow also reports when a human was connected; Chorus does not.",
    ),
    of_ratio(
        RATIOS["containment_rate"],
        "How many conversations does the agent handle completely alone?",
        population=f"{CONNECTED_CALLS}, and are over",
        standard=f"{_CONTAINMENT}: connected calls without a transfer, over connected calls.",
        vendors="Vendors' denominators differ, and [results by up to 30 points]"
        "(https://lewiscrook.com/guides/voice-ai-containment-rate-reality); squawk counts some kinds of transfer "
        "as contained. Stricter definitions also leave out short calls and callers who call again: see "
        "short_call_rate and repeat_caller_rate. Another name for it is deflection rate.",
    ),
)

_FIRST_CALL = "https://hamming.ai/resources/voice-agent-analytics-post-call-metrics-definitions-formulas-dashboards"

CALLER_METRICS = (
    Metric(
        name="repeat_caller_rate",
        question="How many callers have to call again within a week?",
        source="repeat_callers(7)",
        formula="`sum(repeat_calls) / sum(caller_calls)`",
        numerator=("repeat_calls",),
        denominator=("caller_calls",),
        population=f"inbound {ROOT_CALLS}, and whose caller is known; a day counts as soon as the newest call is that "
        "many days later. Anonymous callers are counted separately",
        nulls=f"{RATIO_NULLS}. For days that are too recent, both are null, so that sums leave them out",
        sums="numerator and denominator: over days and agents, for one value of the macro's parameter. The rate: no",
        standard="A later call from the same number to the same organisation, whichever agent answers it.",
        vendors="One [KPI tool](https://glama.ai/mcp/servers/jojao115/callcenter-kpi-mcp/tools/rechamadas) looks 24 "
        "hours ahead, or 1 to 168. One minus the rate is often shown as "
        f"[first-call resolution]({_FIRST_CALL}). It is only a proxy: callers who do not call again may have given up.",
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
        population=f"inbound {ROOT_CALLS}, and whose number can be normalised",
        nulls=ZERO_COUNT,
        sums="no, over nothing: somebody who calls on two days, or two agents, is one person; count again",
        standard="squawk: [Unique Callers](https://docs.squawkvoice.ai/analyze/call-analytics).",
        vendors="A number is not a person: a family can share one, and one person can have several.",
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
        population=f"{ROOT_CALLS}, by the hour in which they were created, in the time zone `CHORUS_TIMEZONE`",
        nulls="an hour without a call has no row",
        sums="yes, over hours, days and every dimension",
        vendors="When clocks change, an hour occurs twice or not at all. In a zone half an hour off UTC the local hour "
        "is the one in which the UTC hour begins.",
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
        population=f"{ROOT_CALLS}, with a start and an end; each is active from its start until just before its end",
        nulls="0 if no call was active",
        sums="no: take the maximum over hours and days of one agent and direction. Peaks of several agents are at "
        "different instants, so neither their sum nor their maximum is the peak of all agents",
        vendors="Only hours in which a call was created have a row, and the peak counts that day's calls only. "
        "concurrency_peaks below covers every hour, and includes calls that began the evening before.",
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
        formula="the most calls that were active at the same instant",
        numerator=("peak_calls",),
        denominator=(),
        population=f"{ROOT_CALLS}, with a start and an end, of all agents and organisations; legs are not counted",
        nulls="0 if no call was active",
        sums="no: the peak of a longer period is the largest peak of its days",
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
        vendors="The API does not say what counts as a turn. Messages of the transcript (`messages`) are counted "
        "separately and can differ.",
    ),
    of_ratio(
        RATIOS["agent_word_share"],
        "How much of the talking does the agent do?",
        population=f"{ROOT_CALLS} and have a transcript",
        vendors="It is not talk time: Amazon Connect's [talk time %]"
        "(https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-metrics.html) is measured in time, and "
        "Chorus's transcripts have none. Words are split at white space: wrong for Chinese, Japanese and Thai.",
    ),
    of_ratio(
        SUMMARY_RATE,
        "How many calls have a summary?",
        population=ROOT_CALLS,
        vendors="An agent writes summaries only if that is switched on; the default is off, so a low share is normal.",
    ),
    Metric(
        name="extraction_fill_rate",
        question="How often does the analysis find each field that it is asked for?",
        source="extraction_fill_rates('month')",
        formula="`sum(filled_calls) / sum(extraction_calls)`, by agent and key",
        numerator=("filled_calls",),
        denominator=("extraction_calls",),
        population=f"{ROOT_CALLS} and from which at least one field was extracted; each key that an agent ever "
        "extracted is expected in all of its calls",
        nulls="agents without extractions have no row; null, blank text, `[]` and `{}` are no value, `false` and 0 are",
        sums="numerator and denominator: over days and agents of one key; not over keys, which share their calls",
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
