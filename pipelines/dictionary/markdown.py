"""The dictionary as a page to read: the text of docs/tables.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pipelines.dictionary import CORE_TABLES, MARTS, RATIOS, RAW, TABLES, Column, Personal, Table

_INTRODUCTION = """\
# Tables

Every table and column, with its type, unit and meaning. This page is made from the data dictionary in
`pipelines/dictionary`, which also gives the files their schemas, the catalog its comments and Dagster its column
metadata. After a change there, write it again:

```
python -m pipelines.dictionary tables > docs/tables.md
```
"""

_READING = """\
## How to read the tables

- **Null means "not known"**, never 0. A count is 0 where nothing was counted; a sum with no row behind it is
  null; a ratio is null where its denominator is 0 or null.
- **`call_date`** is in every table. It stands in the path of the files (`call_date=2026-01-31`), not in the
  files; DuckDB, polars and pyarrow turn it into a column when they read the folder. An item that could not be placed
  lies on the day it arrived; a transfer leg lies where its table says.
- **Keys** are unique within one `call_date`, nulls alike. Files are sorted by them, nulls first.
- **Types**: `text`; `int64` for counts; `float64` for measures; `boolean`; `date`; `timestamp (UTC)` with
  microseconds and zone; `timestamp (local)` without a zone, by the clock of `CHORUS_TIMEZONE`.
- **Units**: `money` is in the currency of the account: the API names none, and `CHORUS_CURRENCY` only labels it.
  `share` is a number from 0 to 1.
- **Additivity**: an `additive` measure may be summed over any rows; a `semi-additive` one is a maximum, to be maximised
  over hours and never summed; a `non-additive` one must be worked out anew from sums at every grain (see
  [Ratios](#ratios)).
"""

_PERSONAL = {
    Personal.DIRECT: "Names a person: a phone number. Masked or dropped under `CHORUS_PII=mask`.",
    Personal.RECORDING: "Leads to a recorded voice. Dropped under `CHORUS_PII=mask`.",
    Personal.FREE_TEXT: "What people said or typed, or what was derived from it: it can hold names, numbers, "
    "addresses. `CHORUS_PII=mask` does not touch it, but for `raw_value` where its column is personal.",
    Personal.LINKABLE: "An id or pseudonym: says nothing by itself, but leads to a person in another system or to the "
    "same person in another row. It is still personal data.",
}


def markdown() -> str:
    """The whole page, ending in a newline."""
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
        facts.append(f"- Key: {', '.join(f'`{name}`' for name in table.key)}")
    else:
        facts.append(f"- Key: none; sorted by {', '.join(f'`{name}`' for name in table.sort_by)}")
    facts.append(f"- Files: {_files(table)}")
    head = f"### {table.name}\n\n{table.description}\n\n"
    return head + "\n".join(facts) + "\n\n" + _columns(table)


def _files(table: Table) -> str:
    if table is RAW:
        return "`raw/calls/call_date=*/*.parquet` and `raw/rejected/call_date=*/*.parquet`"
    return f"`{table.name}/call_date=*/data.parquet`"


def _columns(table: Table) -> str:
    """The columns as a grid, leaving out what no column of this table has."""
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
        "## Ratios\n\nEach ratio's numerator and denominator are columns beside it. Over any group of rows (a week, an "
        "agent, everything)\nit is sum over sum, never an average of the rows' ratios; the catalog has a macro of the "
        "same name for each.\n\n"
    )
    rows = [
        (f"`{ratio.name}`", ", ".join(f"`{name}`" for name in ratio.tables), f"`{ratio.rollup}`", ratio.unit)
        for ratio in RATIOS.values()
    ]
    return head + _grid(("Ratio", "Stands in", "Over any group of rows", "Unit"), rows)


def _grid(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
