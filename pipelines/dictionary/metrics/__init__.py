"""The catalogue of metrics: every figure defined once, with the question it answers and the query that gives it.

docs/metrics.md is written from it. A metric that is a ratio takes its formula and its macro from the ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipelines.dictionary.metrics.callers import CALLER_METRICS, CONVERSATION_METRICS
from pipelines.dictionary.metrics.costs import COST_METRICS
from pipelines.dictionary.metrics.metric import Metric
from pipelines.dictionary.metrics.outcomes import DURATION_METRICS, OUTCOME_METRICS
from pipelines.dictionary.metrics.transfers import TRANSFER_METRICS
from pipelines.dictionary.ratios import RATIOS

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
"""Every metric, by the title under which it is shown."""

METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for group in METRIC_GROUPS.values() for metric in group}
)
"""Every metric by its name."""

RATIOS_OF_METRICS = tuple(m.ratio for m in METRICS.values() if m.ratio is not None and m.name not in RATIOS)
"""Ratios that stand in no mart; their parts do, in the marts that they name."""
