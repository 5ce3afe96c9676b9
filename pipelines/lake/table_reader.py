"""Reading the tables of one version of a day; apart from `versions`, whose users would wait for polars in vain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import accumulate

import polars as pl
import pyarrow.parquet as pq

from pipelines.lake import layout
from pipelines.lake.storage import Storage
from pipelines.lake.table_writer import LANDED_ITEMS

_SMALL = 400_000
"""A file of fewer bytes is read whole: that takes no longer than reading some columns twice."""


class VersionTables:
    """The tables of one version of a day, as they were written, for checks, marts and metadata.

    What is read of a table is kept, since checks and marts read the same columns again and again; only tables of more
    than one row group can be read without keeping them, by `batches`.
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
        """Return how many landed items a table's rows were made of, None where its file does not say so."""
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
