"""The catalogue of metrics as a page to read: the text of docs/metrics.md.

What holds for all metrics is prose, in `introduction.md`; the rest is made from the metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources

from pipelines.dictionary.metrics import METRIC_GROUPS, Metric
from pipelines.dictionary.ratios import RATIOS


def page() -> str:
    """The whole page, ending in a newline."""
    introduction = resources.files(__package__).joinpath("introduction.md").read_text("utf-8")
    parts = [introduction.replace("{ratios}", _ratios()).replace("{metrics}", _index())]
    for title, metrics in METRIC_GROUPS.items():
        parts += [f"\n## {title}\n", *(_metric(metric) for metric in metrics)]
    return "".join(parts)


def _ratios() -> str:
    return "".join(
        f"| `{ratio.name}` | `{ratio.rollup}` | {_in_words(ratio.description)} |\n" for ratio in RATIOS.values()
    )


def _in_words(description: str) -> str:
    """A description as a part of a table: without capital and full stop."""
    return description[0].lower() + description[1:].removesuffix(".")


def _index() -> str:
    lines = []
    for title, metrics in METRIC_GROUPS.items():
        lines.append(f"| **{title}** | |\n")
        lines += [f"| {metric.question} | [{metric.name}](#{metric.name}) |\n" for metric in metrics]
    return "".join(lines)


def _metric(metric: Metric) -> str:
    facts = "".join(f"- **{title}**: {text}\n" for title, text in _facts(metric) if text)
    return f"\n### {metric.name}\n**{metric.question}**\n\n{facts}\n```sql\n{metric.sql}\n```\n"


def _facts(metric: Metric) -> Iterator[tuple[str, str]]:
    yield "Formula", f"{metric.formula}, from `{metric.source}`"
    if metric.denominator:
        yield "Numerator", _names(metric.numerator)
        yield "Denominator", _names(metric.denominator)
    else:
        yield "Columns", _names(metric.numerator)
    yield "Counts", metric.population
    yield "Null and zero", metric.nulls
    yield "Adds up", metric.sums
    yield "Standard", metric.standard
    yield "Elsewhere", metric.vendors


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)
