"""Metrics of what was said, and of what the analysis made of it."""

from __future__ import annotations

from pipelines.dictionary.metrics.model import ROOT_CALLS, Metric, of_ratio
from pipelines.dictionary.ratios import RATIOS, Ratio

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
