"""The data dictionary: every table and column defined once.

File schemas, field metadata, catalog comments, Dagster's column metadata and docs/tables.md all derive from it; a
column that is not here does not exist. Importing this package loads only the standard library; what needs a data
library is in `schemas`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipelines.dictionary.call_parts import CALL_ATTRIBUTES, DATA_ISSUES, TRANSCRIPT_TURNS, TRANSFER_LEGS
from pipelines.dictionary.calls import CALLS, RAW
from pipelines.dictionary.columns import CALL_DATE, Additivity, Column, ColumnType, Personal, Table
from pipelines.dictionary.marts import (
    CALL_METRICS_DAILY,
    CALL_VOLUME_HOURLY,
    RATIOS,
    TRANSFER_METRICS_DAILY,
    ratios_of,
)
from pipelines.dictionary.ratios import Ratio

__all__ = [
    "CALL_DATE",
    "CORE_TABLES",
    "MARTS",
    "RATIOS",
    "RAW",
    "TABLES",
    "Additivity",
    "Column",
    "ColumnType",
    "Personal",
    "Ratio",
    "Table",
    "personal_columns",
    "ratios_of",
]

_CORE = (CALLS, TRANSCRIPT_TURNS, TRANSFER_LEGS, CALL_ATTRIBUTES, DATA_ISSUES)
_MARTS = (CALL_METRICS_DAILY, TRANSFER_METRICS_DAILY, CALL_VOLUME_HOURLY)

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _CORE + _MARTS})
"""Every published table by its name, in display order."""

CORE_TABLES = tuple(table.name for table in _CORE)
"""Names of the tables flattened from raw."""

MARTS = tuple(table.name for table in _MARTS)
"""Names of the aggregated tables."""


def personal_columns(table: str) -> frozenset[str]:
    """Return the columns of a table whose values are personal themselves: numbers, recordings, free text.

    Ids and pseudonyms, which only identify a person elsewhere, are not among them.
    """
    return frozenset(column.name for column in TABLES[table].columns if column.personal.is_content)
