"""The proof that an erasure is complete: a search of every file of the lake and of the catalog.

What others said or typed is not changed, so it may still name whoever was erased; where it does is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pipelines.lake import layout
from pipelines.privacy.search import Hit, search_parquet, search_rows
from pipelines.privacy.search_terms import SearchTerms
from pipelines.serve.catalog import open_catalog
from pipelines.serve.ddl import name as quoted
from pipelines.workspace import Workspace

_PARQUET = ".parquet"


@dataclass
class Proof:
    """What a search of the lake found.

    Attributes:
        searched: Whether there was anything to search for.
        files: Files that were searched.
        bytes: Their size.
        tables: Tables of the catalog that were searched.
        unreadable: Files that could not be searched, since they are no Parquet any more.
        found: Where it still is, though it must not be.
        mentions: Where others mention it.
    """

    searched: bool
    files: int = 0
    bytes: int = 0
    tables: int = 0
    unreadable: list[str] = field(default_factory=list)
    found: list[Hit] = field(default_factory=list)
    mentions: list[Hit] = field(default_factory=list)


def prove(workspace: Workspace, needles: SearchTerms, tell: Callable[[str], None]) -> Proof:
    """Search every file of the lake, and the catalog; the caller holds the locks `sync` and `lake` for itself."""
    proof = Proof(bool(needles))
    if not needles:
        return proof
    root, catalog = Path(workspace.storage.address()), workspace.settings.catalog_path.absolute()
    files = sorted(path for path in {*root.rglob("*"), catalog} if path.is_file())
    tell(f"Searching {len(files):,} files.")
    hits: set[Hit] = set()
    searched: set[tuple[int, int]] = set()
    for path in files:
        known = path.stat()
        proof.files += 1
        if (known.st_dev, known.st_ino) in searched:  # a published file lies at two places
            continue
        searched.add((known.st_dev, known.st_ino))
        proof.bytes += known.st_size
        place = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        try:
            hits.update(_search_file(path, place, needles))
        except (OSError, pa.ArrowException):
            proof.unreadable.append(place)
    hits.update(_search_catalog(catalog, needles, proof))
    proof.found = sorted(hit for hit in hits if not hit.is_text)
    proof.mentions = sorted(hit for hit in hits if hit.is_text)
    return proof


def _search_file(path: Path, place: str, needles: SearchTerms) -> Iterator[Hit]:
    if needles.in_bytes(place.encode()):
        yield Hit(place, "the file's name")
    if path.suffix == _PARQUET:
        yield from search_parquet(path, *_table_and_day(place), needles)
    elif needles.in_bytes(path.read_bytes()):
        yield Hit(place, "the file")


def _table_and_day(place: str) -> tuple[str, str]:
    """Which table a Parquet file is of, and which day."""
    parts = place.split("/")
    day = next((str(day) for part in parts if (day := layout.day_of(part))), "")
    if not day:
        return place, ""
    if parts[0] == layout.RAW:
        return "/".join(parts[:2]), day
    return (parts[-1].removesuffix(_PARQUET) if parts[0] == layout.DAYS else parts[0]), day


def _search_catalog(path: Path, needles: SearchTerms, proof: Proof) -> Iterator[Hit]:
    """Search the tables that are in the catalog's file; its views are of files that are searched anyway."""
    if not path.exists():
        return
    with open_catalog(path) as connection:
        inside = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
        for (table,) in connection.execute(inside).fetchall():
            proof.tables += 1
            rows = connection.sql(f"FROM {quoted(table)}").to_arrow_table()
            for hit in search_rows(rows, f"{path.name}: {table}", "", needles):
                yield Hit(hit.table, hit.place)
