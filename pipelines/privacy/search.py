"""Search the whole lake for what was erased: every file and the catalog. The result is the proof of an erasure.

A number is found with any separators between its digits, with or without its country code, and in the digits of several
scripts. It is not found where it is spelled out in words. What other people said or typed is not changed, so it may
still mention the erased person; those places are listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.api_values import Number
from pipelines.dictionary import RAW, TABLES, Personal
from pipelines.json_source import decode
from pipelines.lake import layout
from pipelines.serve.catalog import open_catalog
from pipelines.serve.ddl import name as quoted
from pipelines.workspace import Workspace

_ZEROS = "0\u0660\u06f0\u0966\u09e6\u0e50\uff10"
_BETWEEN = "[ \t\r\n().,/\\-\u00a0\u00b7\u2010-\u2015\u202f]{0,3}"
_MIN_NATIONAL_DIGITS = 7
"""A number with fewer digits is searched only with its country code: without it, it would match unrelated digits."""
_MIN_ID_LENGTH = 6
"""Shorter ids match only whole values: within a text they mean nothing."""
_DISTINCTIVE_ID_LENGTH = 12
"""Ids from this length on match within longer words too."""
_IDS_PER_PATTERN = 200


class SearchTerms:
    """Numbers and ids to search for.

    Attributes:
        ids: Ids, and other texts to be found as they are.
    """

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._numbers: dict[str, tuple[str, str]] = {}
        self._whole: set[str] = set()
        self._exact: tuple[int, list[re.Pattern[str]]] | None = None

    def __bool__(self) -> bool:
        """Return whether there is anything to search for."""
        return bool(self.ids or self._numbers)

    def add_number(self, number: Number) -> None:
        """Add a number, in any notation."""
        country, national = _spaced(number.country), _spaced(number.national)
        zero = _spaced("0")
        self._whole.add(rf"(?<!\d){number.country}{number.national}(?!\d)")
        if len(number.national) < _MIN_NATIONAL_DIGITS:
            plain = country + _BETWEEN + national
            self._numbers[number.e164] = (plain, rf"(?<!\d)(?:{zero}){{0,2}}{plain}(?!\d)")
            return
        before = f"(?:{zero}){{0,2}}{country}{_BETWEEN}(?:{zero}{_BETWEEN})?|{zero}{_BETWEEN}"
        self._numbers[number.e164] = (national, rf"(?<!\d)(?:{before})?{national}(?!\d)")

    def add_numbers(self, texts: Iterable[str]) -> None:
        """Add numbers as they were sent, unless they are found as numbers already."""
        self.add_ids(text for text in texts if not self.find(text))

    def add_ids(self, ids: Iterable[str]) -> None:
        """Add ids."""
        self.ids.update(ids)

    def find(self, text: str) -> bool:
        """Return whether a text is or contains one of the terms."""
        return text in self.ids or any(pattern.search(text) for pattern in self._patterns())

    def bulk_patterns(self) -> list[str]:
        """Return RE2 patterns that together match whatever `find` does, and possibly more."""
        return [plain for plain, _ in self._numbers.values()] + [*_alternatives(self.ids)]

    def in_bytes(self, data: bytes) -> bool:
        """Return whether bytes contain an id, or a number in the notation of programs."""
        text = data.decode("utf-8", "replace")
        ids = (id_ for id_ in self.ids if len(id_) >= _MIN_ID_LENGTH)
        return any(id_ in text for id_ in ids) or any(re.search(whole, text) for whole in self._whole)

    def _patterns(self) -> Sequence[re.Pattern[str]]:
        marks = len(self.ids) + len(self._numbers)
        if self._exact is None or self._exact[0] != marks:
            patterns = [exact for _, exact in self._numbers.values()]
            patterns += _alternatives(text for text in self.ids if len(text) >= _DISTINCTIVE_ID_LENGTH)
            words = _alternatives(text for text in self.ids if _MIN_ID_LENGTH <= len(text) < _DISTINCTIVE_ID_LENGTH)
            patterns += [rf"(?<![\w-])(?:{inner})(?![\w-])" for inner in words]
            self._exact = (marks, [re.compile(pattern) for pattern in patterns])
        return self._exact[1]


def _alternatives(texts: Iterable[str]) -> Iterator[str]:
    """Yield patterns that match any of some texts, a limited number in each."""
    listed = sorted(texts)
    for start in range(0, len(listed), _IDS_PER_PATTERN):
        yield "|".join(map(re.escape, listed[start : start + _IDS_PER_PATTERN]))


def _spaced(digits: str) -> str:
    """Return a pattern for digits of several scripts, with or without separators."""
    return _BETWEEN.join("[" + "".join(chr(ord(zero) + int(digit)) for zero in _ZEROS) + "]" for digit in digits)


_IDENTIFYING: Final = frozenset({Personal.DIRECT, Personal.LINKABLE, Personal.RECORDING})
_IDENTIFYING_FIELD: Final = re.compile(
    r"\$(\.transferCalls\[\d+\])?\.(id|callSid|customerNumber|parentCallId|recordingUrl)"
)
_BATCH: Final = 2_000


@dataclass(frozen=True, order=True)
class Hit:
    """A place where something was found.

    Attributes:
        table: The table, or the file that belongs to none.
        place: The column, or the path within the payload.
        call_id: The call, if it is known.
        call_date: Its day, if it is known.
        is_text: Whether it is in what was said or typed, rather than in a field that identifies a person.
    """

    table: str
    place: str
    call_id: str = ""
    call_date: str = ""
    is_text: bool = False


def search_parquet(path: Path, table: str, day: str, terms: SearchTerms) -> Iterator[Hit]:
    """Search all text of a Parquet file: the values of its columns, and its footer."""
    with pq.ParquetFile(path) as file:
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        yield from _search_footer(file, table, terms)
        for batch in file.iter_batches(batch_size=_BATCH, columns=texts):
            yield from search_rows(pa.Table.from_batches([batch]), table, day, terms)


def search_rows(rows: pa.Table, table: str, day: str, terms: SearchTerms) -> Iterator[Hit]:
    """Search the text columns of some rows."""
    ids = rows["call_id"] if "call_id" in rows.column_names else None
    for name in rows.column_names:
        column = rows[name]
        if not _is_text(column.type):
            continue
        column = column.cast(pa.string())
        for row in sorted(_candidate_rows(column, terms)):
            text = column[row].as_py()
            call_id = str(ids[row].as_py() or "") if ids is not None else ""
            if table.startswith("raw/") and name == "payload":
                yield from (Hit(table, place, call_id, day, is_text) for place, is_text in _in_payload(text, terms))
            elif terms.find(text):
                yield Hit(table, name, call_id, day, not _identifies(table, name))


def _candidate_rows(column: pa.ChunkedArray, terms: SearchTerms) -> set[int]:
    """Return the numbers of the rows that may hold a term."""
    found: set[int] = set()
    for pattern in terms.bulk_patterns():
        found.update(pc.indices_nonzero(pc.match_substring_regex(column, pattern).fill_null(False)).to_pylist())
    return found


def _search_footer(file: pq.ParquetFile, table: str, terms: SearchTerms) -> Iterator[Hit]:
    """Search the minimum and maximum of each identifying column, and the file's key-value metadata."""
    notes = file.metadata.metadata or {}
    if any(terms.in_bytes(part) for note in notes.items() for part in note):
        yield Hit(table, "the file's footer")
    for group in range(file.metadata.num_row_groups):
        for number in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(number)
            known = column.statistics
            if known is None or not known.has_min_max or not _identifies(table, column.path_in_schema):
                continue
            if any(isinstance(value, str) and terms.find(value) for value in (known.min, known.max)):
                yield Hit(table, f"statistics of {column.path_in_schema}")


