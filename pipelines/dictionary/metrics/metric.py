"""The parts of a metric: a question, the formula that answers it, and what one must know to trust the answer."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.dictionary.ratios import Ratio

ROOT_CALLS = "root calls that are not deleted"
CONNECTED_CALLS = "root calls that are not deleted and reached a person"
LEGS = "transfer legs that are not deleted"

ZERO_COUNT = "0 if nothing is counted"
NULL_SUM = "null if no row has a value; null values are left out"
RATIO_NULLS = "null if the denominator is 0 or null: not 0, not infinity"

ADDS_UP = "yes, over days and every dimension"
RATIO_SUMS = "no: add up numerator and denominator over any days and dimensions, then divide"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: Its name; that of the ratio, column or macro if it is one.
        question: The question it answers, in plain words.
        source: The table or macro call to select from.
        formula: How it is calculated over any group of rows of the source, in Markdown.
        numerator: Columns of the source that are the numerator, or that are counted.
        denominator: Columns of the denominator; empty if it is not a ratio.
        population: Which rows count.
        nulls: Its value if nothing is known, or if the denominator is zero.
        sums: Whether it may be added up, and over what.
        sql: A query that answers the question.
        standard: The definition it follows, in Markdown; empty if there is none.
        vendors: How others differ, and what it is not, in Markdown.
        ratio: The ratio, if it is one.
    """

    name: str
    question: str
    source: str
    formula: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    population: str
    nulls: str
    sums: str
    sql: str
    standard: str = ""
    vendors: str = ""
    ratio: Ratio | None = None


def of_ratio(
    ratio: Ratio, question: str, *, population: str, by: str = "agent_id", standard: str = "", vendors: str = ""
) -> Metric:
    """Make the metric of a ratio; its query groups by month and one dimension and calls the ratio's macro."""
    mart = ratio.tables[0]
    source = f"{mart.removesuffix('_daily')}('month')"
    sums = ", ".join(f"sum({part})" for part in ratio.components)
    size = "calls" if mart == "call_metrics_daily" else "legs"
    sql = f"""\
SELECT
    period_start AS month,
    {by},
    sum({size}) AS {size},
    {ratio.name}({sums}) AS {ratio.name}
FROM {source}
GROUP BY ALL
ORDER BY ALL;"""  # noqa: S608 - own names
    return Metric(
        name=ratio.name,
        question=question,
        source=mart,
        formula=f"`{ratio.rollup}`",
        numerator=(ratio.numerator,),
        denominator=ratio.denominator,
        population=population,
        nulls=RATIO_NULLS,
        sums=RATIO_SUMS,
        sql=sql,
        standard=standard,
        vendors=vendors,
        ratio=ratio,
    )
