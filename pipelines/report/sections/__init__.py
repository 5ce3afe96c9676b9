"""The sections of the report, in the order of the page: each turns figures into words, charts and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.report.figures import Figures
from pipelines.report.page_model import Section
from pipelines.report.sections.cost import cost
from pipelines.report.sections.data_quality import data_quality
from pipelines.report.sections.outcomes import durations, outcomes
from pipelines.report.sections.transfers import transfers
from pipelines.report.sections.volume import repeat_callers, volume

__all__ = ["SECTIONS"]

SECTIONS: Sequence[Callable[[Figures], Section]] = (
    volume,
    cost,
    durations,
    outcomes,
    transfers,
    repeat_callers,
    data_quality,
)