def _in_payload(payload: str, terms: SearchTerms) -> Iterator[tuple[str, bool]]:
    """Yield the paths in a call's JSON that hold a term, and whether each is free text."""
    try:
        value = decode(payload.encode())
    except ValueError:
        if terms.find(payload):
            yield "$", True
        return
    for path, text in _leaves("$", value):
        if terms.find(text):
            yield path, _IDENTIFYING_FIELD.fullmatch(path) is None


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every text, number and key of a JSON value with its path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"{path} (a key)", key
            yield from _leaves(f"{path}.{key}", part)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(f"{path}[{number}]", part)
    elif value is not None:
        yield path, str(value)


def _identifies(table: str, name: str) -> bool:
    """Return whether a column identifies a person by itself (id, number, recording), or is in no data dictionary."""
    definition = RAW if table.startswith("raw/") else TABLES.get(table)
    columns = {column.name: column for column in definition.all_columns} if definition else {}
    return name not in columns or columns[name].personal in _IDENTIFYING


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


@dataclass
class Proof:
    """The result of searching the lake.

    Attributes:
        searched: Whether there was anything to search for.
        tables: Tables of the catalog that were searched.
        unreadable: Files that could not be searched, since they cannot be read as Parquet.
        found: Places where it must not be.
        mentions: Places where others mention it.
    """

    searched: bool
    files: int = 0
    bytes: int = 0
    tables: int = 0
    unreadable: list[str] = field(default_factory=list)
    found: list[Hit] = field(default_factory=list)
    mentions: list[Hit] = field(default_factory=list)


