"""Searching all text of Parquet files and of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.dictionary import RAW, TABLES, Personal
from pipelines.json_source import decode
from pipelines.privacy.search_terms import SearchTerms

_LEADING: Final = frozenset({Personal.DIRECT, Personal.LINKABLE, Personal.RECORDING})
_LEADING_FIELD: Final = re.compile(
    r"\$(\.transferCalls\[\d+\])?\.(id|callSid|customerNumber|parentCallId|recordingUrl)"
)
_BATCH: Final = 2_000


@dataclass(frozen=True, order=True)
class Hit:
    """Something that was found.

    Attributes:
        table: The table, or the file where it is none.
        place: The column, or the path within the payload.
        call_id: The call, where it is known.
        call_date: Its day, where it is known.
        is_text: Whether it stands in what was said or typed, rather than in a field that leads to a person.
    """

    table: str
    place: str
    call_id: str = ""
    call_date: str = ""
    is_text: bool = False


def search_parquet(path: Path, table: str, day: str, needles: SearchTerms) -> Iterator[Hit]:
    """Search all text of a Parquet file: the values of its columns, and what its footer says of them."""
    with pq.ParquetFile(path) as file:
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        yield from _search_footer(file, table, needles)
        for batch in file.iter_batches(batch_size=_BATCH, columns=texts):
            yield from search_rows(pa.Table.from_batches([batch]), table, day, needles)


def search_rows(rows: pa.Table, table: str, day: str, needles: SearchTerms) -> Iterator[Hit]:
    """Search the columns of text of some rows."""
    ids = rows["call_id"] if "call_id" in rows.column_names else None
    for name in rows.column_names:
        column = rows[name]
        if not _is_text(column.type):
            continue
        column = column.cast(pa.string())
        for row in sorted(_rough(column, needles)):
            text = column[row].as_py()
            call_id = str(ids[row].as_py() or "") if ids is not None else ""
            if table.startswith("raw/") and name == "payload":
                yield from (Hit(table, place, call_id, day, is_text) for place, is_text in _in_payload(text, needles))
            elif needles.find(text):
                yield Hit(table, name, call_id, day, not _leads(table, name))


def _rough(column: pa.ChunkedArray, needles: SearchTerms) -> set[int]:
    """The rows in which something may be."""
    found: set[int] = set()
    for pattern in needles.bulk_patterns():
        found.update(pc.indices_nonzero(pc.match_substring_regex(column, pattern).fill_null(False)).to_pylist())
    return found


def _search_footer(file: pq.ParquetFile, table: str, needles: SearchTerms) -> Iterator[Hit]:
    """Search the least and the largest value of each column that leads to a person, and the file's own notes."""
    notes = file.metadata.metadata or {}
    if any(needles.in_bytes(part) for note in notes.items() for part in note):
        yield Hit(table, "the file's footer")
    for group in range(file.metadata.num_row_groups):
        for number in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(number)
            known = column.statistics
            if known is None or not known.has_min_max or not _leads(table, column.path_in_schema):
                continue
            if any(isinstance(value, str) and needles.find(value) for value in (known.min, known.max)):
                yield Hit(table, f"statistics of {column.path_in_schema}")


def _in_payload(payload: str, needles: SearchTerms) -> Iterator[tuple[str, bool]]:
    """Where in a call's JSON something is, and whether that is text."""
    try:
        value = decode(payload.encode())
    except ValueError:
        if needles.find(payload):
            yield "$", True
        return
    for path, text in _leaves("$", value):
        if needles.find(text):
            yield path, _LEADING_FIELD.fullmatch(path) is None


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text, number and key of a JSON value, with the path to it."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"{path} (a key)", key
            yield from _leaves(f"{path}.{key}", part)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(f"{path}[{number}]", part)
    elif value is not None:
        yield path, str(value)


def _leads(table: str, name: str) -> bool:
    """Whether a column leads to a person by itself: an id, a number, a recording. What is in no dictionary might."""
    definition = RAW if table.startswith("raw/") else TABLES.get(table)
    columns = {column.name: column for column in definition.all_columns} if definition else {}
    return name not in columns or columns[name].personal in _LEADING


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))
