"""Schemas of the table files for pyarrow and polars, without call_date, which is in the path of the files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import polars as pl
import pyarrow as pa

from pipelines.dictionary import RAW, TABLES, Column, ColumnType, Table

_ARROW: Mapping[ColumnType, pa.DataType] = MappingProxyType(
    {
        ColumnType.TEXT: pa.string(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.NUMBER: pa.float64(),
        ColumnType.FLAG: pa.bool_(),
        ColumnType.INSTANT: pa.timestamp("us", "UTC"),
        ColumnType.LOCAL_TIME: pa.timestamp("us"),
        ColumnType.DATE: pa.date32(),
    }
)


@cache
def arrow_schema(table: str | Table) -> pa.Schema:
    """Return the schema of a table's files, with the dictionary's texts as metadata of its fields.

    Every field is nullable: a null key must be reported by the checks and must not fail the writer.

    Returns:
        Fields in the dictionary's order; each carries those of `description`, `unit`, `formula` and `personal` that it
        has. The schema's own metadata has the table's `description`.
    """
    definition = TABLES[table] if isinstance(table, str) else table
    fields = [pa.field(column.name, _ARROW[column.type], metadata=_metadata(column)) for column in definition.columns]
    return pa.schema(fields, metadata={"description": definition.description})


@cache
def polars_schema(table: str | Table) -> pl.Schema:
    """Return the schema of a table's frames: the same names in the same order as `arrow_schema`."""
    return pl.DataFrame(arrow_schema(table).empty_table()).schema


def raw_schema() -> pa.Schema:
    """Return the schema of the files in raw/calls and raw/rejected."""
    return arrow_schema(RAW)


def _metadata(column: Column) -> dict[str, str]:
    texts = {
        "description": column.description,
        "unit": column.unit,
        "formula": column.formula,
        "personal": str(column.personal),
    }
    return {name: text for name, text in texts.items() if text}
