"""The catalogue of metrics as a page to read: the text of docs/metrics.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.dictionary.metrics import METRIC_GROUPS, Metric
from pipelines.dictionary.ratios import RATIOS

_INTRODUCTION = """\
# Metrics

What the numbers mean, and how to put them together: first what holds for all of them, then [each metric](#which-metric)
with its question, its definition and a query that answers it. Every column with its formula stands in
[docs/tables.md](tables.md). The queries run on the [catalog](lake.md#the-catalog): `chorus-calls query "…"`.

This page is made from the data dictionary in `pipelines/dictionary/metrics`. After a change there, write it again:

```
python -m pipelines.dictionary metrics > docs/metrics.md
```

## Which calls count
Metrics count **root calls** that are not deleted: calls that are no leg of another (`parentCallId` null). A day is a UTC day, by when the
call was created. Local hours are in `call_volume_hourly`. A day's numbers change while its calls end and change.

| word | means |
|---|---|
| outcome | how a call ended, one of `completed`, `failed`, `no_answer`, `busy`, `voicemail`, `canceled`, `in_progress`, \
`unknown`: from `status`; where that says nothing or "completed", a known `endedReason` decides, since many platforms send \
"ended" with the reason "voicemail" |
| terminal | the call is over: its outcome is neither `in_progress` nor `unknown` |
| transferred | a transfer was tried: it has a transfer leg, or a transfer type |
| connected | a person was reached: it was transferred, or it lasted longer than 0 seconds with an outcome other than \
`no_answer`, `busy`, `canceled` and `voicemail` |
| contained | connected, terminal and not transferred: the agent did it alone |
| leg result | from the transfer's status alone: `success`, `failed`, `pending` or `unknown`. A leg with a duration is not \
thereby a success: somebody may have answered, listened and declined |

Words that the API sends freely are mapped by `pipelines/flatten/outcomes.toml`, which `CHORUS_OUTCOMES` extends. A status in no map is
`unknown`, and `data_issues` names it:

```sql
SELECT raw_value AS status, count(*) AS calls
FROM data_issues
WHERE kind = 'unknown_value' AND path = '$.status'
GROUP BY ALL;
```
"""

_RATIOS_HEAD = """\
## Ratios
Each ratio is a numerator over a denominator, and both are columns beside it.

| ratio | formula | in words |
|---|---|---|
"""

_ROLLING_UP = """
**A ratio is never averaged.** The mean of daily rates gives a day of 3 calls the weight of a day of 300. At any coarser grain it is
[the sum over the sum](https://www.kimballgroup.com/data-warehouse-business-intelligence-resources/kimball-techniques/\
dimensional-modeling-techniques/additive-semi-additive-non-additive-fact/), and the macro of its name takes those sums, the numerator's
first. `call_metrics('day')`, `'week'` (from Monday) or `'month'` is `call_metrics_daily` at that grain, `transfer_metrics(…)` is
`transfer_metrics_daily`, with their ratios worked out anew for each row. For fewer dimensions, sum once more:

```sql
SELECT
    period_start AS month,
    sum(calls) AS calls,
    connect_rate(sum(connected_calls), sum(calls)) AS connect_rate,
    containment_rate(sum(contained_calls), sum(connected_terminal_calls)) AS containment_rate,
    cost_per_minute(sum(cost_rated), sum(seconds_rated)) AS cost_per_minute
FROM call_metrics('month')
GROUP BY ALL
ORDER BY month;
```

In a BI tool that knows no macros, write the formula over `call_metrics_daily`: `60 * sum(cost_rated) / nullif(sum(seconds_rated), 0)`.

A zero denominator gives null: not 0, not infinity. **Null means "not known"**: a sum with no row behind it is null, a count is 0.

## Cost
`cost` is what the API says, in a currency it does not name; `CHORUS_CURRENCY` is a label. It falls into two parts: `cost_rated` has a
duration above zero to be divided by, `cost_zero_duration` has none. So nothing is hidden, and nothing is divided by zero.

**Never add the cost of legs to that of calls**: whether the API has already done so is not documented.

`duration_seconds` of the marts is of connected calls, `seconds_rated` of all calls with a cost and a duration; that is why there are two.

## Legs
A leg can come inside its call, as an item of its own, or both ways; it is one row of `transfer_legs`. Where the two say different things,
the one inside the call counts, and the other fills what is null.
"""

_MARTS_ONLY = """
Metrics from `calls`, and the macros `duration_percentiles`, `repeat_callers`, `concurrency_peaks` and `extraction_fill_rates`, need single
calls: a catalog made with `--marts-only` does not have them.
"""


def page() -> str:
    """The whole page, ending in a newline."""
    ratios = (f"| `{ratio.name}` | `{ratio.rollup}` | {_in_words(ratio.description)} |\n" for ratio in RATIOS.values())
    parts = [_INTRODUCTION, "\n", _RATIOS_HEAD, *ratios, _ROLLING_UP, "\n", *_index(), _MARTS_ONLY]
    for title, metrics in METRIC_GROUPS.items():
        parts += [f"\n## {title}\n", *(_metric(metric) for metric in metrics)]
    return "".join(parts)


def _in_words(description: str) -> str:
    """A description as a part of a table: without capital and full stop."""
    return description[0].lower() + description[1:].removesuffix(".")


def _index() -> Iterator[str]:
    yield "## Which metric?\n\n| question | metric |\n|---|---|\n"
    for title, metrics in METRIC_GROUPS.items():
        yield f"| **{title}** | |\n"
        for metric in metrics:
            yield f"| {metric.question} | [{metric.name}](#{metric.name}) |\n"


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
