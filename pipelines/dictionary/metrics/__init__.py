"""The catalogue of metrics: every metric defined once, with the question it answers and the query that calculates it.

docs/metrics.md is made from it. A metric that is a ratio takes its formula and its macro from the ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipelines.dictionary.marts import RATIOS
from pipelines.dictionary.metrics.calls import COST_METRICS, DURATION_METRICS, OUTCOME_METRICS
from pipelines.dictionary.metrics.conversations import CALLER_METRICS, CONVERSATION_METRICS, TRANSFER_METRICS
from pipelines.dictionary.metrics.metric import Metric

__all__ = ["METRICS", "METRIC_GROUPS", "RATIOS_OF_METRICS", "Metric"]

METRIC_GROUPS: Mapping[str, tuple[Metric, ...]] = MappingProxyType(
    {
        "Calls and how they end": OUTCOME_METRICS,
        "Costs": COST_METRICS,
        "Duration": DURATION_METRICS,
        "Transfers": TRANSFER_METRICS,
        "Callers and load": CALLER_METRICS,
        "Conversations": CONVERSATION_METRICS,
    }
)
"""The metrics of each chapter, by the chapter's title."""

METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for group in METRIC_GROUPS.values() for metric in group}
)
"""Every metric by its name."""

RATIOS_OF_METRICS = tuple(m.ratio for m in METRICS.values() if m.ratio is not None and m.name not in RATIOS)
"""Ratios that are no column of a mart; their numerators and denominators are."""
