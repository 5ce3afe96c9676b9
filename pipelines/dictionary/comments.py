"""The dictionary as plain comments, for catalogs that show a text beside a table and a column."""

from __future__ import annotations

from pipelines.dictionary import TABLES, Column, Personal, Table


def comments(table: str | Table) -> tuple[str, dict[str, str]]:
    """What to write beside a table and its columns.

    Args:
        table: Name of a published table, or a table itself.

    Returns:
        The table's comment, and one comment per column a reader sees, call_date first. Plain text: quoting it for SQL
        is the caller's business.
    """
    definition = TABLES[table] if isinstance(table, str) else table
    return table_comment(definition), {column.name: column_comment(column) for column in definition.all_columns}


def table_comment(table: Table) -> str:
    """What a table is for, and what one of its rows stands for."""
    return f"{table.description} Grain: {table.grain}."


def column_comment(column: Column) -> str:
    """A column's meaning, followed by its unit, formula and personal-data class where it has them."""
    notes = [column.description]
    if column.unit:
        notes.append(f"Unit: {column.unit}.")
    if column.formula:
        notes.append(f"Formula: {column.formula}.")
    if column.additivity:
        notes.append(f"Additivity: {column.additivity}.")
    if column.personal is not Personal.NONE:
        notes.append(f"Personal data: {column.personal}.")
    return " ".join(notes)
