"""Writing the table files of a version of a day."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import layout
from pipelines.lake.storage import Storage

_LEVEL = 1
_ROW_GROUP = 1 << 20
_DICTIONARY_BYTES = 16 << 20
"""Room for the ids of a long day, which would otherwise be written in full behind the first megabyte of them."""


@dataclass(frozen=True)
class _Plan:
    """How a table is written, which is worked out once: the same columns are written day after day.

    Attributes:
        coded: The schema of what is written: repeating texts come coded.
        plain: The schema that readers shall see all the same: plain strings, with the dictionary's descriptions.
        repeating: Columns that are written with a dictionary.
        sorting: The order of the rows.
    """

    coded: pa.Schema
    plain: str
    repeating: list[str]
    sorting: list[pq.SortingColumn]


@cache
def _plan(table: str) -> _Plan:
    definition, schema = TABLES[table], arrow_schema(table)
    repeating = frozenset(definition.low_cardinality)
    coded = [
        pa.field(part.name, pa.dictionary(pa.int32(), pa.string()))
        if part.name in repeating and part.type == pa.string()
        else part
        for part in schema
    ]
    return _Plan(
        coded=pa.schema(coded),
        plain=base64.b64encode(schema.serialize().to_pybytes()).decode(),
        repeating=[*repeating, *(part.name for part in schema if part.type == pa.int64())],
        sorting=[pq.SortingColumn(definition.names.index(name), nulls_first=True) for name in definition.sort_by],
    )


class TableWriter:
    """One table's file, written a part at a time in the order of the table's key."""

    def __init__(self, table: str, stream: pa.NativeFile) -> None:
        plan = _plan(table)
        self.rows = 0
        self._coded = plan.coded
        self._writer = pq.ParquetWriter(
            stream,
            plan.coded,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=plan.repeating,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            store_schema=False,
            sorting_columns=plan.sorting,
        )
        self._writer.add_key_value_metadata({"ARROW:schema": plan.plain})

    def write(self, rows: pa.Table) -> None:
        """Append rows; their columns are the table's, in its order."""
        coded = [
            column.dictionary_encode() if pa.types.is_dictionary(part.type) and not _is_coded(column) else column
            for column, part in zip(rows.columns, self._coded, strict=True)
        ]
        self._writer.write_table(pa.table(coded, schema=self._coded), row_group_size=_ROW_GROUP)
        self.rows += rows.num_rows

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def _is_coded(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_dictionary(column.type))


@contextmanager
def write_table(storage: Storage, day: date, version: str, table: str) -> Iterator[TableWriter]:
    """Write one table's file of a version; it appears, read-only, when the block ends without an error."""
    with storage.create(layout.table_file(day, version, table), read_only=True) as stream:
        writer = TableWriter(table, stream)
        try:
            yield writer
        finally:
            writer.close()  # also of a file that is given up: an open writer complains once its stream is closed
