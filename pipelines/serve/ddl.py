"""The SQL of the catalog's tables, views and comments, generated from the data dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.dictionary import Column, Table

_NO_PATTERN = {ord(character): f"[{character}]" for character in "*?["}


def literal(text: str) -> str:
    """Write a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def exact_path(path: str) -> str:
    """Write a path as a SQL literal with `*`, `?` and `[` escaped, which DuckDB would take for a pattern."""
    return literal(path.translate(_NO_PATTERN))


def name(text: str) -> str:
    """Write a name as a quoted SQL identifier, since some columns are keywords."""
    return '"' + text.replace('"', '""') + '"'


def names(columns: Sequence[Column]) -> str:
    """Write the names of columns as a list."""
    return ", ".join(name(column.name) for column in columns)


def create_table(table: str, columns: Sequence[Column]) -> str:
    """Return the statement that creates an empty table."""
    return f"CREATE TABLE {name(table)} ({', '.join(f'{name(c.name)} {c.type.sql}' for c in columns)})"


def no_rows(columns: Sequence[Column]) -> str:
    """Return a query that has these columns and types, and no row."""
    return f"SELECT {', '.join(f'CAST(NULL AS {c.type.sql}) AS {name(c.name)}' for c in columns)} WHERE false"


def rows_of(table: Table, files: Sequence[str], *, alike: bool = True) -> str:
    """Return a query over exactly these files of a table, with call_date taken from their paths.

    Args:
        table: A table of the lake.
        files: Absolute paths, one a day; without any the query gives no rows.
        alike: Whether all files have the table's columns. If an older program wrote some, DuckDB has to read the schema
            of each before the first row, and columns that it lacks are null.
    """
    if not files:
        return no_rows(table.all_columns)
    # Qualified, since a macro over the view could otherwise have no parameter with the name of a column.
    query = f"SELECT {', '.join(f'files.{name(column.name)}' for column in table.all_columns)} FROM"
    if alike:
        return f"{query} {parquet(*files)} AS files"
    found = f"SELECT * FROM {parquet(*files, options=', union_by_name = true')}"  # noqa: S608 - paths are escaped
    return f"{query} ({no_rows(table.all_columns)} UNION ALL BY NAME {found}) AS files"


def parquet(*files: str, options: str = "") -> str:
    """Return the part of a query that reads exactly these Parquet files, and call_date from their paths."""
    text = "\n".join(files)
    if text.count("\n") == len(files) - 1:
        # One literal, since each comment on a view copies every part of its query.
        listed = f"string_split({exact_path(text)}, chr(10))"
    else:  # a folder has a line feed in its name
        listed = f"[{', '.join(map(exact_path, files))}]"
    return f"read_parquet({listed}, hive_partitioning = true, hive_types = {{'call_date': DATE}}{options})"


def comment(kind: str, table: Table, columns: Sequence[Column]) -> Iterator[str]:
    """Yield the statements that comment a table or view and each of its columns."""
    yield f"COMMENT ON {kind} {name(table.name)} IS {literal(table.comment)}"
    for column in columns:
        text = literal(column.comment)
        yield f"COMMENT ON COLUMN {name(table.name)}.{name(column.name)} IS {text}"


def labelled(table: Table, currency: str) -> Table:
    """Return a table with the currency's label in the units of money; unchanged without a label."""
    if not currency:
        return table
    columns = [
        replace(column, unit=f"{column.unit} ({currency})") if column.unit.startswith("money") else column
        for column in table.columns
    ]
    return replace(table, columns=tuple(columns))
