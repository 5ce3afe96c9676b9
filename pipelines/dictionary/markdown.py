"""The pages of docs that are made from the data dictionary: docs/tables.md and docs/metrics.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources

from pipelines.dictionary import CORE_TABLES, MARTS, RATIOS, RAW, TABLES, Column, Personal, Table
from pipelines.dictionary.metrics import METRIC_GROUPS, Metric

_INTRODUCTION = """\
# Tables

Every table and column, with its type, unit and meaning. This page is made from the data dictionary in
`pipelines/dictionary`, which also gives the files their schemas, the catalog its comments and Dagster its column
metadata. To update it after a change there:

```
python -m pipelines.dictionary tables > docs/tables.md
```
"""

_READING = """\
## How to read the tables

- **Null means "not known"**, never 0. A count is 0 where nothing was counted; a sum of no values is null;
  a ratio is null if its denominator is 0 or null.
- **`call_date`** is in every table. It is in the path of the files (`call_date=2026-01-31`), not in the files; DuckDB,
  polars and pyarrow turn it into a column when they read the folder. An item that could not be assigned to a day is on
  the day on which it landed; on which day a transfer leg is, its table says.
- **Keys** are unique within one `call_date`; two nulls count as equal. Files are sorted by them, nulls first.
- **Types**: `text`; `int64` for counts; `float64` for measures; `boolean`; `date`; `timestamp (UTC)` with
  microseconds and zone; `timestamp (local)` without a zone, in the time zone `CHORUS_TIMEZONE`.
- **Units**: `money` is in the currency of the account: the API names none, and `CHORUS_CURRENCY` only labels it.
  `share` is a number from 0 to 1.
- **Additivity**: an `additive` measure may be summed over any rows; a `semi-additive` one is a maximum, so take the
  maximum over hours and never sum it; a `non-additive` one must be calculated from sums again at every grain (see
  [Ratios](#ratios)).
"""

_PERSONAL = {
    Personal.DIRECT: "Identifies a person: a phone number. Masked or dropped under `CHORUS_PII=mask`.",
    Personal.RECORDING: "Gives access to a recorded voice. Dropped under `CHORUS_PII=mask`.",
    Personal.FREE_TEXT: "What people said or typed, or what was derived from it. It can contain names, numbers and "
    "addresses. `CHORUS_PII=mask` does not change it, except `raw_value` if its column is personal.",
    Personal.LINKABLE: "An id or pseudonym. It reveals nothing by itself, but identifies a person in another system or "
    "the same person in another row. It is still personal data.",
}


def tables_page() -> str:
    """Return docs/tables.md, ending in a newline."""
    parts = [_INTRODUCTION, _contents(), _READING, _personal(), "## Flattened tables\n"]
    parts += [_table(TABLES[name]) for name in CORE_TABLES]
    parts.append("## Marts\n")
    parts += [_table(TABLES[name]) for name in MARTS]
    parts += [_ratios(), "## Raw layer\n", _table(RAW)]
    return "\n".join(parts)


def _contents() -> str:
    lines = [
        "## Contents",
        "",
        "- [How to read the tables](#how-to-read-the-tables)",
        "- [Personal data](#personal-data)",
    ]
    for title, names in (("Flattened tables", CORE_TABLES), ("Marts", MARTS)):
        lines.append(f"- [{title}](#{title.lower().replace(' ', '-')})")
        lines += [f"  - [`{name}`](#{name}): {TABLES[name].grain}" for name in names]
    lines += ["- [Ratios](#ratios)", "- [Raw layer](#raw-layer)", f"  - [`{RAW.name}`](#{RAW.name}): {RAW.grain}"]
    return "\n".join(lines) + "\n"


def _personal() -> str:
    rows = [(str(kind), meaning, _places(kind)) for kind, meaning in _PERSONAL.items()]
    return f"## Personal data\n\n{_grid(('Class', 'Meaning', 'Columns'), rows)}"


def _places(kind: Personal) -> str:
    found: dict[str, list[str]] = {}
    for table in TABLES.values():
        for column in table.columns:
            if column.personal is kind:
                found.setdefault(column.name, []).append(table.name)
    return ", ".join(f"`{name}` ({', '.join(tables)})" for name, tables in found.items())


def _table(table: Table) -> str:
    facts = [f"- Grain: {table.grain}"]
    if table.key:
        facts.append(f"- Key: {_names(table.key)}")
    else:
        facts.append(f"- Key: none; sorted by {_names(table.sort_by)}")
    facts.append(f"- Files: {_files(table)}")
    head = f"### {table.name}\n\n{table.description}\n\n"
    return head + "\n".join(facts) + "\n\n" + _columns(table)


def _files(table: Table) -> str:
    if table is RAW:
        return "`raw/calls/call_date=*/*.parquet` and `raw/rejected/call_date=*/*.parquet`"
    return f"`{table.name}/call_date=*/data.parquet`"


def _columns(table: Table) -> str:
    """Return the columns as a grid, without the properties that no column of this table has."""
    parts: Sequence[tuple[str, Callable[[Column], str]]] = (
        ("Column", lambda column: f"`{column.name}`"),
        ("Type", lambda column: str(column.type) if column.nullable else f"{column.type}, not null"),
        ("Unit", lambda column: column.unit),
        ("Meaning", lambda column: column.description),
        ("Formula", lambda column: f"`{column.formula}`" if column.formula else ""),
        ("Personal data", lambda column: "" if column.personal is Personal.NONE else str(column.personal)),
        ("Additivity", lambda column: str(column.additivity or "")),
    )
    shown = [(title, show) for title, show in parts if any(show(column) for column in table.all_columns)]
    rows = [tuple(show(column) for _, show in shown) for column in table.all_columns]
    return _grid([title for title, _ in shown], rows)


def _ratios() -> str:
    head = (
        "## Ratios\n\nEach ratio's numerator and denominator are columns of the same table. Over any group of rows (a "
        "week, an agent, everything)\nit is sum over sum, never an average of the rows' ratios. For each ratio the "
        "catalog has a macro of the same name.\n\n"
    )
    rows = [(f"`{ratio.name}`", _names(ratio.tables), f"`{ratio.rollup}`", ratio.unit) for ratio in RATIOS.values()]
    return head + _grid(("Ratio", "Table", "Over any group of rows", "Unit"), rows)


def _grid(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def metrics_page() -> str:
    """Return docs/metrics.md, ending in a newline.

    What is true of all metrics is prose, in `metrics/introduction.md`; the rest is made from the metrics.
    """
    introduction = resources.files("pipelines.dictionary.metrics").joinpath("introduction.md").read_text("utf-8")
    parts = [introduction.replace("{ratios}", _ratios_in_words()).replace("{metrics}", _index())]
    for title, metrics in METRIC_GROUPS.items():
        parts += [f"\n## {title}\n", *(_metric(metric) for metric in metrics)]
    return "".join(parts)


def _ratios_in_words() -> str:
    return "".join(
        f"| `{ratio.name}` | `{ratio.rollup}` | {_phrase(ratio.description)} |\n" for ratio in RATIOS.values()
    )


def _phrase(description: str) -> str:
    """Return a description without its capital and full stop."""
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
