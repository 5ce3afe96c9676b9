"""The DuckDB catalog: one file that analysts and BI tools open, written again for every state of the lake.

It is never changed in place. DuckDB lets no process open a file that is being written, and a reader must not see half
of a change, so the next catalog is written next to the present one and replaces it in one step. Readers that have the
old one open keep it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError, SettingsError
from pipelines.lake.state import Manifest
from pipelines.lake.storage import Storage
from pipelines.serve.contents import Contents
from pipelines.serve.ddl import literal, name
from pipelines.serve.files import leftovers, remove_leftovers, replaced_file
from pipelines.serve.incremental import reusable, signature

# What DuckDB clients from 1.2 on can read; a file in the newest format opens in hardly any BI tool.
_STORAGE_VERSION: Final = "v1.2.0"
_UNREADABLE: Final = (FileNotFoundError, pa.ArrowInvalid)
"""What reading the footer of a published file raises if the file is missing or damaged."""


class DuckDBCatalog:
    """The catalog of a lake, in a file of this machine.

    Args:
        path: The catalog's file.
        storage: The lake's files, which the views name by their absolute paths.
        currency: The label shown next to money; empty for none.

    Raises:
        SettingsError: The lake's path would change what readers see in a column.
    """

    def __init__(self, path: Path, storage: Storage, *, currency: str = "") -> None:
        _refuse_column_names(storage.address())
        self.path = path.absolute()
        self._storage = storage
        self._currency = currency

    def make(self, manifest: Manifest) -> None:
        """Replace the catalog by that of a manifest, in one step for readers; only files of changed days are read.

        The caller holds the publish lock.

        Raises:
            ChorusCallsError: DuckDB cannot write it, or read a file that it needs.
        """
        # No catalog, an unreadable one, one that a writer has open, or a damaged file, which `rebuild` names.
        with suppress(duckdb.Error, *_UNREADABLE):
            self._write(self.path, manifest, before=self.path)
            return
        self.rebuild(manifest)

    def rebuild(self, manifest: Manifest) -> None:
        """Write the catalog from the published files alone, without the present one.

        Raises:
            ChorusCallsError: DuckDB cannot write it, or read a file that it needs.
        """
        try:
            self._write(self.path, manifest)
        except (duckdb.IOException, duckdb.InvalidInputException, *_UNREADABLE) as error:
            message = (
                f"The catalog {self.path} could not be written: {error}. What is published stays published; "
                "run `chorus-calls catalog` once that is fixed."
            )
            raise ChorusCallsError(message) from error

    def export_marts(self, manifest: Manifest, target: Path) -> None:
        """Write a self-contained catalog to hand out: aggregated tables only, no text of calls.

        Raises:
            FileExistsError: The target exists and is not such a catalog.
        """
        target = target.absolute()
        if target.exists() and not _is_export(target):
            raise FileExistsError(target)
        self._write(target, manifest, marts_only=True)

    def generation(self) -> int | None:
        """Return the generation of the manifest it was made from, None if there is no catalog to read."""
        return read_generation(self.path)

    def shown(self) -> tuple[int | None, str | None]:
        """Return what `generation` does, and the digest of the names that it shows, None if it has none."""
        made_from = _made_from(self.path)
        return made_from.get("generation"), made_from.get("names")

    def is_unfinished(self) -> bool:
        """Return whether a catalog is being written, or was when its writer was killed."""
        return bool(leftovers(self.path))

    def remove_unfinished(self) -> None:
        """Remove what killed writers left; the caller holds the publish lock."""
        remove_leftovers(self.path)

    def _write(self, target: Path, manifest: Manifest, *, marts_only: bool = False, before: Path | None = None) -> None:
        # More threads are hardly faster, since the commit uses one, and take a quarter more CPU time.
        with replaced_file(target) as temporary, duckdb.connect(config={"threads": 1}) as connection:
            expected = signature(self._storage.address(), self._currency)
            reused = reusable(connection, str(before), manifest, expected) if before else None
            contents = Contents(self._storage, manifest, currency=self._currency, marts_only=marts_only, reused=reused)
            version = f"STORAGE_VERSION {literal(_STORAGE_VERSION)}"
            connection.execute(f"ATTACH {literal(str(temporary))} AS made ({version})")
            connection.execute("USE made")
            connection.begin()  # one commit instead of one for each comment
            contents.write(connection)
            connection.commit()
            connection.execute("USE memory")
            connection.execute("DETACH made")  # writes all of it into the one file


def connect_catalog(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a catalog for reading, until the connection is closed.

    It is attached to a database in memory: DuckDB gives a process that opens the same file twice the database it
    already has, which after a replacement is the old one.

    Raises:
        duckdb.Error: There is no catalog, or it cannot be read.
    """
    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH {literal(str(path.absolute()))} AS {name(path.stem)} (READ_ONLY)")
        connection.execute(f"USE {name(path.stem)}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def open_catalog(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a catalog for reading, for a block.

    Raises:
        duckdb.Error: There is no catalog, or it cannot be read.
    """
    with connect_catalog(path) as connection:
        yield connection


def read_generation(path: Path) -> int | None:
    """Return the generation of the manifest that a catalog was made from, None if there is none to read."""
    generation: int | None = _made_from(path).get("generation")
    return generation


def _made_from(path: Path) -> dict[str, Any]:
    """Return generation and names digest from a catalog's `_lake`; empty if there is no catalog to read."""
    with suppress(duckdb.Error), open_catalog(path) as connection:
        # A catalog of an older program has no digest of names.
        found = connection.execute("SELECT COLUMNS('^(generation|names)$') FROM _lake")
        columns = [column[0] for column in found.description or ()]
        return dict(zip(columns, found.fetchone() or (), strict=False))
    return {}


def _is_export(path: Path) -> bool:
    """Return whether a file is a catalog that `export_marts` wrote."""
    with suppress(duckdb.Error), open_catalog(path) as connection:
        return connection.execute("SELECT 1 FROM _tables WHERE kind = 'core'").fetchone() is None
    return False


def _refuse_column_names(root: str) -> None:
    """Refuse a lake below a folder such as `provider=x`, which readers of Parquet would take for a partition column."""
    columns = {column.name for table in TABLES.values() for column in table.all_columns}
    for part in Path(root).parts:
        if part.partition("=")[0] in columns and "=" in part:
            message = f"CHORUS_LAKE: its folder {part!r} looks like a partition column; choose another path"
            raise SettingsError(message)