def prove(workspace: Workspace, terms: SearchTerms, notify: Callable[[str], None]) -> Proof:
    """Search every file of the lake and the catalog; the caller holds the locks `SYNC` and `LAKE` exclusively."""
    proof = Proof(bool(terms))
    if not terms:
        return proof
    root, catalog = Path(workspace.storage.address()), workspace.settings.catalog_path.absolute()
    files = sorted(path for path in {*root.rglob("*"), catalog} if path.is_file())
    notify(f"Searching {len(files):,} files.")
    hits: set[Hit] = set()
    searched: set[tuple[int, int]] = set()
    for path in files:
        known = path.stat()
        proof.files += 1
        if (known.st_dev, known.st_ino) in searched:  # a published file has two paths
            continue
        searched.add((known.st_dev, known.st_ino))
        proof.bytes += known.st_size
        place = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        try:
            hits.update(_search_file(path, place, terms))
        except (OSError, pa.ArrowException):
            proof.unreadable.append(place)
    hits.update(_search_catalog(catalog, terms, proof))
    proof.found = sorted(hit for hit in hits if not hit.is_text)
    proof.mentions = sorted(hit for hit in hits if hit.is_text)
    return proof


def _search_file(path: Path, place: str, terms: SearchTerms) -> Iterator[Hit]:
    if terms.in_bytes(place.encode()):
        yield Hit(place, "the file's name")
    if path.suffix == ".parquet":
        yield from search_parquet(path, *_table_and_day(place), terms)
    elif terms.in_bytes(path.read_bytes()):
        yield Hit(place, "the file")


def _table_and_day(place: str) -> tuple[str, str]:
    """Return the table and the day of a Parquet file."""
    parts = place.split("/")
    day = next((str(day) for part in parts if (day := layout.day_of(part))), "")
    if not day:
        return place, ""
    if parts[0] == layout.RAW:
        return "/".join(parts[:2]), day
    return (parts[-1].removesuffix(".parquet") if parts[0] == layout.DAYS else parts[0]), day


def _search_catalog(path: Path, terms: SearchTerms, proof: Proof) -> Iterator[Hit]:
    """Search the tables stored in the catalog; its views read files that are searched anyway."""
    if not path.exists():
        return
    with open_catalog(path) as connection:
        inside = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
        for (table,) in connection.execute(inside).fetchall():
            proof.tables += 1
            rows = connection.sql(f"FROM {quoted(table)}").to_arrow_table()
            for hit in search_rows(rows, f"{path.name}: {table}", "", terms):
                yield Hit(hit.table, hit.place)
