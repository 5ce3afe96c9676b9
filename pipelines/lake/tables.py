"""Write and read the table files of one version of a day.

Separate from `versions`, whose users need neither polars nor the data dictionary's schemas.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import accumulate
from types import MappingProxyType

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.dictionary import TABLES
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import layout
from pipelines.lake.storage import Storage

_COMPRESSION_LEVEL = 1
_ROW_GROUP = 1 << 20
_DICTIONARY_BYTES = 16 << 20
"""Room for the ids of a long day; with the default of one megabyte, most would be written unencoded."""
_BLOOM_FILTERED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "calls": ("call_id",),
        "transcript_turns": ("call_id",),
        "transfer_legs": ("leg_id", "call_id"),
        "call_attributes": ("call_id",),
        "data_issues": ("call_id",),
    }
)
"""Columns with a Bloom filter, by which a search for one call skips nearly all days.

Minimum and maximum skip none, since ids are random.
"""
_FALSE_POSITIVES = 0.01
"""The share of days that such a search reads in vain."""
LANDED_ITEMS = "chorus_calls.landed_items"
"""Key in a file's footer: how many landed items its rows are made of."""


@dataclass(frozen=True)
class _Plan:
    """How a table is written, computed once for all days.

    Attributes:
        coded: The schema that is written: repeating texts are dictionary-encoded.
        plain: The schema that readers see, encoded: plain strings, with the data dictionary's descriptions.
        repeating: Columns written with a Parquet dictionary.
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
    """Write one table's file part by part in the order of the table's key."""

    def __init__(self, table: str, stream: pa.NativeFile, items: int | None = None) -> None:
        self.rows = 0
        self._table = table
        self._items = items
        self._stream = stream
        self._coded = _plan(table).coded
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.Table) -> None:
        """Append rows with the table's columns in its order."""
        coded = [
            column.dictionary_encode()
            if pa.types.is_dictionary(part.type) and not pa.types.is_dictionary(column.type)
            else column
            for column, part in zip(rows.columns, self._coded, strict=True)
        ]
        part = pa.table(coded, schema=self._coded)
        if self._writer is None:
            self._writer = self._open(part)
        self._writer.write_table(part, row_group_size=_ROW_GROUP)
        self.rows += rows.num_rows

    def close(self) -> None:
        """Finish the file."""
        (self._writer or self._open(self._coded.empty_table())).close()

    def _open(self, first: pa.Table) -> pq.ParquetWriter:
        """Open the file; its Bloom filters are sized for the first part, which is the largest."""
        plan = _plan(self._table)
        found = {name: len(first[name].unique()) for name in _BLOOM_FILTERED.get(self._table, ())}
        writer = pq.ParquetWriter(
            self._stream,
            plan.coded,
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            use_dictionary=plan.repeating,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            store_schema=False,
            sorting_columns=plan.sorting,
            bloom_filter_options={name: {"ndv": ids, "fpp": _FALSE_POSITIVES} for name, ids in found.items() if ids},
        )
        writer.add_key_value_metadata({"ARROW:schema": plan.plain})
        if self._items is not None:
            writer.add_key_value_metadata({LANDED_ITEMS: str(self._items)})
        return writer


@contextmanager
def write_table(
    storage: Storage, day: date, version: str, table: str, *, items: int | None = None
) -> Iterator[TableWriter]:
    """Write one table's file of a version, which appears read-only when the block ends without an error.

    Args:
        storage: The lake's files.
        day: The day.
        version: Its version.
        table: The table.
        items: How many landed items the rows are made of, for the checks; None if that is not known.
    """
    with storage.create(layout.table_file(day, version, table), read_only=True) as stream:
        writer = TableWriter(table, stream, items)
        try:
            yield writer
        finally:
            writer.close()  # also after an error: an open writer fails once its stream is closed


_SMALL = 400_000
"""Bytes below which a file is read whole, which takes no longer than reading some columns twice."""


class VersionTables:
    """Read the tables of one version of a day, for checks, marts and metadata.

    Columns are cached, since checks and marts read the same ones; only `batches` reads tables of several row groups
    without caching.
    """

    def __init__(self, storage: Storage, day: date, version: str) -> None:
        self.day = day
        self._storage = storage
        self._version = version
        self._scans: dict[str, pl.LazyFrame] = {}
        self._footers: dict[str, pq.FileMetaData] = {}
        self._columns: dict[str, dict[str, pl.Series]] = {}

    def _scan(self, table: str) -> pl.LazyFrame:
        if table not in self._scans:
            self._scans[table] = pl.scan_parquet(self._storage.address(self._path(table)))
        return self._scans[table]

    def _footer(self, table: str) -> pq.FileMetaData:
        if table not in self._footers:
            with self._storage.open_input(self._path(table)) as source:
                self._footers[table] = pq.read_metadata(source)
        return self._footers[table]

    def _path(self, table: str) -> str:
        return layout.table_file(self.day, self._version, table)

    def rows(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._footer(table).num_rows)

    def landed_items(self, table: str) -> int | None:
        """Return how many landed items a table's rows were made of, None if its file has no such note."""
        said = (self._footer(table).metadata or {}).get(LANDED_ITEMS.encode())
        return None if said is None else int(said)

    def frame(self, table: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of a whole table."""
        known = self._columns.setdefault(table, {})
        missing = [name for name in columns if name not in known]
        if missing:
            small = (self._storage.size(self._path(table)) or 0) < _SMALL
            rows = self._scan(table) if small else self._scan(table).select(missing)
            known.update({column.name: column for column in rows.collect()})
        return pl.DataFrame([known[name] for name in columns])

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Return some columns of a table a row group at a time, in the file's order."""
        footer = self._footer(table)
        heights = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        if len(heights) <= 1:
            yield self.frame(table, columns)
            return
        rows = self._scan(table).select(columns)
        for start, height in zip(accumulate(heights, initial=0), heights, strict=False):
            yield rows.slice(start, height).collect()

    def schema(self, table: str) -> pl.Schema:
        """Return the columns and types that a table was written with."""
        return self._scan(table).collect_schema()
