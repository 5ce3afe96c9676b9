"""Metrics of calls that were handed over, and of those that the agent did alone."""

from __future__ import annotations

from pipelines.dictionary.columns import SECONDS
from pipelines.dictionary.metrics.metric import CONNECTED_CALLS, LEGS, ROOT_CALLS, ZERO_COUNT, Metric, of_ratio
from pipelines.dictionary.ratios import RATIOS, Ratio

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
        question="How many calls reach a person, are transferred, and arrive there?",
        source="calls",
        formula="`count(*)` of all, of those with `is_connected`, with `is_transferred`, and with a leg that succeeded",
        numerator=("is_connected", "is_transferred"),
        denominator=(),
        population=f"{ROOT_CALLS}; each step counts calls of the step before it",
        nulls=ZERO_COUNT,
        sums="yes, over days and every dimension of calls",
        vendors="Steps are calls, not legs: a call that was tried three times and arrived once counts once.",
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
        "In how many conversations was a transfer tried?",
        population=CONNECTED_CALLS,
        standard=f"{_AVIARY}: over connected calls.",
        vendors=f"Genesys (Calls Transferred Ratio) and {_SMALLEST} divide by all calls: that is `transfer_rate_all`. "
        "Say which one you show.",
    ),
    of_ratio(
        RATIOS["transfer_rate_all"],
        "In how many of all calls was a transfer tried?",
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
        vendors="Legs are attempts: retries count each. Pending and unknown legs are in neither part; see how many "
        "`pending_legs` and `unknown_legs` there are before you trust it. A duration proves nothing: who answered may "
        "have declined.",
    ),
    of_ratio(
        RATIOS["average_leg_seconds"],
        "How long does a transferred part last?",
        population=f"{LEGS}, with a known duration",
        by="transfer_type",
        vendors="Retell tells when a transfer's talk ended. Here the briefing of who takes the call over may be "
        "inside, and legs that failed are.",
    ),
    of_ratio(
        AVERAGE_SECONDS_TO_TRANSFER,
        "How long do callers talk to the agent before a transfer is tried?",
        population=f"{ROOT_CALLS} and have a leg with a known start",
        vendors="It ends with the attempt. Synthflow also tells when a human was connected; Chorus does not.",
    ),
    of_ratio(
        RATIOS["containment_rate"],
        "How many conversations does the agent bring to their end alone?",
        population=f"{CONNECTED_CALLS}, and are over",
        standard=f"{_CONTAINMENT}: connected calls without a transfer, over connected calls.",
        vendors="Vendors' denominators differ, and [results by up to 30 points]"
        "(https://lewiscrook.com/guides/voice-ai-containment-rate-reality); squawk lets transfers of some kinds count "
        "as contained. Stricter readings also leave out short calls and callers who call again: see short_call_rate "
        "and repeat_caller_rate. It is the deflection rate by another name.",
    ),
)
