"""What a metric is made of: a question, the figure that answers it, and all that one must know to trust the figure."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.dictionary.ratios import Ratio

ROOT_CALLS = "root calls that are not deleted"
CONNECTED_CALLS = "root calls that are not deleted and reached a person"
LEGS = "transfer legs that are not deleted"

ZERO_COUNT = "0 where nothing is counted"
NULL_SUM = "null where no row has a value; what is null is left out"
RATIO_NULLS = "null where the denominator is 0 or null: not 0, not infinity"

ADDS_UP = "yes, over days and every dimension"
RATIO_SUMS = "no: add numerator and denominator up over any days and dimensions, then divide"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure that somebody asks for.

    Attributes:
        name: Its name; that of a ratio, a column or a macro where it is one.
        question: What it answers, in plain words.
        source: The table or macro call that has its columns, as it stands behind FROM.
        formula: How it is worked out over any group of rows of the source, in Markdown.
        numerator: Columns of the source above the line, or that are counted.
        denominator: Columns below the line; empty for what is no ratio.
        population: Which rows count.
        nulls: What it is where nothing is known, or there is nothing to divide by.
        sums: Whether it may be added up, and over what.
        sql: A query that answers the question.
        standard: Whose definition it follows, in Markdown; empty where there is none.
        vendors: Where others differ, and what it is not, in Markdown.
        ratio: The ratio that it is, where it is one.
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
    """The metric that a ratio is; its query asks for it by month and one dimension, with the ratio's own macro."""
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
