"""The dictionary as Dagster's column metadata, which its UI shows on an asset's page."""

from __future__ import annotations

import dagster as dg

from pipelines.dictionary import TABLES, Column, Personal


def dagster_schema(table: str) -> dg.TableSchema:
    """Columns of a published table as its asset's `dagster/column_schema`.

    Args:
        table: Name of a published table.

    Returns:
        Every column a reader sees, call_date first, with its description, its formula as a further constraint, and
        tags for its unit and personal-data class. A one-column key is marked unique, a longer one stands among the
        table's constraints: both hold within one call_date.
    """
    definition = TABLES[table]
    constraints = [definition.grain]
    if definition.key:
        constraints.append(f"unique within a call_date, nulls alike: {', '.join(definition.key)}")
    return dg.TableSchema(
        columns=[_column(column, unique=definition.key == (column.name,)) for column in definition.all_columns],
        constraints=dg.TableConstraints(other=constraints),
    )


def _column(column: Column, *, unique: bool) -> dg.TableColumn:
    tags = {"unit": column.unit} if column.unit else {}
    if column.personal is not Personal.NONE:
        tags["personal"] = str(column.personal)
    if column.additivity:
        tags["additivity"] = str(column.additivity)
    return dg.TableColumn(
        name=column.name,
        type=str(column.type),
        description=column.description,
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable, unique=unique, other=[f"= {column.formula}"] if column.formula else []
        ),
        tags=tags,
    )
